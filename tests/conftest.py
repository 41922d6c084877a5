"""What all tests share: the catalogue in the test database, and the people who work here."""

import gc
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
from tests import database, factories
from tests.api.caller import Caller, caller
from tests.installations import Installation
from tests.servers import OpenAIServer

# A busy machine is no fault of what is tested. `make test-thorough` takes the second profile.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=300)
hypothesis.settings.load_profile("quick")


def pytest_itemcollected(item: pytest.Item) -> None:
    """What commits is a matter of the database: such tests run on PostgreSQL, too."""
    marker, fixtures = item.get_closest_marker("django_db"), getattr(item, "fixturenames", ())
    commits = (marker and marker.kwargs.get("transaction")) or "transactional_db" in fixtures
    if commits and not item.get_closest_marker("browser"):
        item.add_marker("postgresql")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is left with it at the end while the others have nothing."""
    items.sort(key=lambda item: "_processes" not in item.nodeid)


def pytest_collection_finish() -> None:
    """Libraries and tests stay until the end, and looking through them for garbage took a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of whoever runs the tests are not theirs to use."""
    for name in ("OXLO_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """A hash made to be slow protects nobody here, and a person in nearly every test would pay for it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def static_files_as_asked_for(settings: Settings) -> None:
    """A server reads all of them once, when it starts; every client of a test would be such a server."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def no_examples_of_others() -> None:
    """What another test taught is not in this one's database."""
    nearest_examples.invalidate_index()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The catalogue is loaded once for all tests, and a test that commits puts the database back to that."""
    with django_db_blocker.unblock():
        shipped.load()
        restore = database.snapshot()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: restore())
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Set up once; tests get copies of it."""
    installation = Installation(tmp_path_factory.mktemp("template"))
    installation.run("setup")
    return installation


@pytest.fixture
def installation(template: Installation, tmp_path: Path) -> Installation:
    return template.copied_to(tmp_path)


@pytest.fixture
def catalogue(db: None) -> None:
    """What every test database holds."""


@pytest.fixture
def embedded_gate(catalogue: None) -> Gate:
    """The embedded model chosen as primary, not merely standing in, and nobody asked for a second opinion."""
    Gate.objects.update(primary=LanguageModel.objects.zero_shot(), second_opinion=None)
    return Gate.current()


@pytest.fixture
def roles(db: None) -> None:
    """The groups that a migration makes."""


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
    """A stranger: signed in, without a role."""
    return factories.make_user("tom")


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ada", password=factories.PASSWORD)


UseServer = Callable[..., LanguageModel]


@pytest.fixture
def primary(catalogue: None) -> UseServer:
    """Puts a model behind a local server in charge: `primary(server, timeout=…)`."""

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
    """As after `make demo`, which installs no pyarrow."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for package, name in (("files", "parquet_rows"), ("files", "zipped"), ("formats", "parquet"), ("formats", "hf")):
        monkeypatch.delitem(sys.modules, f"review.datasets.{package}.{name}", raising=False)
        monkeypatch.delattr(f"review.datasets.{package}.{name}", raising=False)
