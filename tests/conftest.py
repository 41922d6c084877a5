"""Shared fixtures: the catalogue, users and their clients, models behind local servers."""

import fcntl
import gc
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import User
from django.test import Client, TransactionTestCase
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from classifier.embeddings import nearest_examples
from classifier.models import Gate, LanguageModel
from classifier.pipeline import sync_classification
from classifier.taxonomy import initial_data as shipped
from review.models import ReviewSettings
from tests import database, factories
from tests.api.caller import Caller, caller
from tests.installations import DATABASE, Installation
from tests.servers import OpenAIServer

# No deadlines, because the machine may be busy. `make test-thorough` uses the second profile.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=300)
hypothesis.settings.load_profile("quick")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests that commit, so that they run on PostgreSQL too."""
    marker, fixtures = item.get_closest_marker("django_db"), getattr(item, "fixturenames", ())
    commits = (marker and marker.kwargs.get("transaction")) or "transactional_db" in fixtures
    if commits and not item.get_closest_marker("browser"):
        item.add_marker("postgresql")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest tests first, so that none is left for the end."""
    items.sort(key=lambda item: "_processes" not in item.nodeid)


def pytest_collection_finish() -> None:
    """Exempt libraries and tests from garbage collection, which took a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests must not use the developer's own keys."""
    for name in ("OXLO_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Nearly every test creates a user; slow hashes would cost time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def no_static_file_scan(settings: Settings) -> None:
    """Otherwise every test client would scan all static files once."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def empty_example_index() -> None:
    """The in-memory index must not keep examples of other tests."""
    nearest_examples.invalidate_index()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Load the catalogue once; tests that commit restore that state."""
    with django_db_blocker.unblock():
        shipped.load()
        # Tests draw the random sample where they are about it; elsewhere it would seal tickets at random.
        ReviewSettings.objects.create(pk=1, sample_share=0)
        restore = database.snapshot()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: restore())
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Set up once for all workers; tests get copies of it."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "template"
    folder.mkdir(exist_ok=True)
    installation = Installation(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / DATABASE).exists():
            installation.run("setup")
            installation.query("update review_reviewsettings set sample_share = 0")
    return installation


@pytest.fixture
def installation(template: Installation, tmp_path: Path) -> Installation:
    return template.copied_to(tmp_path)


@pytest.fixture
def catalogue(db: None) -> None:
    """The catalogue, which every test database contains."""


@pytest.fixture
def embedded_gate(catalogue: None) -> Gate:
    """The embedded model as the configured primary, without a second opinion."""
    Gate.objects.update(primary=LanguageModel.objects.zero_shot(), second_opinion=None)
    return Gate.current()


@pytest.fixture
def roles(db: None) -> None:
    """The role groups, which a migration creates."""


@pytest.fixture
def ana(roles: None) -> User:
    """An agent."""
    return factories.make_user("ana", "Agent")


@pytest.fixture
def ben(roles: None) -> User:
    """Another agent."""
    return factories.make_user("ben", "Agent")


@pytest.fixture
def lea(roles: None) -> User:
    """A lead."""
    return factories.make_user("lea", "Lead")


@pytest.fixture
def agent_client(ana: User) -> Client:
    """Ana's browser."""
    return _signed_in(ana)


@pytest.fixture
def lead_client(lea: User) -> Client:
    """Lea's browser."""
    return _signed_in(lea)


@pytest.fixture
def admin_client(admin: User) -> Client:
    """Ada's browser."""
    return _signed_in(admin)


def _signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


class InlineExecutor(Executor):
    """Runs work in the caller's thread, so that it sees the caller's transaction."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def inline_classification(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synchronous classification runs within the test's transaction."""
    monkeypatch.setattr(sync_classification, "thread_pool", InlineExecutor())


@pytest.fixture
def lead_api(catalogue: None, inline_classification: None, lea: User) -> Caller:
    """An API client with Lea's key."""
    return caller(lea)


@pytest.fixture
def tom(db: None) -> User:
    """A user without a role."""
    return factories.make_user("tom")


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ada", password=factories.PASSWORD)


UseServer = Callable[..., LanguageModel]


@pytest.fixture
def primary(catalogue: None) -> UseServer:
    """Makes a local server's model the primary: `primary(server, timeout=…)`."""

    def use(server: OpenAIServer, **values: object) -> LanguageModel:
        language_model = factories.make_language_model(server, name="first", family="first", **values)
        Gate.objects.update(primary=language_model, second_opinion=None)
        return language_model

    return use


@pytest.fixture
def second_opinion(catalogue: None) -> UseServer:
    """The same for the second opinion."""

    def use(server: OpenAIServer, **values: object) -> LanguageModel:
        language_model = factories.make_language_model(server, name="second", family="second", **values)
        Gate.objects.update(second_opinion=language_model)
        return language_model

    return use


@pytest.fixture
def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `make demo`, which does not install pyarrow."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for package, name in (("files", "parquet_rows"), ("files", "zipped"), ("formats", "parquet"), ("formats", "hf")):
        monkeypatch.delitem(sys.modules, f"review.datasets.{package}.{name}", raising=False)
        monkeypatch.delattr(f"review.datasets.{package}.{name}", raising=False)
