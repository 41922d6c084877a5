"""Imports of taxonomies: by command, on the page and from help desks; shown first, applied at once, repeatable."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from classifier.admin.drafts import MOST_EDITABLE
from classifier.integrations.helpdesks import field_options
from classifier.models import Category, ContractVersion, Draft, HelpDesk, Sentiment
from classifier.taxonomy import drafts, importing
from classifier.taxonomy.files import reading
from tests.factories import make_prediction, make_ticket, make_user
from tests.receivers import Receiver, Reply

pytestmark = pytest.mark.usefixtures("catalogue")

PAGE = reverse("admin:classifier_draft_import")


def category(name: str) -> Category:
    return Category.objects.get(full_name=name, retired=False)


def names() -> list[str]:
    return list(Category.objects.active().paths().values())


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: str, name: str = "labels.txt") -> str:
        path = tmp_path / name
        path.write_text(content)
        return str(path)

    return write


def run(*arguments: str) -> list[str]:
    printed = io.StringIO()
    call_command(*arguments, stdout=printed)
    return printed.getvalue().splitlines()


def apply(content: str, name: str = "labels.txt", **options: bool) -> list[str]:
    return importing.apply(reading.read(content.encode(), name), name, None, **options)


@pytest.mark.django_db(transaction=True)
def test_command_adds_and_changes_labels_and_a_second_run_changes_nothing(file: Any) -> None:
    path = file("Billing > Refunds: Money back.\nTechnical: Bugs.\nShipping\n")
    before = names()
    assert run("import_taxonomy", path) == [
        "Billing > Refunds is added.",
        "Technical gets a new description.",
        "Shipping is added.",
    ]
    assert run("import_taxonomy", path) == ["nothing to change"]
    assert [name for name in names() if name in before] == before
    assert category("Billing > Refunds").description == "Money back."
    assert category("Technical").description == "Bugs."
    assert category("Shipping").history.latest().history_change_reason == "published with the draft labels.txt"
    assert Draft.objects.count() == 1


def test_dry_run_shows_the_changes_and_stores_nothing(file: Any) -> None:
    before = names()
    lines = run("import_taxonomy", file("Shipping"), "--dry-run")
    assert lines == ["Shipping is added.", "nothing is changed yet"]
    assert names() == before
    assert not Draft.objects.exists()


def test_command_can_leave_a_draft_to_be_measured(file: Any) -> None:
    (line,) = run("import_taxonomy", file("Shipping"), "--draft")
    draft = Draft.objects.get()
    assert line == f"draft {draft.pk}: labels.txt"
    assert drafts.summary(draft).changes == ["Shipping is added."]
    assert "Shipping" not in names()


def test_command_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Shipping")))
    assert "Shipping is added." in run("import_taxonomy", "-", "--dry-run")


@pytest.mark.parametrize(
    ("content", "message"), [("A: x\nA: y", "Line 2: A is listed twice."), ("", "The file has no labels.")]
)
def test_command_says_what_is_wrong_with_a_file(file: Any, content: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("import_taxonomy", file(content))


def test_command_exports_what_it_imports(file: Any) -> None:
    exported = "\n".join(run("export_taxonomy", "--format", "json"))
    assert json.loads(exported)["categories"][0]["name"] == "Billing"
    assert run("import_taxonomy", file(exported, "a.json"), "--dry-run", "--complete") == [
        "nothing to change",
        "nothing is changed yet",
    ]


def test_names_match_in_any_case_and_keep_their_spelling() -> None:
    assert apply("BILLING: Money.\nbilling > refunds") == [
        "Billing gets a new description.",
        "Billing > refunds is added.",
    ]


def test_a_complete_file_retires_what_it_lacks_of_its_kinds() -> None:
    sentiments = Sentiment.objects.active().count()
    changes = apply("Billing > Refunds\nTechnical\n", complete=True)
    assert changes == ["Billing > Refunds is added.", "Account is retired.", "General is retired."]
    assert names() == ["Billing", "Billing > Refunds", "Technical"]
    assert Sentiment.objects.active().count() == sentiments


def test_a_file_merges_labels_with_what_refers_to_them() -> None:
    prediction = make_prediction(make_ticket(), category=category("Account"))
    file = "name,merge_into,retired\nAccount,Access,\nGeneral,,yes\nAccess,,\n"
    assert apply(file, "a.csv") == [
        "Access is added.",
        "Account is merged into Access.",
        "General is retired.",
    ]
    prediction.refresh_from_db()
    merged = Category.objects.get(name="Account")
    assert prediction.category == category("Access") == merged.merged_into
    assert merged.history.latest().history_change_reason == "merged into Access"
    assert names() == ["Billing", "Technical", "Access"]
    assert apply(file, "a.csv") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,merge_into\nBiling,Technical\n", "The taxonomy has no label Biling."),
        ("name,merge_into\nBilling,Tecnical\n", "The taxonomy has no label Tecnical."),
        ("name,merge_into\nBilling,Account\nAccount,Billing\n", "can't be merged into"),
        ("name,merge_into\nBilling,Billing\n", "can't be merged into"),
        ("name,retired\nBilling,yes\nBilling > Refunds,\n", "Billing still contains Refunds"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_merges_and_retirements_that_cannot_be_are_refused_as_a_whole(file: Any, content: str, message: str) -> None:
    before = names()
    with pytest.raises(CommandError, match=message):
        run("import_taxonomy", file(content, "a.csv"))
    assert names() == before
    assert not Draft.objects.exists()


def test_500_options_are_imported_at_once(django_assert_max_num_queries: Any) -> None:
    changes = apply("\n".join(f"Billing > Option {number}: of it" for number in range(500)))
    assert len(changes) == 500
    assert len(ContractVersion.objects.current().labels.categories) == 504
    assert category("Billing").shortcut == 1


def test_a_draft_too_large_for_a_form_is_shown_and_published_without_one(admin_client: Client) -> None:
    lines = "\n".join(f"Option {number}" for number in range(MOST_EDITABLE))
    page = admin_client.post(PAGE, {"lines": lines}, follow=True).content.decode()
    assert "too many to edit here" in page
    assert "Option 7 is added." in page
    assert "<select" not in page.split("Change draft")[1]


# The page


@pytest.fixture
def drafter(db: None) -> Client:
    """Somebody who may draft, but not see help desks."""
    user = make_user("dora")
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_draft", "view_draft", "change_draft"]))
    client = Client()
    client.force_login(user)
    return client


def test_page_drafts_a_file_and_shows_what_it_changes(admin_client: Client, admin: User) -> None:
    upload = SimpleUploadedFile("desk.yaml", b"- Billing > Refunds: Money back.\n- Shipping")
    response = admin_client.post(PAGE, {"file": upload}, follow=True)
    draft = Draft.objects.get()
    assert response.redirect_chain == [(reverse("admin:classifier_draft_change", args=[draft.pk]), 302)]
    assert (draft.name, draft.created_by) == ("desk.yaml", admin)
    content = response.content.decode()
    for change in ("Billing &gt; Refunds is added.", "Shipping is added."):
        assert change in content
    admin_client.post(reverse("admin:classifier_draft_publish", args=[draft.pk]))
    assert "Billing > Refunds" in names()


def test_page_drafts_pasted_lines_of_either_kind(admin_client: Client) -> None:
    admin_client.post(PAGE, {"lines": "Furious: Shouts.\n", "axis": "sentiment"})
    assert drafts.summary(Draft.objects.get()).changes == ["Furious is added."]


def test_page_makes_no_draft_of_what_is_there(admin_client: Client) -> None:
    response = admin_client.post(PAGE, {"lines": "Billing"}, follow=True)
    assert "The taxonomy has all of this already." in response.content.decode()
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Choose a file, or paste lines"),
        ({"lines": "a: x\nA: y\n>"}, "Line 3: A name is missing."),
        ({"lines": "B" * 300}, "is longer than 80 characters"),
    ],
)
def test_page_says_what_is_wrong(admin_client: Client, values: dict[str, str], message: str) -> None:
    response = admin_client.post(PAGE, values)
    assert response.status_code == 200
    assert message in response.content.decode()
    assert not Draft.objects.exists()


@pytest.mark.parametrize("format", ["csv", "json", "yaml"])
def test_page_exports(admin_client: Client, format: str) -> None:
    response = admin_client.get(reverse("admin:classifier_draft_export", args=[format]))
    assert response["Content-Disposition"] == f'attachment; filename="taxonomy.{format}"'
    assert "Billing" in response.content.decode()
    assert admin_client.get(reverse("admin:classifier_draft_export", args=["xml"])).status_code == 404


def test_page_is_for_those_who_may_draft(agent_client: Client, drafter: Client) -> None:
    assert agent_client.get(PAGE).status_code == 302
    page = drafter.get(PAGE).content.decode()
    assert "Pasted" not in page
    assert "drop-down" not in page


# Help desks

PAYLOADS: dict[str, tuple[str, str, Any, list[tuple[str, ...]]]] = {
    "zendesk": (
        "360001",
        "/api/v2/ticket_fields/360001.json",
        {
            "ticket_field": {
                "type": "tagger",
                "custom_field_options": [
                    {"id": 1, "name": "Billing::Refunds", "value": "billing__refunds"},
                    {"id": 2, "name": "A > B", "value": "a_b"},
                ],
            }
        },
        [("Billing", "Refunds"), ("A › B",)],
    ),
    "freshdesk": (
        "cf_topic",
        "/api/v2/ticket_fields",
        [
            {"name": "status", "choices": {"2": ["Open", "Being Processed"]}},
            {"name": "cf_topic", "choices": {"Billing": {"Refunds": ["Late"]}, "Shipping": []}},
        ],
        [("Billing",), ("Billing", "Refunds"), ("Billing", "Refunds", "Late"), ("Shipping",)],
    ),
    "intercom": (
        "Topic",
        "/data_attributes?model=conversation",
        {"type": "list", "data": [{"name": "Topic", "options": ["Refunds", "Shipping"]}]},
        [("Refunds",), ("Shipping",)],
    ),
    "zammad": (
        "topic",
        "/api/v1/object_manager_attributes",
        [
            {"name": "topic", "object": "User", "data_option": {"options": {"x": "Not this"}}},
            {
                "name": "topic",
                "object": "Ticket",
                "data_option": {"options": [{"name": "Billing", "value": "b", "children": [{"name": "Refunds"}]}]},
            },
        ],
        [("Billing",), ("Billing", "Refunds")],
    ),
    "chatwoot": (
        "topic",
        "/api/v1/accounts/7/custom_attribute_definitions?attribute_model=0",
        [{"attribute_key": "topic", "attribute_values": ["Refunds", "Shipping"]}],
        [("Refunds",), ("Shipping",)],
    ),
}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> HelpDesk:
    monkeypatch.setenv("HELPDESK_TOKEN", "the-token")
    return HelpDesk(name="Ours", slug="ours", account="7", token_env="HELPDESK_TOKEN", secret_env="HELPDESK_SECRET")


@pytest.mark.parametrize("kind", PAYLOADS)
def test_options_of_a_help_desks_field_become_labels(desk: HelpDesk, kind: str) -> None:
    field, path, payload, paths = PAYLOADS[kind]
    with Receiver(Reply(status=200, body=json.dumps(payload).encode())) as receiver:
        desk.kind, desk.base_url = kind, receiver.url
        entries = reading.read_options(field_options.read(desk, field))
    (got,) = receiver.got
    assert (got.method, got.path, got.body) == ("GET", path, b"")
    assert [entry.path for entry in entries] == paths


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("payload", [[], {}, None, "x", {"data": 3}, {"ticket_field": {"custom_field_options": 7}}])
def test_a_field_that_is_not_there_is_named(desk: HelpDesk, kind: str, payload: Any) -> None:
    with Receiver(Reply(status=200, body=json.dumps(payload).encode())) as receiver:
        desk.kind, desk.base_url = kind, receiver.url
        with pytest.raises(field_options.FieldUnavailable, match="Ours has no drop-down field topic"):
            field_options.read(desk, "topic")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=401), "The help desk refused: 401"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1/"}), "The help desk refused: 302"),
        (Reply(status=200, body=b"<html>"), "could not be read"),
        (Reply(status=200, cut=True), "did not answer"),
    ],
)
def test_a_help_desk_that_fails_is_explained(desk: HelpDesk, reply: Reply, message: str) -> None:
    with Receiver(reply) as receiver:
        desk.kind, desk.base_url = "zendesk", receiver.url
        with pytest.raises(field_options.FieldUnavailable, match=message):
            field_options.read(desk, "1")


def test_page_and_command_read_a_help_desk(
    desk: HelpDesk, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, _path, payload, _paths = PAYLOADS["intercom"]
    with Receiver(Reply(status=200, body=json.dumps(payload).encode())) as receiver:
        desk.kind, desk.base_url = "intercom", receiver.url
        desk.save()
        admin_client.post(PAGE, {"help_desk": desk.pk, "field": field, "axis": "category"})
        assert drafts.summary(Draft.objects.get()).changes == ["Refunds is added.", "Shipping is added."]
        assert run("import_taxonomy", "--helpdesk", f"ours:{field}", "--dry-run")[0] == "Refunds is added."
        refused = admin_client.post(PAGE, {"help_desk": desk.pk, "field": "Colour"}).content.decode()
    assert "has no drop-down field Colour" in refused
    with pytest.raises(CommandError, match="no help desk"):
        run("import_taxonomy", "--helpdesk", "other:x")
