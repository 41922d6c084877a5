"""The translations are complete, compiled and keep placeholders."""

import datetime
import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from tests.factories import configure_review, make_ticket, send_to_review
from ticketclf_site.languages import interface_languages

ROOT = Path(__file__).resolve().parent.parent
LOCALES = Path("ticketclf_site/locale")
LANGUAGES = ["de", "es"]
PARTS = ["manage.py", "classifier", "review", "ticketclf_site", "templates"]

needs_gettext = pytest.mark.skipif(not shutil.which("xgettext"), reason="GNU gettext is not installed")


def messages(compiled: Path) -> dict[object, str]:
    with compiled.open("rb") as file:
        known = vars(gettext.GNUTranslations(file))["_catalog"]
    return {message: text for message, text in known.items() if message}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogues after collecting all strings again."""
    folder = tmp_path_factory.mktemp("messages")
    for part in PARTS:
        source = ROOT / part
        shutil.copytree(source, folder / part) if source.is_dir() else shutil.copy(source, folder / part)
    locales = [argument for language in LANGUAGES for argument in ("--locale", language)]
    command = [sys.executable, "manage.py", "makemessages", *locales, "--no-location", "--no-obsolete"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / LOCALES


def messages_file(locales: Path, language: str) -> Path:
    return locales / language / "LC_MESSAGES" / "django.po"


@needs_gettext
@pytest.mark.once
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_string_is_translated(collected: Path, language: str) -> None:
    file = messages_file(collected, language)
    checked = subprocess.run(
        ["msgfmt", "--check", "--statistics", "-o", file.with_suffix(".mo"), file],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"\d+ translated messages", checked.stderr)
    assert "fuzzy" not in checked.stderr
    assert "untranslated" not in checked.stderr


@needs_gettext
@pytest.mark.once
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_translations_are_up_to_date(collected: Path, language: str) -> None:
    file = messages_file(collected, language)
    compiled = file.with_suffix(".mo")
    subprocess.run(["msgfmt", "-o", compiled, file], check=True)  # noqa: S607
    assert messages(messages_file(ROOT / LOCALES, language).with_suffix(".mo")) == messages(compiled)


@pytest.mark.once
@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_their_placeholders(language: str) -> None:
    for message, text in messages(messages_file(ROOT / LOCALES, language).with_suffix(".mo")).items():
        original = message[0] if isinstance(message, tuple) else message
        wanted, used = (set(re.findall(r"%\(\w+\)\w|%[sd]|\{\w+\}", part)) for part in (str(original), text))
        assert used <= wanted, message
        assert isinstance(message, tuple) or used == wanted, message


def test_every_compiled_language_can_be_chosen(tmp_path: Path) -> None:
    assert settings.LANGUAGES == [("en", "English"), ("de", "Deutsch"), ("es", "Español")]
    for locale in ("pt_BR", "fr"):
        (tmp_path / locale / "LC_MESSAGES").mkdir(parents=True)
        messages_file(tmp_path, locale).with_suffix(".mo").touch()
    (tmp_path / "it" / "LC_MESSAGES").mkdir(parents=True)
    assert [code for code, _name in interface_languages(tmp_path)] == ["en", "fr", "pt-br"]


@pytest.mark.parametrize(("language", "accept"), [("en", "Accept"), ("de", "Übernehmen"), ("es", "Aceptar")])
def test_pages_are_shown_in_the_language_of_the_browser(
    client: Client, ana: User, catalogue: None, language: str, accept: str
) -> None:
    configure_review()
    send_to_review(make_ticket("Hello"))
    client.force_login(ana)
    preferred = {"Accept-Language": language}
    assert accept in client.get("/review/", headers=preferred).content.decode()
    assert f'<html lang="{language}"' in client.get("/", headers=preferred).content.decode()


@pytest.mark.parametrize(
    ("language", "number", "date"),
    [("en", "12,345.68", "5 Mar 2026"), ("de", "12.345,68", "5 Mär 2026"), ("es", "12\xa0345,68", "5 Mar 2026")],
)
def test_numbers_and_dates_follow_the_language(language: str, number: str, date: str) -> None:
    with translation.override(language):
        shown = Template('{{ number|floatformat:"2g" }} {{ day|date:"j M Y" }}').render(
            Context({"number": 12345.678, "day": datetime.date(2026, 3, 5)})
        )
    assert shown == f"{number} {date}"
