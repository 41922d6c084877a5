"""Snapshots hold what stood at a moment, and never change."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import Category, Gate
from classifier.taxonomy import label_changes
from review.benchmark import runs
from review.gold import gold_labels, snapshots
from review.gold.snapshots import Filters, NothingToKeep
from review.models import GoldLabel, Snapshot, SnapshotItem
from review.workflow import decisions
from tests.factories import configure_review, hold, make_ticket
from tests.review.actions import answer, at_once

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture(autouse=True)
def plain_desk(catalogue: None) -> None:
    configure_review(benchmark_share=0.5)


def decide(*texts: str, by: User, category: str = "Account") -> None:
    for text in texts:
        answer(hold(make_ticket(text, language="en", source="mail"))[0], by, category)


def test_it_holds_the_labels_as_they_stand(ana: User) -> None:
    decide("Where is my invoice?", "The export is slow.", by=ana)
    snapshot = snapshots.take(by=ana)
    assert snapshot.items_count == snapshot.items.count() == 2
    assert snapshot.created_by == ana
    item = snapshot.items.first()
    assert item
    assert snapshot.names("categories")[item.category] == "Account"
    assert (item.corrected, item.people, item.language, item.source) == (True, 1, "en", "mail")
    assert sum(snapshot.counts["side"].values()) == 2


def test_the_same_content_is_the_same_snapshot(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    first = snapshots.take()
    assert snapshots.take(Filters(people=1)) == first
    decide("The export is slow.", by=ana)
    assert snapshots.take() != first
    assert Snapshot.objects.count() == 2


def test_another_contract_or_other_filters_make_another_snapshot(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    first, narrowed = snapshots.take(), snapshots.take(Filters(languages=("en",)))
    assert (first.filters, narrowed.filters) == ({}, {"languages": "en"})
    assert snapshots.take(Filters(sources=("mail", "web"))) == snapshots.take(Filters(sources=("web", "mail")))
    Gate.objects.update_or_create(pk=1, defaults={"instructions": "Be quick."})
    later = snapshots.take()
    assert later.contract.system_prompt != first.contract.system_prompt
    assert "Be quick." in later.contract.system_prompt
    assert snapshots.take() == later


def test_a_category_stands_for_all_below_it(ana: User) -> None:
    technical = Category.objects.get(name="Technical")
    api = Category.objects.create(name="API", parent=technical)
    Category.objects.create(name="Webhooks", parent=api)
    for category in ("Technical", "API", "Webhooks", "Account"):
        decide(f"A ticket that is about {category}", by=ana, category=category)
    taken = snapshots.take(Filters(categories=(technical.pk,)))
    names = taken.names("categories")
    assert {names[item.category] for item in taken.items.all()} == {
        "Technical",
        "Technical > API",
        "Technical > API > Webhooks",
    }
    assert snapshots.take(Filters(categories=(api.pk,))).items_count == 2


def test_it_goes_by_the_beginning_of_its_digest_if_that_is_long_enough_and_its_own(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    first, twin = snapshots.take(), snapshots.take(Filters(languages=("en",)))
    assert snapshots.named(first.short) == snapshots.named(first.digest) == first
    Snapshot.objects.filter(pk=twin.pk).update(digest=first.short + "0" * 52)
    for beginning in (first.digest[:11], first.short, "0" * 12, ""):
        with pytest.raises(Snapshot.DoesNotExist):
            snapshots.named(beginning)


def test_what_comes_later_does_not_reach_into_it(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    snapshot = snapshots.take()
    before = list(SnapshotItem.objects.values()), snapshot.labels
    Category.objects.filter(name="Account").update(name="Accounts")
    label_changes.merge(Category.objects.get(name="Accounts"), Category.objects.get(name="Billing"))
    gold_labels.gather()
    snapshot.refresh_from_db()
    assert (list(SnapshotItem.objects.values()), snapshot.labels) == before
    assert snapshots.take() != snapshot


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (Filters(corrected=True), 1),
        (Filters(origins=("built_in",)), 5),
        (Filters(origins=("import",)), 0),
        (Filters(people=2), 0),
        (Filters(languages=("en",)), 2),
        (Filters(sources=("mail",)), 2),
        (Filters(since=(timezone.now() + timedelta(days=2)).date()), 0),
        (Filters(until=(timezone.now() + timedelta(days=2)).date()), 7),
        (Filters(sides=()), 0),
    ],
)
def test_filters_narrow(ana: User, filters: Filters, kept: int) -> None:
    runs.load_built_in()
    decide("Where is my invoice?", by=ana)
    ticket = make_ticket("The export is slow.", language="en", source="mail")
    (assignment,) = hold(ticket)
    decisions.decide_many([assignment], ana)
    if not kept:
        with pytest.raises(NothingToKeep):
            snapshots.take(filters)
    else:
        assert snapshots.take(filters).items_count == kept


def test_the_training_side_comes_first() -> None:
    runs.load_built_in()
    configure_review(benchmark_share=0)
    gold_labels.place([_label("one"), _label("two")])
    sides = list(snapshots.take().items.values_list("side", flat=True))
    assert sides == ["training"] * 2 + ["benchmark"] * 5


def test_what_is_out_of_use_is_not_kept() -> None:
    runs.load_built_in()
    GoldLabel.objects.filter(category__name="Billing").update(state=GoldLabel.State.RETIRED)
    assert snapshots.take().items_count == 4


def _label(text: str) -> GoldLabel:
    known = GoldLabel.objects.first()
    assert known
    origin, digest = GoldLabel.Origin.IMPORT, GoldLabel.digest_of(text)
    return GoldLabel(text=text, digest=digest, category=known.category, sentiment=known.sentiment, origin=origin)


@pytest.mark.django_db(transaction=True)
def test_two_people_who_freeze_the_same_at_once_get_the_same(catalogue: None) -> None:
    runs.load_built_in()
    taken = at_once([snapshots.take] * 4)
    assert taken == [Snapshot.objects.get()] * 4
    assert SnapshotItem.objects.count() == 5


def test_a_label_that_changes_while_it_is_frozen_is_read_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.load_built_in()
    keep = snapshots._keep
    meddled: list[int] = []

    def meddling(*given: Any) -> str:
        if not meddled:
            meddled.append(GoldLabel.objects.filter(people=1).update(people=2))
        return keep(*given)

    monkeypatch.setattr(snapshots, "_keep", meddling)
    snapshot = snapshots.take()
    monkeypatch.undo()
    assert snapshots.take() == snapshot == Snapshot.objects.get()
