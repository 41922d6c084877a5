from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection, models

from classifier.models import Category, Sentiment, Ticket
from classifier.models.taxonomy import paths
from classifier.taxonomy import label_changes
from review.benchmark import runs
from review.models import GoldLabel
from tests.factories import make_prediction, make_ticket

pytestmark = pytest.mark.usefixtures("catalogue")


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def test_merging_moves_what_refers_to_the_label_and_retires_it() -> None:
    runs.load_built_in()
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    prediction = make_prediction(make_ticket(), category=category("Billing"))
    label_changes.merge(category("Billing"), category("General"))
    prediction.refresh_from_db()
    child.refresh_from_db()
    merged = category("Billing")
    assert (merged.retired, merged.merged_into) == (True, category("General"))
    assert prediction.category == child.parent == category("General")
    assert not GoldLabel.objects.filter(category=merged).exists()
    assert merged.history.latest().history_change_reason == "merged into General"


def test_a_child_that_a_merge_moves_has_the_move_in_its_history() -> None:
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    label_changes.merge(category("Billing"), category("General"))
    latest = child.history.latest()
    assert (latest.parent, latest.history_change_reason) == (category("General"), "Billing was merged into General")


@pytest.fixture
def note(db: None) -> Iterator[Any]:
    """A table of another app with a foreign key to categories that has no reverse name."""

    class Note(models.Model):
        category = models.ForeignKey(Category, models.PROTECT, related_name="+")

        class Meta:
            app_label = "review"

        def __str__(self) -> str:
            return str(self.category)

    with connection.schema_editor() as editor:
        editor.create_model(Note)
    yield Note
    with connection.schema_editor() as editor:
        editor.delete_model(Note)
    del apps.all_models["review"]["note"]
    apps.clear_cache()


@pytest.mark.django_db(transaction=True)
def test_references_without_a_reverse_name_count_as_use_and_move_too(note: Any) -> None:
    row = note.objects.create(category=category("Billing"))
    assert label_changes.is_in_use(category("Billing"))
    label_changes.merge(category("Billing"), category("General"))
    row.refresh_from_db()
    assert row.category == category("General")


def test_merging_twice_changes_nothing_more() -> None:
    label_changes.merge(category("Billing"), category("General"))
    label_changes.merge(category("Billing"), category("General"))
    with pytest.raises(ValidationError, match="was merged into General already"):
        label_changes.merge(category("Billing"), category("Account"))
    assert category("Billing").merged_into == category("General")


def test_earlier_merges_follow_a_later_one() -> None:
    label_changes.merge(category("Billing"), category("Account"))
    label_changes.merge(category("Account"), category("General"))
    assert category("Billing").merged_into == category("General")


def test_sentiments_merge_too() -> None:
    neutral, negative = Sentiment.objects.get(name="Neutral"), Sentiment.objects.get(name="Negative")
    prediction = make_prediction(make_ticket(), sentiment=neutral)
    label_changes.merge(neutral, negative)
    prediction.refresh_from_db()
    assert prediction.sentiment == negative


def test_merging_into_itself_a_retired_label_or_a_child_is_refused() -> None:
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    label_changes.retire(category("General"))
    for source, into in [("Billing", "Billing"), ("Billing", "General"), ("Billing", child.name)]:
        with pytest.raises(ValidationError):
            label_changes.merge(category(source), category(into))
    assert not category("Billing").retired


def test_children_of_one_name_are_merged_first() -> None:
    twins = [Category.objects.create(name="Other", parent=category(name)) for name in ("Billing", "General")]
    with pytest.raises(ValidationError, match="Both Billing and General contain"):
        label_changes.merge(category("Billing"), category("General"))
    label_changes.merge(twins[0], twins[1])
    label_changes.merge(category("Billing"), category("General"))
    assert category("Billing").merged_into == category("General")


def test_the_last_label_cannot_be_retired() -> None:
    for name in ("Billing", "Technical", "Account"):
        label_changes.retire(category(name))
    with pytest.raises(ValidationError, match="the last active label"):
        label_changes.retire(category("General"))


@pytest.mark.django_db(transaction=True)
def test_two_admins_at_once_do_not_retire_the_last_two() -> None:
    for name in ("Technical", "Account"):
        label_changes.retire(category(name))
    start = Barrier(2)

    def retire(label: Category) -> bool:
        start.wait()
        try:
            label_changes.retire(label)
        except ValidationError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as people:
        retired = list(people.map(retire, [category("Billing"), category("General")]))
    assert sorted(retired) == [False, True]
    assert Category.objects.active().count() == 1


def test_the_last_sentiment_cannot_be_retired_either() -> None:
    for name in ("Positive", "Neutral"):
        label_changes.retire(Sentiment.objects.get(name=name))
    with pytest.raises(ValidationError, match="the last active label"):
        label_changes.retire(Sentiment.objects.get(name="Negative"))


def test_a_category_with_active_children_cannot_be_retired() -> None:
    Category.objects.create(name="Refunds", parent=category("Billing"))
    with pytest.raises(ValidationError, match="Refunds"):
        label_changes.retire(category("Billing"))


def test_a_retired_label_comes_back_unless_its_name_is_taken() -> None:
    label_changes.retire(category("General"))
    label_changes.restore(category("General"))
    label_changes.retire(category("General"))
    Category.objects.create(name="General")
    with pytest.raises(ValidationError):
        label_changes.restore(Category.objects.get(name="General", retired=True))


def test_a_merged_label_does_not_come_back() -> None:
    label_changes.merge(category("Billing"), category("General"))
    with pytest.raises(ValidationError, match="was merged into General"):
        label_changes.restore(category("Billing"))


def test_a_child_comes_back_after_its_parent() -> None:
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    label_changes.retire(child)
    label_changes.retire(category("Billing"))
    with pytest.raises(ValidationError, match="Billing, the parent of Billing > Refunds, is retired"):
        label_changes.restore(child)
    label_changes.restore(category("Billing"))
    label_changes.restore(child)
    assert category("Refunds") in Category.objects.active()


def test_a_label_in_use_may_not_be_deleted() -> None:
    assert label_changes.is_deletable(category("Billing"))
    make_prediction(make_ticket(), category=category("Billing"))
    assert not label_changes.is_deletable(category("Billing"))


def test_the_last_label_may_not_be_deleted_though_nothing_refers_to_it() -> None:
    Category.objects.exclude(name="General").delete()
    assert not label_changes.is_in_use(category("General"))
    assert not label_changes.is_deletable(category("General"))


def test_a_category_cannot_stand_below_itself() -> None:
    billing = category("Billing")
    billing.parent = Category.objects.create(name="Refunds", parent=billing)
    with pytest.raises(ValidationError, match="its own descendant"):
        billing.full_clean()


def test_paths_name_children_below_their_parents() -> None:
    refunds = Category.objects.create(name="Refunds", parent=category("Billing"))
    late = Category.objects.create(name="Late", parent=refunds)
    names = paths(Category.objects.active())
    assert names[late.pk] == "Billing > Refunds > Late"
    assert list(names.values())[:2] == ["Billing", "Billing > Refunds"]


@pytest.mark.parametrize("state", ["auto_accepted", "needs_review"])
def test_classifying_again_reopens_unsettled_tickets(state: str, django_capture_on_commit_callbacks: Any) -> None:
    ticket = make_ticket()
    settled = make_ticket()
    Ticket.objects.filter(pk=ticket.pk).update(state=state, attempts=4)
    label = {"category": Category.objects.first(), "sentiment": Sentiment.objects.first()}
    Ticket.objects.filter(pk=settled.pk).update(state="settled", **label)
    with django_capture_on_commit_callbacks() as nudges:
        assert label_changes.classify_again(Ticket.objects.all()) == 1
    ticket.refresh_from_db()
    settled.refresh_from_db()
    assert (ticket.state, ticket.attempts, settled.state, len(nudges)) == ("new", 0, "settled", 1)


def test_many_tickets_are_reopened_in_chunks_with_a_task_each(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(label_changes, "CHUNK", 10)
    Ticket.objects.bulk_create([Ticket(text="hello", state="needs_review") for _number in range(25)])
    with django_capture_on_commit_callbacks() as nudges:
        assert label_changes.classify_again(Ticket.objects.all()) == 25
    assert not Ticket.objects.exclude(state="new").exists()
    assert len(nudges) == 3
