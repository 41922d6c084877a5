from typing import Any

import pytest
from django.core.exceptions import ValidationError

from classifier import taxonomy
from classifier.models import Category, Sentiment, Ticket
from classifier.models.taxonomy import paths
from review import benchmark
from review.models import BenchmarkItem
from tests.factories import make_prediction, make_ticket

pytestmark = pytest.mark.usefixtures("catalogue")


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def test_merging_moves_what_refers_to_the_label_and_retires_it() -> None:
    benchmark.load_built_in()
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    prediction = make_prediction(make_ticket(), category=category("Billing"))
    taxonomy.merge(category("Billing"), category("General"))
    prediction.refresh_from_db()
    child.refresh_from_db()
    merged = category("Billing")
    assert (merged.retired, merged.merged_into) == (True, category("General"))
    assert prediction.category == child.parent == category("General")
    assert not BenchmarkItem.objects.filter(category=merged).exists()
    assert merged.history.latest().history_change_reason == "merged into General"


def test_merging_twice_changes_nothing_more() -> None:
    taxonomy.merge(category("Billing"), category("General"))
    taxonomy.merge(category("Billing"), category("General"))
    assert category("Billing").merged_into == category("General")


def test_what_was_merged_before_follows() -> None:
    taxonomy.merge(category("Billing"), category("Account"))
    taxonomy.merge(category("Account"), category("General"))
    assert category("Billing").merged_into == category("General")


def test_sentiments_merge_too() -> None:
    neutral, negative = Sentiment.objects.get(name="Neutral"), Sentiment.objects.get(name="Negative")
    prediction = make_prediction(make_ticket(), sentiment=neutral)
    taxonomy.merge(neutral, negative)
    prediction.refresh_from_db()
    assert prediction.sentiment == negative


def test_it_refuses_to_merge_into_itself_a_retired_label_or_its_own_child() -> None:
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    taxonomy.retire(category("General"))
    for source, into in [("Billing", "Billing"), ("Billing", "General"), ("Billing", child.name)]:
        with pytest.raises(ValidationError):
            taxonomy.merge(category(source), category(into))
    assert not category("Billing").retired


def test_children_of_one_name_are_merged_first() -> None:
    twins = [Category.objects.create(name="Other", parent=category(name)) for name in ("Billing", "General")]
    with pytest.raises(ValidationError, match="Other stands below both Billing and General"):
        taxonomy.merge(category("Billing"), category("General"))
    taxonomy.merge(twins[0], twins[1])
    taxonomy.merge(category("Billing"), category("General"))
    assert category("Billing").merged_into == category("General")


def test_the_last_label_cannot_be_retired() -> None:
    for name in ("Billing", "Technical", "Account"):
        taxonomy.retire(category(name))
    with pytest.raises(ValidationError, match="the last one"):
        taxonomy.retire(category("General"))


def test_a_category_with_active_children_cannot_be_retired() -> None:
    Category.objects.create(name="Refunds", parent=category("Billing"))
    with pytest.raises(ValidationError, match="Refunds"):
        taxonomy.retire(category("Billing"))


def test_a_retired_label_comes_back_unless_its_name_is_taken() -> None:
    taxonomy.retire(category("General"))
    taxonomy.restore(category("General"))
    taxonomy.retire(category("General"))
    Category.objects.create(name="General")
    with pytest.raises(ValidationError):
        taxonomy.restore(Category.objects.get(name="General", retired=True))


def test_a_merged_label_does_not_come_back() -> None:
    taxonomy.merge(category("Billing"), category("General"))
    with pytest.raises(ValidationError, match="was merged into General"):
        taxonomy.restore(category("Billing"))


def test_a_label_in_use_may_not_be_deleted() -> None:
    assert taxonomy.deletable(category("Billing"))
    make_prediction(make_ticket(), category=category("Billing"))
    assert not taxonomy.deletable(category("Billing"))


def test_a_category_cannot_stand_below_itself() -> None:
    billing = category("Billing")
    billing.parent = Category.objects.create(name="Refunds", parent=billing)
    with pytest.raises(ValidationError, match="below itself"):
        billing.full_clean()


def test_paths_name_children_below_their_parents() -> None:
    refunds = Category.objects.create(name="Refunds", parent=category("Billing"))
    late = Category.objects.create(name="Late", parent=refunds)
    names = paths(Category.objects.active())
    assert names[late.pk] == "Billing > Refunds > Late"
    assert list(names.values())[:2] == ["Billing", "Billing > Refunds"]


@pytest.mark.parametrize("state", ["accepted", "held"])
def test_classifying_again_opens_what_is_not_settled(state: str, django_capture_on_commit_callbacks: Any) -> None:
    ticket = make_ticket()
    settled = make_ticket()
    Ticket.objects.filter(pk=ticket.pk).update(state=state, attempts=4)
    Ticket.objects.filter(pk=settled.pk).update(state="settled")
    with django_capture_on_commit_callbacks() as nudges:
        assert taxonomy.classify_again(Ticket.objects.all()) == 1
    ticket.refresh_from_db()
    settled.refresh_from_db()
    assert (ticket.state, ticket.attempts, settled.state, len(nudges)) == ("new", 0, "settled", 1)
