"""The German translation is complete, compiled and keeps placeholders."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import configure_review, make_ticket, send_to_review

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = Path("ticketclf_site/locale/de/LC_MESSAGES")
PARTS = ["manage.py", "classifier", "review", "ticketclf_site", "templates"]

needs_gettext = pytest.mark.skipif(not shutil.which("xgettext"), reason="GNU gettext is not installed")


def messages(compiled: Path) -> dict[object, str]:
    with compiled.open("rb") as file:
        known = vars(gettext.GNUTranslations(file))["_catalog"]
    return {message: text for message, text in known.items() if message}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue after collecting all strings again."""
    folder = tmp_path_factory.mktemp("messages")
    for part in PARTS:
        source = ROOT / part
        shutil.copytree(source, folder / part) if source.is_dir() else shutil.copy(source, folder / part)
    command = [sys.executable, "manage.py", "makemessages", "--locale", "de", "--no-location", "--no-obsolete"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / CATALOGUE / "django.po"


@needs_gettext
@pytest.mark.once
def test_every_string_is_translated(collected: Path) -> None:
    checked = subprocess.run(
        ["msgfmt", "--check", "--statistics", "-o", collected.with_suffix(".mo"), collected],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"\d+ translated messages", checked.stderr)
    assert "fuzzy" not in checked.stderr
    assert "untranslated" not in checked.stderr


@needs_gettext
@pytest.mark.once
def test_the_compiled_translations_are_up_to_date(collected: Path) -> None:
    subprocess.run(["msgfmt", "-o", collected.with_suffix(".mo"), collected], check=True)  # noqa: S607
    assert messages(ROOT / CATALOGUE / "django.mo") == messages(collected.with_suffix(".mo"))


@pytest.mark.once
def test_translations_keep_their_placeholders() -> None:
    for message, text in messages(ROOT / CATALOGUE / "django.mo").items():
        original = message[0] if isinstance(message, tuple) else message
        wanted, used = (set(re.findall(r"%\(\w+\)\w|%[sd]", part)) for part in (str(original), text))
        assert used <= wanted, message
        assert isinstance(message, tuple) or used == wanted, message


def test_pages_are_shown_in_the_language_of_the_browser(client: Client, ana: User, catalogue: None) -> None:
    configure_review()
    send_to_review(make_ticket("Hello"))
    client.force_login(ana)
    german = {"Accept-Language": "de"}
    assert "Übernehmen" in client.get("/review/", headers=german).content.decode()
    assert '<html lang="de"' in client.get("/", headers=german).content.decode()
    assert "Accept" in client.get("/review/").content.decode()
