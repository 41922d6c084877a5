"""Snapshots copy the gold labels of one moment and never change."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Category, ContractVersion, Gate, LanguageModel
from classifier.taxonomy import label_changes
from review.benchmark import runs
from review.benchmark.runs import NothingToRun
from review.gold import gold_labels, snapshots
from review.gold.snapshots import EmptySnapshot
from review.models import GoldLabel, Snapshot, SnapshotItem
from review.workflow import decisions
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, run_concurrently

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture(autouse=True)
def single_reviews(catalogue: None) -> None:
    configure_review(benchmark_share=0.5)


def decide(*texts: str, by: User, category: str = "Account") -> None:
    for text in texts:
        answer(send_to_review(make_ticket(text, language="en", source="mail"))[0], by, category)


def test_snapshot_copies_the_current_labels(ana: User) -> None:
    decide("Where is my invoice?", "The export is slow.", by=ana)
    snapshot = snapshots.create_snapshot(by=ana)
    assert snapshot.items_count == snapshot.items.count() == 2
    assert snapshot.created_by == ana
    item = snapshot.items.first()
    assert item
    assert item.label == "Account | Neutral"
    assert (item.corrected, item.people, item.language, item.source) == (True, 1, "en", "mail")
    assert sum(snapshot.counts["side"].values()) == 2


def test_the_same_content_is_the_same_snapshot(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    first = snapshots.create_snapshot()
    assert snapshots.create_snapshot({"people": None}) == first
    decide("The export is slow.", by=ana)
    assert snapshots.create_snapshot() != first
    assert Snapshot.objects.count() == 2


def test_contract_and_filters_change_the_snapshot(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    first, narrowed = snapshots.create_snapshot(), snapshots.create_snapshot({"language": ["en"]})
    assert (first.filters, narrowed.filters) == ({}, {"language": "en"})
    assert snapshots.create_snapshot({"source": ["mail", "web"]}) == snapshots.create_snapshot(
        {"source": ["web", "mail"]}
    )
    Gate.objects.update_or_create(pk=1, defaults={"instructions": "Be quick."})
    later = snapshots.create_snapshot()
    assert later.contract.system_prompt != first.contract.system_prompt
    assert "Be quick." in later.contract.system_prompt
    assert snapshots.create_snapshot() == later


def test_category_filter_of_a_snapshot_includes_subcategories(ana: User) -> None:
    technical = Category.objects.get(name="Technical")
    api = Category.objects.create(name="API", parent=technical)
    Category.objects.create(name="Webhooks", parent=api)
    for category in ("Technical", "API", "Webhooks", "Account"):
        decide(f"A ticket that is about {category}", by=ana, category=category)
    snapshot = snapshots.create_snapshot({"category": [technical.pk]})
    names = snapshot.names("categories")
    assert {names[item.category or 0] for item in snapshot.items.all()} == {
        "Technical",
        "Technical > API",
        "Technical > API > Webhooks",
    }
    assert snapshots.create_snapshot({"category": [api.pk]}).items_count == 2


def test_snapshot_is_found_by_a_unique_digest_prefix(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    first, twin = snapshots.create_snapshot(), snapshots.create_snapshot({"language": ["en"]})
    assert snapshots.find_snapshot(first.short) == snapshots.find_snapshot(first.digest) == first
    Snapshot.objects.filter(pk=twin.pk).update(digest=first.short + "0" * 52)
    for beginning in (first.digest[:11], first.short, "0" * 12, ""):
        with pytest.raises(Snapshot.DoesNotExist):
            snapshots.find_snapshot(beginning)


def test_snapshot_does_not_change_with_later_labels(ana: User) -> None:
    decide("Where is my invoice?", by=ana)
    snapshot = snapshots.create_snapshot()
    before = list(SnapshotItem.objects.values()), snapshot.labels
    Category.objects.filter(name="Account").update(name="Accounts")
    label_changes.merge(Category.objects.get(name="Accounts"), Category.objects.get(name="Billing"))
    gold_labels.collect_from_decisions()
    snapshot.refresh_from_db()
    assert (list(SnapshotItem.objects.values()), snapshot.labels) == before
    assert snapshots.create_snapshot() != snapshot


@pytest.mark.parametrize(
    ("filters", "labels"),
    [
        ({"corrected": True}, 1),
        ({"origin": ["built_in"]}, 5),
        ({"origin": ["import"]}, 0),
        ({"people": 2}, 0),
        ({"language": ["en"]}, 2),
        ({"source": ["mail"]}, 2),
        ({"since": (timezone.now() + timedelta(days=2)).date()}, 0),
        ({"until": (timezone.now() + timedelta(days=2)).date()}, 7),
    ],
)
def test_filters_select_matching_labels(ana: User, filters: dict[str, Any], labels: int) -> None:
    runs.load_built_in()
    decide("Where is my invoice?", by=ana)
    ticket = make_ticket("The export is slow.", language="en", source="mail")
    (assignment,) = send_to_review(ticket)
    decisions.decide_many([assignment], ana)
    if not labels:
        with pytest.raises(EmptySnapshot):
            snapshots.create_snapshot(filters)
    else:
        assert snapshots.create_snapshot(filters).items_count == labels


def test_training_side_comes_first() -> None:
    runs.load_built_in()
    configure_review(benchmark_share=0)
    gold_labels.add_gold_labels([_label("one"), _label("two")])
    sides = list(snapshots.create_snapshot().items.values_list("side", flat=True))
    assert sides == ["training"] * 2 + ["benchmark"] * 5


def test_unusable_labels_are_left_out_of_a_snapshot() -> None:
    runs.load_built_in()
    GoldLabel.objects.filter(category__name="Billing").update(state=GoldLabel.State.RETIRED)
    assert snapshots.create_snapshot().items_count == 4


def _label(text: str) -> GoldLabel:
    known = GoldLabel.objects.first()
    assert known
    origin, digest = GoldLabel.Origin.IMPORT, GoldLabel.digest_of(text)
    return GoldLabel(text=text, digest=digest, category=known.category, sentiment=known.sentiment, origin=origin)


@pytest.mark.django_db(transaction=True)
def test_simultaneous_identical_snapshots_are_one(catalogue: None) -> None:
    runs.load_built_in()
    created = run_concurrently([snapshots.create_snapshot] * 4)
    assert created == [Snapshot.objects.get()] * 4
    assert SnapshotItem.objects.count() == 5


@pytest.mark.postgresql
def test_a_snapshot_that_nothing_uses_can_be_deleted(lead_client: Client) -> None:
    runs.load_built_in()
    free, used = snapshots.create_snapshot(), snapshots.create_snapshot({"side": "benchmark"})
    run = runs.start_run(used, [runs.Entry(LanguageModel.objects.zero_shot(), ContractVersion.objects.current())])
    assert "Delete snapshot" not in lead_client.get(used.get_absolute_url()).content.decode()
    for snapshot in (free, used):
        lead_client.post(reverse("review:delete_snapshot", args=[snapshot.short]))
    assert [Snapshot.objects.get(), SnapshotItem.objects.count()] == [used, 5]
    with pytest.raises(NothingToRun, match="deleted"):
        runs.start_run(free, [runs.Entry(LanguageModel.objects.zero_shot(), run.contenders.get().contract)])


def test_a_snapshot_is_unseen_until_it_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.load_built_in()

    def killed(*given: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshots, "_store_items", killed)
    with pytest.raises(KeyboardInterrupt):
        snapshots.create_snapshot()
    monkeypatch.undo()
    assert not Snapshot.objects.exists()
    Snapshot.incomplete.update(created_at=timezone.now() - snapshots.ABANDONED)
    assert snapshots.create_snapshot().items_count == 5
    assert not Snapshot.incomplete.exists(), "what was begun is cleared away"


def test_label_changed_during_creation_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.load_built_in()
    keep = snapshots._store_items
    meddled: list[int] = []

    def meddling(*given: Any) -> str:
        if not meddled:
            meddled.append(GoldLabel.objects.filter(people=1).update(people=2))
        return keep(*given)

    monkeypatch.setattr(snapshots, "_store_items", meddling)
    snapshot = snapshots.create_snapshot()
    monkeypatch.undo()
    assert snapshots.create_snapshot() == snapshot == Snapshot.objects.get()
