"""Decisions become gold labels, and near-duplicates stay on one side."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from classifier.models import AuditDraw, Category, Sentiment, Ticket
from classifier.pipeline import gate
from classifier.pipeline.predict import TicketOutcome
from classifier.privacy import erasure
from classifier.taxonomy import initial_data as shipped
from classifier.taxonomy import label_changes
from review.duplicates import groups, minhash
from review.gold import gold_labels
from review.models import Assignment, Band, Decision, DuplicateGroup, GoldLabel, ReviewSettings
from review.workflow import decisions, leases
from tests.factories import configure_review, make_prediction, make_ticket, make_verdict, send_to_review
from tests.review.actions import answer, expire_leases, run_concurrently, undo
from tests.review.certification.auditing import (
    SURE,
    UNSURE,
    arrive,
    audit,
    certify,
    epoch_now,
    make_grid,
    open_audits,
    score,
)

pytestmark = pytest.mark.usefixtures("catalogue")

State, Origin = GoldLabel.State, GoldLabel.Origin

WORDS = ["invoice", "refund", "charge", "login", "password", "export", "outage", "assignment", "plan", "thanks", "slow"]


@pytest.fixture(autouse=True)
def single_reviews(catalogue: None) -> ReviewSettings:
    return configure_review()


def settled(text: str, person: User, *label: str, **values: Any) -> Ticket:
    """A ticket that people have settled."""
    ticket = make_ticket(text, **values)
    answer(send_to_review(ticket)[0], person, *label)
    return ticket


def labels(texts: Sequence[str]) -> list[GoldLabel]:
    """Unsaved gold labels of these texts."""
    given_label = {"category": Category.objects.first(), "sentiment": Sentiment.objects.first()}
    digests = {GoldLabel.digest_of(text): text for text in texts}
    return [
        GoldLabel(text=text, digest=digest, origin=Origin.IMPORT, **given_label) for digest, text in digests.items()
    ]


def message(seed: int, words: int = 12) -> str:
    """A random message, unlike those of other seeds."""
    chance = random.Random(seed)  # noqa: S311 - only words
    return " ".join(chance.choice(WORDS) + str(chance.randrange(10)) + chance.choice(WORDS) for _ in range(words))


# From decisions


def test_decision_becomes_a_gold_label_with_its_origin(ana: User) -> None:
    ticket = settled("Where is my invoice?", ana, "Account", "Neutral", language="en", source="mail")
    decision = Decision.objects.get()
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.text, label.category.name, label.sentiment.name) == (ticket.text, "Account", "Neutral")
    assert (label.origin, label.people, label.share) == (Origin.DECISION, 1, 1.0)
    assert (label.language, label.source, label.labelled_at) == ("en", "mail", decision.created_at)
    assert label.corrected, "the model gave another label"
    assert label.side in ("benchmark", "training")


def test_gold_label_keeps_its_text_when_the_ticket_changes(ana: User) -> None:
    ticket = settled("as it was", ana)
    gold_labels.collect_from_decisions()
    Ticket.objects.filter(pk=ticket.pk).update(text="as it is now")
    gold_labels.sync_tickets([ticket.pk])
    assert GoldLabel.objects.get().text == "as it was"


def test_gold_label_counts_the_people_who_agree(ana: User, ben: User) -> None:
    configure_review(double_share=1)
    send_to_review(make_ticket())
    for person in (ana, ben):
        answer(leases.lease_next(person), person, "Account")
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.origin, label.people, label.share) == (Origin.BLIND, 2, 1.0)


def test_adjudicated_gold_label_keeps_the_share_of_double_labelling(ana: User, ben: User, lea: User) -> None:
    configure_review(double_share=1)
    send_to_review(make_ticket())
    Assignment.objects.update(share=0.05)
    for person, category in ((ana, "Account"), (ben, "Technical")):
        answer(leases.lease_next(person), person, category)
    answer(leases.lease_next(lea, "leads"), lea, "Account")
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.origin, label.people, label.share) == (Origin.BLIND, 2, 0.05)


def test_gold_label_of_an_audit_records_the_probability_of_its_draw(ana: User, ben: User, lea: User) -> None:
    certify()
    make_grid()
    tickets = arrive(*[UNSURE] * 12)
    first, *others = open_audits(tickets)
    audit(ana, others)
    # A label that differs from the model's needs a second one.
    audit(ana, [first], wrong=1)
    audit(ben, open_audits([first.ticket]))
    audit(lea, list(Assignment.objects.open().filter(purpose=Assignment.Purpose.ADJUDICATION)))
    gold_labels.collect_from_decisions()
    origins = {pk: origin for pk, *origin in GoldLabel.objects.values_list("ticket", "origin", "share")}
    shares = dict(AuditDraw.objects.filter(audited=True).values_list("verdict__ticket", "share"))
    assert len(origins) == len(others) + 1
    assert origins == {pk: [Origin.AUDIT, shares[pk]] for pk in origins}
    assert max(shares.values()) < 1


def test_ticket_drawn_later_has_the_probability_of_that_draw() -> None:
    certify()
    make_grid()
    epoch, ticket = epoch_now(), make_ticket("It waited before it was drawn.")
    prediction = make_prediction(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(state=Ticket.State.NEEDS_REVIEW)
    make_verdict(prediction)
    waiting = Assignment.objects.create(
        ticket=ticket, number=1, share=0.4, value=0.5, group=DuplicateGroup.objects.create(), received_at=timezone.now()
    )
    label_changes.classify_again(Ticket.objects.filter(pk=ticket.pk))
    score(epoch, prediction, SURE).save()
    gate.record_verdicts(
        epoch, gate.score_outcomes(epoch, [TicketOutcome(ticket, prediction)], epoch.contract.loaded()), {}
    )
    waiting.refresh_from_db()
    assert (waiting.purpose, waiting.share) == (
        Assignment.Purpose.AUDIT,
        AuditDraw.objects.get(verdict__ticket=ticket).share,
    )
    assert waiting.share != 0.4


def test_an_unsettled_ticket_has_no_gold_label(ana: User) -> None:
    configure_review(double_share=1)
    send_to_review(make_ticket())
    answer(leases.lease_next(ana), ana, "Account")
    gold_labels.collect_from_decisions()
    assert not GoldLabel.objects.exists()


def test_undo_withdraws_the_gold_label_and_a_new_decision_restores_it(ana: User) -> None:
    ticket = settled("It is slow.", ana, "Account")
    gold_labels.collect_from_decisions()
    undo(Decision.objects.get(), ana)
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().state == State.WITHDRAWN
    answer(Assignment.objects.get(ticket=ticket), ana, "Technical")
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name) == (State.ACTIVE, "Technical")


def test_collecting_again_changes_nothing(ana: User) -> None:
    settled("It is slow.", ana)
    gold_labels.collect_from_decisions()
    before = list(GoldLabel.objects.values())
    assert gold_labels.collect_from_decisions() == 1, "the latest decisions are read again"
    assert list(GoldLabel.objects.values()) == before


def test_a_label_retired_by_an_admin_stays_retired(ana: User) -> None:
    ticket = settled("It is slow.", ana)
    gold_labels.collect_from_decisions()
    GoldLabel.objects.update(state=State.RETIRED)
    gold_labels.sync_tickets([ticket.pk])
    assert GoldLabel.objects.get().state == State.RETIRED


def test_identical_texts_have_one_gold_label_which_different_labels_contradict(ana: User) -> None:
    for _time in range(2):
        settled("Cancel my plan.", ana, "Account")
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().state == State.ACTIVE
    settled("Cancel my plan.", ana, "Billing")
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name) == (State.CONTRADICTED, "Account")
    assert "Billing" in label.note


# Sides


def test_held_out_share_matches_the_settings_and_sides_never_change() -> None:
    gold_labels.add_gold_labels(labels([message(seed) for seed in range(300)]))
    sides = dict(GoldLabel.objects.values_list("pk", "group__side"))
    held_out = sum(side == "benchmark" for side in sides.values()) / len(sides)
    assert 0.2 < held_out < 0.4, "the settings hold out 0.3"
    ReviewSettings.objects.update(benchmark_share=1)
    gold_labels.add_gold_labels(labels([message(seed) for seed in range(300, 340)]))
    assert {**dict(GoldLabel.objects.values_list("pk", "group__side")), **sides} == dict(
        GoldLabel.objects.values_list("pk", "group__side")
    )


def test_near_duplicates_stay_on_one_side_whatever_is_drawn() -> None:
    """Later ones go to the side of the first, whatever they would draw."""
    first, second = message(1), message(2)
    configure_review(benchmark_share=1)
    gold_labels.add_gold_labels(labels([first]))
    configure_review(benchmark_share=0)
    gold_labels.add_gold_labels(labels([second]))
    gold_labels.add_gold_labels(labels([first + " please", second + " please", "Hello, " + first]))
    sides = {label.text: label.side for label in GoldLabel.objects.all()}
    assert sides[first + " please"] == sides["Hello, " + first] == "benchmark"
    assert sides[second + " please"] == "training"


def test_near_duplicate_of_both_sides_goes_to_neither() -> None:
    shared = (
        "Since the update of last night nobody in our office in Leeds can open the monthly report, and the page says"
        " only that something went wrong. We have tried three browsers and two laptops."
    )
    left = f"{shared} Could you call Maria about it before noon, because her boss is waiting for these figures?"
    right = f"{shared} By the way, when does the invoice for July arrive? Accounting keeps asking me for a copy."
    configure_review(benchmark_share=1)
    gold_labels.add_gold_labels(labels([left]))
    configure_review(benchmark_share=0)
    gold_labels.add_gold_labels(labels([right]))
    gold_labels.add_gold_labels(labels([shared]))
    assert {label.text: label.side for label in GoldLabel.objects.all()} == {
        left: "benchmark",
        right: "training",
        shared: "",
    }
    assert not GoldLabel.objects.usable().filter(text=shared).exists()


def test_another_text_represents_the_group_of_an_erased_one(ana: User) -> None:
    """They differ only in a number, so the first represents the group."""
    configure_review(benchmark_share=0)
    first = settled(f"{message(1)} order 1", ana)
    gold_labels.collect_from_decisions()
    gold_labels.add_gold_labels(labels([f"{message(1)} order 2"]), {})
    assert set(GoldLabel.objects.exclude(bands=None).values_list("ticket", flat=True)) == {first.pk}
    erasure.erase(Ticket.objects.filter(pk=first.pk))
    configure_review(benchmark_share=1)
    gold_labels.add_gold_labels(labels([f"{message(1)} order 3"]))
    assert GoldLabel.objects.get(text__endswith="order 3").side == "training"


def test_index_stores_only_a_few_texts_of_a_burst() -> None:
    burst = [f"{message(1, 30)} {message(seed, 4)}" for seed in range(2, 60)]
    gold_labels.add_gold_labels(labels(burst))
    assert DuplicateGroup.objects.count() == 1
    assert max(Counter(Band.objects.values_list("value", flat=True)).values()) <= groups.MOST_OF_A_GROUP


def test_given_side_is_kept_unless_a_near_duplicate_is_on_the_other() -> None:
    configure_review(benchmark_share=0)
    texts = [message(1), message(2)]
    gold_labels.add_gold_labels(labels(texts[:1]), {GoldLabel.digest_of(texts[0]): "benchmark"})
    alike = texts[0] + " please"
    gold_labels.add_gold_labels(labels([alike]), {GoldLabel.digest_of(alike): "training"})
    assert {label.side for label in GoldLabel.objects.all()} == {"benchmark"}


class NoTextStandsOnBothSides(TestCase):
    @settings(max_examples=15)
    @given(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.booleans()), min_size=2, max_size=25),
        st.integers(1, 6),
    )
    def test_near_duplicates_are_never_on_different_sides(
        self, arrivals: list[tuple[int, int, bool]], batch: int
    ) -> None:
        """Add partly changed messages in batches; similar ones must not end up on different sides."""
        if not Category.objects.exists():
            shipped.load()
        configure_review(benchmark_share=0.5)
        GoldLabel.objects.all().delete()
        texts = [_changed(message(seed), changes, upper) for seed, changes, upper in arrivals]
        for start in range(0, len(texts), batch):
            fresh = labels(texts[start : start + batch])
            known = set(GoldLabel.objects.values_list("digest", flat=True))
            gold_labels.add_gold_labels([label for label in fresh if label.digest not in known])
        on_a_side = [label for label in GoldLabel.objects.all() if label.side]
        shingles = {label.pk: minhash.shingles(label.text) for label in on_a_side}
        for first, second in combinations(on_a_side, 2):
            if minhash.similarity(shingles[first.pk], shingles[second.pk]) >= minhash.MIN_SIMILARITY:
                assert first.side == second.side, f"{first.text} | {second.text}"


def _changed(text: str, changes: int, upper: bool) -> str:
    words = text.split()
    for place in range(changes):
        words[-1 - place] = f"other{place}"
    return " ".join(words).upper() if upper else " ".join(words)


@pytest.mark.django_db(transaction=True)
def test_near_duplicates_added_at_once_are_on_one_side(catalogue: None) -> None:
    configure_review(benchmark_share=0.5)
    for seed in range(6):
        versions = [message(seed) + f" version {number}" for number in range(4)]
        outcomes = run_concurrently([partial(gold_labels.add_gold_labels, labels([text])) for text in versions])
        assert outcomes == [[]] * 4
        sides = GoldLabel.objects.filter(text__in=versions).values_list("group__side", flat=True)
        assert len(set(sides)) == 1, list(sides)


# Changes of the taxonomy


def test_gold_labels_follow_merged_and_renamed_labels(ana: User) -> None:
    settled("Where is my invoice?", ana, "Billing")
    gold_labels.collect_from_decisions()
    Category.objects.filter(name="Account").update(name="Accounts")
    label_changes.merge(Category.objects.get(name="Billing"), Category.objects.get(name="Accounts"))
    label = GoldLabel.objects.usable().get()
    assert label.category.name == "Accounts"


def test_gold_label_with_a_retired_category_is_unusable_and_needs_review(ana: User) -> None:
    settled("Where is my invoice?", ana, "Billing")
    gold_labels.collect_from_decisions()
    label_changes.retire(Category.objects.get(name="Billing"))
    assert not GoldLabel.objects.usable().exists()
    assert GoldLabel.objects.needing_review().count() == 1


def test_gold_label_of_a_split_category_stays_usable_and_needs_review(ana: User) -> None:
    settled("Where is my invoice?", ana, "Billing")
    gold_labels.collect_from_decisions()
    assert not GoldLabel.objects.needing_review().exists()
    Category.objects.create(name="Refunds", parent=Category.objects.get(name="Billing"))
    assert GoldLabel.objects.needing_review().count() == GoldLabel.objects.usable().count() == 1


def test_benchmark_labels_leaked_by_prompt_examples_are_found() -> None:
    configure_review(benchmark_share=1)
    gold_labels.add_gold_labels(labels([message(1), message(2)]))
    leaking = gold_labels.leaked_labels([message(1) + " please", message(3)])
    assert [label.text for label in leaking] == [message(1)]


def test_near_duplicate_gold_labels_share_a_group() -> None:
    gold_labels.add_gold_labels(labels([message(1), message(1) + " please", message(2)]))
    assert sorted(group.gold_labels.count() for group in DuplicateGroup.objects.all()) == [1, 2]


def test_expired_leases_leave_no_gold_labels(ana: User) -> None:
    send_to_review(make_ticket())
    expire_leases(leases.lease_next(ana))
    assert gold_labels.collect_from_decisions() == 0


@pytest.mark.django_db(transaction=True)
def test_first_collection_reads_all_decisions(catalogue: None, ana: User) -> None:
    configure_review()
    assignments = send_to_review(*(make_ticket(message(seed)) for seed in range(gold_labels.CHUNK + 50)))
    for start in range(0, len(assignments), decisions.MOST_AT_ONCE):
        decisions.decide_many(assignments[start : start + decisions.MOST_AT_ONCE], ana)
    assert gold_labels.collect_from_decisions() == GoldLabel.objects.count() == gold_labels.CHUNK + 50


def test_decisions_beyond_one_turn_wait_for_the_next(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        settled(message(number), ana)
    # Old enough that no running transaction can hide one.
    for number, decision in enumerate(Decision.objects.order_by("pk")):
        Decision.objects.filter(pk=decision.pk).update(created_at=timezone.now() - timedelta(hours=5 - number))
    monkeypatch.setattr(gold_labels, "TURN", 2)
    gathered = [gold_labels.collect_from_decisions(most_turns=1) and GoldLabel.objects.count() for _turn in range(4)]
    assert gathered == [2, 3, 4, 5], "the last decision of a turn is read again"
    assert gold_labels.collect_from_decisions() == 1
    GoldLabel.objects.all().delete()
    ReviewSettings.objects.update(gathered_until=None)
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.count() == 5, "without a limit it runs all turns"
