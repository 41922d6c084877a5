"""Drafts of the taxonomy and instructions: their changes, and their publication."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from classifier.contract.prompt import INSTRUCTIONS
from classifier.models import Category, ContractVersion, Draft, DraftLabel, Gate, Sentiment
from classifier.models.contract import EmptyTaxonomy
from classifier.models.taxonomy import paths
from classifier.taxonomy import drafts, label_changes
from tests.factories import make_prediction, make_ticket

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


@pytest.fixture
def draft(catalogue: None, admin: User) -> Draft:
    return drafts.create("Finer billing", admin)


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def row(draft: Draft, name: str) -> DraftLabel:
    return draft.labels.get(name=name)


def edit(draft: Draft, label: str, **values: Any) -> None:
    draft.labels.filter(name=label).update(**values)


def add(draft: Draft, name: str, parent: str = "", axis: str = "category", **values: Any) -> DraftLabel:
    above = row(draft, parent) if parent else None
    return DraftLabel.objects.create(draft=draft, axis=axis, name=name, parent=above, **{"position": 9} | values)


def problems(draft: Draft) -> str:
    with pytest.raises(ValidationError):
        drafts.contract_for(draft)
    before = [list(model._default_manager.values()) for model in (Category, Sentiment, Gate)]
    with pytest.raises(ValidationError):
        drafts.publish(draft, None)
    assert [list(model._default_manager.values()) for model in (Category, Sentiment, Gate)] == before
    return " ".join(drafts.summary(draft).problems)


# Creating a draft


def test_a_draft_starts_as_the_current_taxonomy_and_changes_nothing(draft: Draft, admin: User) -> None:
    in_force = ContractVersion.objects.current()
    assert drafts.summary(draft).changes == []
    assert drafts.contract_for(draft) == draft.based_on == in_force
    assert draft.created_by == admin
    records = Category.history.count(), Sentiment.history.count(), Gate.history.count()
    assert drafts.publish(draft, admin).published_at
    assert (Category.history.count(), Sentiment.history.count(), Gate.history.count()) == records
    assert ContractVersion.objects.current() == in_force


def test_children_stand_below_their_parents_in_a_draft(catalogue: None) -> None:
    Category.objects.create(name="Refunds", parent=category("Billing"))
    late = Category.objects.create(name="Late", parent=category("Refunds"))
    retired = Category.objects.create(name="Gone")
    label_changes.retire(retired)
    draft = drafts.create("A copy", None)
    assert "Billing > Refunds > Late" in paths(draft.labels.filter(axis="category")).values()
    assert row(draft, "Late").category == late
    assert not draft.labels.filter(category=retired).exists()
    assert drafts.contract_for(draft) == ContractVersion.objects.current()


def test_an_empty_taxonomy_cannot_be_drafted(catalogue: None) -> None:
    Category.objects.all().delete()
    with pytest.raises(EmptyTaxonomy):
        drafts.create("Empty", None)
    assert not Draft.objects.exists()


# Constraints


@pytest.mark.parametrize(
    "wrong",
    [
        lambda draft: draft.labels.create(axis="category", name="Twin", category=category("Billing")),
        lambda draft: draft.labels.create(axis="sentiment", name="Twin", sentiment=Sentiment.objects.first()),
        lambda draft: draft.labels.create(axis="category", name="Billing"),
        lambda draft: [draft.labels.create(axis="category", name="X", parent=row(draft, "Billing")) for _ in range(2)],
        lambda draft: draft.labels.create(axis="sentiment", name="X", category=category("Billing")),
        lambda draft: draft.labels.create(axis="sentiment", name="X", parent=row(draft, "Billing")),
    ],
    ids=["category twice", "sentiment twice", "name at the top", "name below", "another axis", "sentiment with parent"],
)
def test_the_database_refuses_inconsistent_drafts(draft: Draft, wrong: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        wrong(draft)


def test_a_dropped_label_gives_up_its_name_in_the_draft(draft: Draft) -> None:
    edit(draft, "Billing", dropped=True)
    add(draft, "Billing")


# Changes


def test_every_kind_of_change_is_a_sentence(draft: Draft) -> None:
    edit(draft, "Billing", name="Payments", description="All about money.")
    edit(draft, "General", examples="Hi there")
    edit(draft, "Technical", parent=row(draft, "Account"))
    edit(draft, "Neutral", dropped=True)
    add(draft, "Refunds", "Payments")
    add(draft, "Furious", axis="sentiment")
    Draft.objects.update(instructions="Label it.")
    draft.refresh_from_db()
    assert sorted(drafts.summary(draft).changes) == [
        "Billing is renamed: Payments.",
        "Furious is added.",
        "General gets new examples.",
        "Neutral is retired.",
        "Payments > Refunds is added.",
        "Payments gets a new description.",
        "Technical is moved: Account > Technical.",
        "The instructions are replaced.",
    ]


def test_another_order_is_a_change(draft: Draft) -> None:
    edit(draft, "Billing", position=99)
    assert drafts.summary(draft).changes == ["The order of labels changes."]
    drafts.publish(draft, None)
    assert list(Category.objects.active())[-1] == category("Billing")


def test_other_line_ends_are_not_a_change(draft: Draft) -> None:
    Category.objects.filter(name="Billing").update(examples="one\r\ntwo\r\n")
    again = drafts.create("Line ends", None)
    edit(again, "Billing", examples="one\ntwo")
    assert drafts.summary(again).changes == []


def test_a_drafts_contract_has_keys_only_for_existing_labels(draft: Draft) -> None:
    edit(draft, "Billing", name="Payments")
    add(draft, "Refunds", "Payments")
    version = drafts.contract_for(draft)
    assert version.labels.categories["Payments"] == category("Billing").pk
    assert "Payments > Refunds" not in version.labels.categories
    assert "Payments > Refunds" in [option.name for option in version.loaded().terms.categories]
    assert version != ContractVersion.objects.current()
    assert drafts.contract_for(draft) == version


def test_a_draft_of_the_same_wording_keeps_the_current_contracts_keys(draft: Draft) -> None:
    billing = category("Billing")
    edit(draft, "Billing", dropped=True)
    add(draft, "Billing", description=billing.description, examples=billing.examples, position=billing.position)
    version = drafts.contract_for(draft)
    assert version == ContractVersion.objects.current()
    assert version.labels.categories["Billing"] == billing.pk


def test_a_parent_is_not_dropped_without_its_children(draft: Draft) -> None:
    Category.objects.create(name="Refunds", parent=category("Billing"))
    draft = drafts.create("With a child", None)
    edit(draft, "Billing", dropped=True)
    assert "Billing still contains Refunds; drop or move them first." in problems(draft)


def test_nothing_stands_below_a_new_label_that_was_dropped_again(draft: Draft) -> None:
    add(draft, "Refunds", dropped=True)
    add(draft, "Late", "Refunds")
    assert "Refunds still contains Late; drop or move them first." in problems(draft)


def test_two_labels_do_not_stand_below_each_other(draft: Draft) -> None:
    edit(draft, "Billing", parent=row(draft, "General"))
    edit(draft, "General", parent=row(draft, "Billing"))
    assert "Billing cannot be its own parent. General cannot be its own parent." in problems(draft)


@pytest.mark.parametrize("axis", ["category", "sentiment"])
def test_a_draft_without_labels_is_refused(draft: Draft, axis: str) -> None:
    draft.labels.filter(axis=axis).update(dropped=True)
    for verb in (drafts.contract_for, lambda draft: drafts.publish(draft, None)):
        with pytest.raises(EmptyTaxonomy, match="at least one"):
            verb(draft)
    assert "at least one" in drafts.summary(draft).problems[0]
    assert Category.objects.active().count() == 4


# Publishing


def test_publishing_applies_every_change_and_nothing_else(draft: Draft, admin: User) -> None:
    billing, prediction = category("Billing"), make_prediction(make_ticket(), category=category("Billing"))
    edit(draft, "Billing", name="Payments", description="All about money.", examples="Pay me")
    edit(draft, "Technical", parent=row(draft, "Account"))
    edit(draft, "General", dropped=True)
    edit(draft, "Neutral", dropped=True)
    add(draft, "Late", parent=add(draft, "Refunds", "Payments", description="Money back.").name)
    add(draft, "Furious", axis="sentiment")
    Draft.objects.update(instructions="Label it.")
    draft.refresh_from_db()
    version, changes = drafts.contract_for(draft), drafts.summary(draft).changes
    done = drafts.publish(draft, admin)

    assert ContractVersion.objects.current() == version
    assert ContractVersion.objects.current().labels.categories["Payments"] == billing.pk
    assert list(paths(Category.objects.active()).values()) == [
        "Payments",
        "Payments > Refunds",
        "Payments > Refunds > Late",
        "Account",
        "Account > Technical",
    ]
    assert set(Sentiment.objects.active().values_list("name", flat=True)) == {"Positive", "Negative", "Furious"}
    assert Gate.current().instructions == "Label it."
    prediction.refresh_from_db()
    billing.refresh_from_db()
    assert (prediction.category, billing.name, billing.description) == (billing, "Payments", "All about money.")
    assert category("General").retired
    assert done.outcome == changes == drafts.summary(done).changes
    assert row(done, "Refunds").category == category("Refunds")


def test_every_change_is_in_the_history_with_who_and_why(draft: Draft, admin: User) -> None:
    untouched = category("Account").history.count()
    edit(draft, "Billing", name="Payments")
    edit(draft, "General", dropped=True)
    add(draft, "Refunds", "Payments")
    Draft.objects.update(instructions="Label it.")
    drafts.publish(draft, admin)
    for changed in (category("Payments"), category("General"), category("Refunds"), Gate.current()):
        record = changed.history.latest()
        assert (record.history_user, record.history_change_reason) == (admin, "published with the draft Finer billing")
    assert category("Payments").history.latest().name == "Payments"
    assert category("Payments").history.count() == 2
    assert category("General").history.latest().retired
    assert category("General").history.latest().name == "General"
    assert category("Account").history.count() == untouched


def test_publishing_twice_changes_nothing_more(draft: Draft, admin: User) -> None:
    add(draft, "Refunds", "Billing")
    first = drafts.publish(draft, admin)
    assert drafts.publish(draft, admin).published_at == first.published_at
    assert Category.objects.filter(name="Refunds").count() == 1
    with pytest.raises(ValidationError, match="is already published"):
        drafts.contract_for(first)
    assert list(Draft.objects.open()) == []


@pytest.mark.django_db(transaction=True)
def test_two_admins_at_once_publish_once(draft: Draft) -> None:
    add(draft, "Refunds", "Billing")
    start = Barrier(2)

    def publish(_number: int) -> Draft:
        start.wait()
        try:
            return drafts.publish(draft, None)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        first, second = people.map(publish, range(2))
    assert first.published_at == second.published_at
    assert Category.objects.filter(name="Refunds").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_drafts_at_once_do_not_undo_each_other(draft: Draft, admin: User) -> None:
    other = drafts.create("Another", admin)
    edit(draft, "Billing", name="Payments")
    edit(other, "Billing", name="Money")
    start = Barrier(2)

    def publish(draft: Draft) -> bool:
        start.wait()
        try:
            return bool(drafts.publish(draft, None).published_at)
        except ValidationError:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(publish, [draft, other])) == [False, True]
    assert Category.objects.active().filter(name__in=["Payments", "Money"]).count() == 1


def test_a_label_in_a_draft_is_not_deleted(draft: Draft) -> None:
    assert not label_changes.is_deletable(category("Billing"))
    assert "label in a draft" in [kind for kind, number in label_changes.references(category("Billing")) if number]


def test_labels_may_take_each_others_names(draft: Draft) -> None:
    billing, general = category("Billing"), category("General")
    edit(draft, "Billing", name="-")
    edit(draft, "General", name="Billing")
    edit(draft, "-", name="General")
    drafts.publish(draft, None)
    assert (category("Billing"), category("General")) == (general, billing)


def test_a_label_may_take_the_name_of_one_that_is_dropped(draft: Draft) -> None:
    edit(draft, "Billing", dropped=True)
    edit(draft, "General", name="Billing")
    drafts.publish(draft, None)
    assert Category.objects.get(name="Billing", retired=False).history.earliest().name == "General"
    assert Category.objects.filter(name="Billing", retired=True).count() == 1


def test_all_labels_of_one_kind_may_be_replaced_at_once(draft: Draft) -> None:
    draft.labels.filter(axis="sentiment").update(dropped=True)
    for name in ("Calm", "Neutral"):
        add(draft, name, axis="sentiment")
    drafts.publish(draft, None)
    assert sorted(Sentiment.objects.active().values_list("name", flat=True)) == ["Calm", "Neutral"]
    assert not Sentiment.objects.filter(name__startswith=">").exists()


def test_parents_and_children_are_dropped_together(catalogue: None) -> None:
    Category.objects.create(name="Refunds", parent=category("Billing"))
    draft = drafts.create("Less", None)
    draft.labels.filter(name__in=["Billing", "Refunds"]).update(dropped=True)
    drafts.publish(draft, None)
    assert category("Refunds").retired
    assert category("Refunds").parent == category("Billing")


def test_a_draft_of_instructions_alone_leaves_the_taxonomy_alone(draft: Draft, admin: User) -> None:
    records = Category.history.count()
    draft.instructions = "  Label it.\r\nQuickly.  "
    draft.full_clean()
    draft.save()
    assert drafts.summary(draft).changes == ["The instructions are replaced."]
    version = drafts.contract_for(draft)
    assert version.terms.system_prompt.startswith("Label it.\nQuickly.\n\nCategories:")
    drafts.publish(draft, admin)
    assert ContractVersion.objects.current() == version
    assert Category.history.count() == records

    back = drafts.create("Back", admin)
    assert back.instructions == "Label it.\nQuickly."
    back.instructions = INSTRUCTIONS
    back.full_clean()
    back.save()
    assert back.instructions == ""
    assert drafts.summary(back).changes == ["The instructions are the built-in ones again."]
    drafts.publish(back, admin)
    assert ContractVersion.objects.current() == draft.based_on


# When the taxonomy changes elsewhere in the meantime


@pytest.mark.parametrize(
    ("elsewhere", "sentence"),
    [
        (lambda: Category.objects.filter(name="Technical").update(name="Tech"), "Technical is renamed: Tech."),
        (lambda: Category.objects.filter(name="Billing").update(description="."), "Billing gets a new description."),
        (lambda: Category.objects.filter(name="Billing").update(examples="Pay"), "Billing gets new examples."),
        (
            lambda: Category.objects.filter(name="Billing").update(parent=category("Account")),
            "Billing is moved: Account > Billing.",
        ),
        (lambda: Category.objects.filter(name="Billing").update(position=99), "The order of labels changes."),
        (lambda: Category.objects.create(name="Sales"), "Sales is added."),
        (lambda: label_changes.retire(category("General")), "General is retired."),
        (lambda: label_changes.merge(category("General"), category("Account")), "General is retired."),
        (lambda: label_changes.retire(Sentiment.objects.get(name="Neutral")), "Neutral is retired."),
        (lambda: Gate.objects.update(instructions="Be quick."), "The instructions are replaced."),
    ],
    ids=["name", "description", "examples", "parent", "order", "new", "retired", "merged", "sentiment", "instructions"],
)
def test_a_draft_is_not_published_if_the_taxonomy_changed_since(draft: Draft, elsewhere: Any, sentence: str) -> None:
    edit(draft, "Billing", name="Payments")
    elsewhere()
    summary = drafts.summary(draft)
    assert summary.changed_since == [sentence]
    assert summary.changes == ["Billing is renamed: Payments."]
    assert "changed since this draft began" in problems(draft)


def test_a_draft_is_publishable_again_once_the_changes_are_reverted(draft: Draft) -> None:
    edit(draft, "Billing", name="Payments")
    label_changes.retire(category("General"))
    label_changes.restore(category("General"))
    assert drafts.summary(draft).changed_since == []
    assert drafts.publish(draft, None).published_at


def test_publishing_a_draft_blocks_the_other_drafts(draft: Draft) -> None:
    other = drafts.create("Another", None)
    edit(draft, "Billing", name="Payments")
    edit(other, "General", name="Rest")
    drafts.publish(draft, None)
    assert "changed since this draft began" in problems(other)


def test_starting_again_copies_the_current_taxonomy_and_keeps_the_old_draft(draft: Draft, admin: User) -> None:
    edit(draft, "Billing", name="Payments")
    Category.objects.create(name="Sales")
    again = drafts.restart(draft, admin)
    assert (again.name, again.created_by) == ("Finer billing (2)", admin)
    assert drafts.restart(again, admin).name == "Finer billing (3)"
    assert drafts.summary(again).changed_since == drafts.summary(again).changes == []
    assert again.labels.filter(name__in=["Billing", "Sales"]).count() == 2
    assert drafts.summary(draft).changes == ["Billing is renamed: Payments."]
