"""Two people, or a person and a worker, who change the same row: nothing of either is lost."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.admin.editing import EditAdmin, EditForm
from classifier.admin.tickets import ReadOnlyAdmin, RecordInline
from classifier.models import (
    ApiKey,
    Category,
    Gate,
    HelpDesk,
    LanguageModel,
    Mailbox,
    Provider,
    Sentiment,
    Webhook,
)
from classifier.taxonomy import drafts
from review.models import AccuracyTarget, ReviewSettings
from tests.factories import make_gold, make_ticket, make_user
from tests.pages import form_values

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


@pytest.fixture
def browser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


class Editor:
    """A page of the admin that somebody opened a while ago."""

    def __init__(self, client: Client, row: Model) -> None:
        self.client, self.meta = client, row._meta
        self.url = reverse(f"admin:{self.meta.app_label}_{self.meta.model_name}_change", args=[row.pk])
        self._read(client.get(self.url))

    def _read(self, response: Any) -> None:
        assert response.status_code == 200
        self.content = response.content.decode()
        self.values = form_values(self.content, f"{self.meta.model_name}_form")

    def save(self, **changed: Any) -> bool:
        """Change these fields and save; returns whether it was saved."""
        for name, value in changed.items():
            self.values.setlist(name, value if isinstance(value, list) else [value])
        response = self.client.post(self.url, self.values.urlencode(), "application/x-www-form-urlencoded")
        if response.status_code == 302:
            return True
        self._read(response)
        self.errors = re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', self.content, re.DOTALL)
        return False


def changeable() -> list[Any]:
    return [
        pytest.param(site, id=site.opts.label_lower)
        for site in admin.site._registry.values()
        if not isinstance(site, ReadOnlyAdmin)
        and type(site).has_change_permission is admin.ModelAdmin.has_change_permission
    ]


@pytest.mark.parametrize("site", changeable())
def test_every_admin_form_writes_only_what_was_changed(site: Any) -> None:
    assert isinstance(site, EditAdmin)
    assert issubclass(site.form, EditForm)
    for inline in site.inlines:
        assert issubclass(inline.form, EditForm) or issubclass(inline, RecordInline)


HOOK = {"name": "w", "url": "https://example.org/", "secret_env": "HOOK_SECRET", "kinds": ["ticket.decided"]}


def make_model() -> LanguageModel:
    return LanguageModel.objects.create(name="m", provider=Provider.objects.filter(kind="chat")[0], family="f")


def make_mailbox() -> Mailbox:
    return Mailbox.objects.create(name="b", slug="b", host="mail.example.org", user="u", password_env="MAIL_SECRET")


def make_key() -> ApiKey:
    return ApiKey.objects.create(name="k", user=make_user("someone"), prefix="p", digest="d", scopes=["tickets:read"])


def category() -> Category:
    return Category.objects.get(name="Billing")


ROWS: dict[str, tuple[Callable[[], Model], dict[str, Any], dict[str, Any]]] = {
    "ticket": (make_ticket, {"language": "fr"}, {"state": "needs_review", "attempts": 3}),
    "gate": (Gate.objects.get, {"threshold": "0.9"}, {"mode": "certified", "about": "category"}),
    "provider": (lambda: make_model().provider, {"name": "Q"}, {"mask": True}),
    "model": (make_model, {"family": "g"}, {"json_mode": "json_object"}),
    "category": (category, {"description": "Money."}, {"name": "Money", "position": 9}),
    "sentiment": (lambda: Sentiment.objects.all()[0], {"description": "Calm."}, {"position": 9}),
    "webhook": (lambda: Webhook.objects.create(**HOOK), {"name": "v"}, {"active": False}),
    "help desk": (
        lambda: HelpDesk.objects.create(name="h", slug="h", kind="zendesk", secret_env="DESK_SECRET"),
        {"name": "i"},
        {"active": False},
    ),
    "mailbox": (make_mailbox, {"folder": "New"}, {"active": False}),
    "review settings": (ReviewSettings.current, {"lease_minutes": "7"}, {"blind_share": 0.5}),
    "accuracy target": (AccuracyTarget.current, {"early_share": "0.4"}, {"target": 0.9}),
    "gold label": (lambda: make_gold("A label"), {"note": "sure"}, {"state": "retired"}),
    "API key": (make_key, {"per_minute": "5"}, {"revoked_at": timezone.now()}),
    "user": (lambda: make_user("someone"), {"last_name": "Else"}, {"is_active": False}),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_form_leaves_alone_what_others_changed_meanwhile(browser: Client, name: str) -> None:
    make, changed, meanwhile = ROWS[name]
    row = make()
    editor, rows = Editor(browser, row), type(row)._default_manager.filter(pk=row.pk)
    rows.update(**meanwhile)
    assert editor.save(**changed), editor.errors
    stored = rows.values(*changed, *meanwhile).get()
    assert {column: str(stored[column]) for column in changed} == changed
    assert {column: stored[column] for column in meanwhile} == meanwhile


CONFLICTS: dict[str, tuple[Callable[[], Model], dict[str, Any], dict[str, Any], str]] = {
    "number": (Gate.objects.get, {"threshold": "0.9"}, {"threshold": 0.7}, "0.7"),
    "choice": (Gate.objects.get, {"mode": "score"}, {"mode": "certified"}, "certified"),
    "text": (category, {"examples": "one"}, {"examples": "two\nthree"}, "two"),
    "emptied": (lambda: make_ticket(language="en"), {"language": "fr"}, {"language": ""}, "empty"),
    "time": (
        lambda: make_ticket(due_at=timezone.now()),
        {"due_at_0": "2026-01-02", "due_at_1": "03:04:05"},
        {"due_at": timezone.now() + timedelta(days=400)},
        str((timezone.now() + timedelta(days=400)).year),
    ),
    "list": (
        lambda: Webhook.objects.create(
            name="w", url="https://example.org/", secret_env="HOOK_SECRET", kinds=["ticket.decided"]
        ),
        {"kinds": ["ticket.reopened"]},
        {"kinds": ["ticket.classified", "ticket.decided"]},
        "ticket",
    ),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_field_that_two_people_change_is_refused_once(browser: Client, name: str) -> None:
    make, changed, meanwhile, shown = CONFLICTS[name]
    row = make()
    editor, rows = Editor(browser, row), type(row)._default_manager.filter(pk=row.pk)
    rows.update(**meanwhile)
    assert not editor.save(**changed)
    error = editor.content.split("Someone else changed this while you were editing. It is now: ")[1].split("</li>")[0]
    assert shown in error
    assert rows.values(*meanwhile).get() == meanwhile
    assert editor.save(), editor.errors
    assert rows.values(*meanwhile).get() != meanwhile


def test_an_unchanged_field_may_be_changed_by_others_when_another_is_refused(browser: Client) -> None:
    editor = Editor(browser, Gate.objects.get())
    Gate.objects.update(mode="certified", threshold=0.7)
    assert not editor.save(threshold="0.9")
    assert editor.save()
    assert Gate.objects.values("mode", "threshold").get() == {"mode": "certified", "threshold": 0.9}


def test_groups_that_others_gave_a_person_stay(browser: Client) -> None:
    person = make_user("someone", "Agent")
    editor = Editor(browser, person)
    person.groups.add(Group.objects.get(name="Lead"))
    assert editor.save(first_name="Some")
    assert {group.name for group in person.groups.all()} == {"Agent", "Lead"}


def test_two_people_edit_different_labels_of_a_draft(browser: Client, admin: User) -> None:
    draft = drafts.create("Next year", admin)
    first, second = draft.labels.filter(axis="category")[:2]
    editor = Editor(browser, draft)
    draft.labels.filter(pk=second.pk).update(description="By somebody else.")
    assert editor.save(**{"labels-0-name": "Renamed"}), editor.content
    assert draft.labels.get(pk=first.pk).name == "Renamed"
    assert draft.labels.get(pk=second.pk).description == "By somebody else."
