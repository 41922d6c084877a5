"""Drafts in the admin."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from classifier.models import Category, ContractVersion, Draft, Gate, Sentiment
from classifier.taxonomy import drafts, label_changes
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture
def draft(catalogue: None, admin: User) -> Draft:
    return drafts.create("Finer billing", admin)


def address(name: str, *args: object) -> str:
    return reverse(f"admin:classifier_draft_{name}", args=args)


def page(admin_client: Client, draft: Draft) -> str:
    response = admin_client.get(address("change", draft.pk))
    assert response.status_code == 200
    return response.content.decode()


def sent(draft: Draft, labels: dict[str, dict[str, Any]] | None = None, **values: Any) -> dict[str, Any]:
    """What a draft's page sends: its rows with these changes by name; an unknown name adds a row."""
    labels, known = dict(labels or {}), set(draft.labels.values_list("name", flat=True))
    form: dict[str, Any] = {"name": draft.name, "instructions": draft.instructions} | values
    for prefix, axis in (("labels", "category"), ("labels-2", "sentiment")):
        rows = list(draft.labels.filter(axis=axis))
        names = ["name", "description", "examples", "position"] + (["parent"] if axis == "category" else [])
        sets = []
        for row in rows:
            sent_of_row = {name: row.parent_id or "" if name == "parent" else getattr(row, name) for name in names}
            sets.append(sent_of_row | labels.pop(row.name, {}) | {"id": row.pk, "draft": draft.pk})
        for name in [name for name in labels if name not in known and labels[name].get("axis", "category") == axis]:
            sets.append({"name": name, "position": 9, "id": "", "draft": draft.pk} | labels.pop(name))
        form |= {f"{prefix}-TOTAL_FORMS": len(sets), f"{prefix}-INITIAL_FORMS": len(rows)}
        for number, of_row in enumerate(sets):
            form |= {f"{prefix}-{number}-{name}": value for name, value in of_row.items() if value is not False}
    assert not labels
    return form


def save(admin_client: Client, draft: Draft, labels: dict[str, dict[str, Any]] | None = None, **values: Any) -> str:
    where = address("change", draft.pk)
    response = admin_client.post(where, sent(draft, labels, **values) | {"_continue": "Save"}, follow=True)
    assert response.status_code == 200
    draft.refresh_from_db()
    return response.content.decode()


def publish(admin_client: Client, draft: Draft) -> Any:
    return admin_client.post(address("publish", draft.pk), follow=True)


def test_adding_a_draft_copies_the_taxonomy_and_opens_its_page(admin_client: Client, admin: User) -> None:
    Category.objects.create(name="Refunds", parent=Category.objects.get(name="Billing"))
    response = admin_client.post(address("add"), {"name": "Next"}, follow=True)
    draft = Draft.objects.get()
    assert response.redirect_chain == [(address("change", draft.pk), 302)]
    assert (draft.name, draft.created_by, draft.labels.count()) == ("Next", admin, 8)
    content = response.content.decode()
    assert "nothing changes until you publish it" in content
    assert "Billing &gt; Refunds" in content
    assert "there is nothing to publish yet" in content


def test_adding_a_draft_needs_a_unique_name_and_a_taxonomy(admin_client: Client, draft: Draft) -> None:
    assert "already exists" in admin_client.post(address("add"), {"name": draft.name}).content.decode()
    draft.labels.all().delete()
    Category.objects.all().delete()
    refused = admin_client.post(address("add"), {"name": "Another"})
    assert "needs at least one active category" in refused.content.decode()
    assert Draft.objects.count() == 1


def test_the_page_shows_the_built_in_instructions_and_nothing_inline(admin_client: Client, draft: Draft) -> None:
    content = page(admin_client, draft)
    assert escape("Answer with one JSON object that has exactly these keys:") in content
    assert " style=" not in content
    assert "<script>" not in content


def test_labels_are_edited_added_and_dropped_on_one_page(admin_client: Client, draft: Draft) -> None:
    parent = draft.labels.get(name="Billing").pk
    content = save(
        admin_client,
        draft,
        {
            "Billing": {"name": "Payments", "description": "All about\r\nmoney."},
            "General": {"dropped": "on"},
            "Refunds": {"parent": parent, "examples": "one\r\n two\r\n"},
            "Furious": {"axis": "sentiment"},
        },
        instructions="Label it.\r\nQuickly.",
    )
    for change in (
        "Billing is renamed: Payments.",
        "Payments gets a new description.",
        "Payments &gt; Refunds is added.",
        "General is retired.",
        "Furious is added.",
        "The instructions are replaced.",
    ):
        assert change in content
    assert draft.instructions == "Label it.\nQuickly."
    assert draft.labels.get(name="Payments").description == "All about money."
    assert draft.labels.get(name="Refunds").examples == "one\n two"
    assert draft.labels.get(name="Furious").axis == "sentiment"
    assert set(Category.objects.active().values_list("name", flat=True)) == {
        "Billing",
        "Technical",
        "Account",
        "General",
    }


def test_saving_a_page_as_it_is_changes_nothing(admin_client: Client, draft: Draft) -> None:
    assert "there is nothing to publish yet" in save(admin_client, draft)
    assert drafts.contract_for(draft) == ContractVersion.objects.current()


def test_labels_may_swap_names_on_one_page(admin_client: Client, draft: Draft) -> None:
    content = save(admin_client, draft, {"Billing": {"name": "General"}, "General": {"name": "Billing"}})
    assert "Billing is renamed: General." in content
    assert "General is renamed: Billing." in content


def test_the_name_of_a_dropped_label_is_free_in_the_same_submission(admin_client: Client, draft: Draft) -> None:
    save(admin_client, draft, {"Billing": {"dropped": "on"}, "General": {"name": "Billing"}})
    assert draft.labels.filter(name="Billing").count() == 2


@pytest.mark.parametrize("axis", ["category", "sentiment"])
def test_a_name_twice_in_one_place_is_a_field_error(admin_client: Client, draft: Draft, axis: str) -> None:
    name = {"category": "Billing", "sentiment": "Neutral"}[axis]
    other = {"category": "General", "sentiment": "Positive"}[axis]
    assert "A label with this name already exists here" in save(admin_client, draft, {other: {"name": name}})
    assert draft.labels.filter(name=other).exists()


@pytest.mark.parametrize("name", ["A > B", " ", "two\nlines", "x" * 81])
def test_an_invalid_name_is_refused(admin_client: Client, draft: Draft, name: str) -> None:
    content = save(admin_client, draft, {"Billing": {"name": name}})
    assert "Please correct the error" in content
    assert draft.labels.filter(name="Billing").exists()


def test_a_parent_must_belong_to_the_same_draft(admin_client: Client, draft: Draft) -> None:
    other = drafts.create("Another", None)
    for parent in (other.labels.get(name="General").pk, draft.labels.get(name="Billing").pk, "x", 10**30):
        assert "Please correct the error" in save(admin_client, draft, {"Billing": {"parent": parent}})
    assert "Billing is moved: General &gt; Billing." in save(
        admin_client, draft, {"Billing": {"parent": draft.labels.get(name="General").pk}}
    )


def test_rows_of_another_draft_are_not_touched(admin_client: Client, draft: Draft) -> None:
    other = drafts.create("Another", None)
    form = sent(draft, {"Billing": {"name": "Payments"}})
    foreign = other.labels.get(name="Billing").pk
    form = {key: foreign if re.fullmatch(r"labels-0-id", key) else value for key, value in form.items()}
    admin_client.post(address("change", draft.pk), form)
    assert other.labels.filter(name="Billing").exists()


def test_circular_parents_are_reported_and_not_published(admin_client: Client, draft: Draft) -> None:
    rows = {name: draft.labels.get(name=name).pk for name in ("Billing", "General")}
    content = save(
        admin_client, draft, {"Billing": {"parent": rows["General"]}, "General": {"parent": rows["Billing"]}}
    )
    assert "This draft cannot be published as it is" in content
    assert "Billing cannot be its own parent." in content
    publish(admin_client, draft)
    draft.refresh_from_db()
    assert draft.published_at is None


def test_publishing_lists_the_changes_and_asks_first(admin_client: Client, draft: Draft, admin: User) -> None:
    save(admin_client, draft, {"Billing": {"name": "Payments"}}, instructions="Label it.")
    assert address("publish", draft.pk) in page(admin_client, draft)
    asked = admin_client.get(address("publish", draft.pk)).content.decode()
    assert "Billing is renamed: Payments." in asked
    assert '<input type="submit" value="Publish">' in asked
    assert " style=" not in asked
    assert Category.objects.filter(name="Billing").exists()
    done = publish(admin_client, draft).content.decode()
    assert "Finer billing is published." in done
    assert "use a new prompt version" in done
    record = Category.objects.get(name="Payments").history.latest()
    assert (record.history_user, record.history_change_reason) == (admin, "published with the draft Finer billing")
    assert Gate.current().instructions == "Label it."


def test_conflicting_changes_are_listed_in_place_of_the_publish_button(admin_client: Client, draft: Draft) -> None:
    save(admin_client, draft, {"Billing": {"name": "Payments"}})
    label_changes.retire(Category.objects.get(name="Billing"))
    for content in (
        page(admin_client, draft),
        admin_client.get(address("publish", draft.pk)).content.decode(),
        publish(admin_client, draft).content.decode(),
    ):
        assert "The taxonomy or the instructions changed since this draft began." in content
        assert "Billing is retired." in content
        assert "Billing is renamed: Payments." in content
        assert f'<form id="restart" method="post" action="{address("restart", draft.pk)}">' in content
        assert 'form="restart"' in content
        assert '<input type="submit" value="Publish">' not in content
    draft.refresh_from_db()
    assert draft.published_at is None


def test_starting_again_opens_a_new_draft_and_keeps_this_one(admin_client: Client, draft: Draft, admin: User) -> None:
    save(admin_client, draft, {"Billing": {"name": "Payments"}})
    assert address("restart", draft.pk) not in page(admin_client, draft)
    label_changes.retire(Category.objects.get(name="Technical"))
    response = admin_client.post(address("restart", draft.pk), follow=True)
    again = Draft.objects.get(name="Finer billing (2)")
    assert response.redirect_chain == [(address("change", again.pk), 302)]
    assert again.created_by == admin
    assert "there is nothing to publish yet" in response.content.decode()
    assert "Billing is renamed: Payments." in page(admin_client, draft)
    assert admin_client.get(address("restart", draft.pk)).status_code == 405


def test_a_draft_without_sentiments_is_reported(admin_client: Client, draft: Draft) -> None:
    every = {name: {"dropped": "on"} for name in Sentiment.objects.values_list("name", flat=True)}
    assert "at least one category and one sentiment" in save(admin_client, draft, every)


def test_a_published_draft_is_read_only(admin_client: Client, draft: Draft) -> None:
    save(admin_client, draft, {"Billing": {"name": "Payments"}})
    form = sent(draft)
    publish(admin_client, draft)
    content = page(admin_client, draft)
    assert "Published changes:" in content
    assert "Billing is renamed: Payments." in content
    assert 'name="_save"' not in content
    assert address("publish", draft.pk) not in content
    assert admin_client.post(address("change", draft.pk), form).status_code == 403
    assert admin_client.post(address("delete", draft.pk), {"post": "yes"}).status_code == 403
    # Publishing again is harmless.
    assert publish(admin_client, draft).status_code == 200
    assert Category.objects.get(name="Payments").history.count() == 2


def test_deleting_a_draft_deletes_nothing_else(admin_client: Client, draft: Draft) -> None:
    assert admin_client.post(address("delete", draft.pk), {"post": "yes"}).status_code == 302
    assert not Draft.objects.exists()
    assert Category.objects.active().count() == 4


def test_merging_two_labels_of_a_draft_is_reported_as_a_change(admin_client: Client, draft: Draft) -> None:
    billing, general = Category.objects.get(name="Billing"), Category.objects.get(name="General")
    data = {"action": "merge", "_selected_action": [billing.pk], "into": general.pk}
    merged = admin_client.post(reverse("admin:classifier_category_changelist"), data, follow=True).content.decode()
    assert "Billing is merged into General" in merged
    assert "Billing is retired." in page(admin_client, draft)


def test_the_page_offers_to_measure_the_draft(admin_client: Client, draft: Draft) -> None:
    assert f'{reverse("review:benchmark")}?draft={draft.pk}"' in page(admin_client, draft)
    drafts.publish(draft, None)
    assert "?draft=" not in page(admin_client, draft)


# Permissions


def person(*codenames: str) -> User:
    user = make_user("pat")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


def test_the_admin_role_may_edit_and_publish_drafts() -> None:
    group = Group.objects.get(name="Admin")
    codenames = set(group.permissions.values_list("codename", flat=True))
    assert {"add_draft", "change_draft", "delete_draft", "view_draft"} <= codenames
    assert {"add_draftlabel", "change_draftlabel", "view_draftlabel"} <= codenames


def test_view_permission_allows_no_change_and_no_publishing(client: Client, draft: Draft) -> None:
    client.force_login(person("view_draft", "view_draftlabel"))
    content = page(client, draft)
    assert 'name="_save"' not in content
    assert address("publish", draft.pk) not in content
    assert client.post(address("change", draft.pk), sent(draft)).status_code == 403
    assert client.get(address("publish", draft.pk)).status_code == 403
    assert client.post(address("publish", draft.pk)).status_code == 403
    assert client.post(address("restart", draft.pk)).status_code == 403


def test_publishing_needs_permission_to_change_the_taxonomy(client: Client, draft: Draft) -> None:
    client.force_login(person("view_draft", "change_draft", "view_draftlabel", "change_draftlabel", "add_draftlabel"))
    save(client, draft, {"Billing": {"name": "Payments"}})
    assert draft.labels.filter(name="Payments").exists()
    assert client.post(address("publish", draft.pk)).status_code == 403


def test_drafts_are_for_staff(client: Client, draft: Draft, lea: User) -> None:
    client.force_login(lea)
    for where in (address("changelist"), address("change", draft.pk), address("publish", draft.pk)):
        assert client.get(where)["Location"].startswith("/admin/login/")
    assert client.post(address("publish", draft.pk)).status_code == 302
    draft.refresh_from_db()
    assert draft.published_at is None


def test_publishing_a_missing_draft_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(address("publish", 99)).status_code == 404


# Query counts


def test_the_page_costs_the_same_at_4_and_at_40_categories(admin_client: Client, draft: Draft) -> None:
    def cost(of: Draft) -> int:
        with CaptureQueriesContext(connection) as queries:
            page(admin_client, of)
        return len(queries)

    page(admin_client, draft)
    few = cost(draft)
    parent = Category.objects.get(name="Billing")
    Category.objects.bulk_create(Category(name=f"C{number}", parent=parent) for number in range(36))
    assert cost(drafts.create("Many", draft.created_by)) == few


def test_the_list_costs_the_same_at_2_and_at_20_drafts(admin_client: Client, admin: User) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(address("changelist"))
        return len(queries)

    for number in range(2):
        drafts.create(f"D{number}", admin)
    cost()
    few = cost()
    for number in range(2, 20):
        drafts.create(f"D{number}", make_user(f"u{number}"))
    assert cost() == few
