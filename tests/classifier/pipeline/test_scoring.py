"""In score mode, tickets are auto-accepted if their answers are probably right."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from classifier.models import (
    AuditDraw,
    ContractVersion,
    Criterion,
    Epoch,
    Gate,
    GateMode,
    LanguageModel,
    Prediction,
    Score,
    Scorer,
    Verdict,
)
from classifier.pipeline import gate, runner, scoring, unstored
from classifier.pipeline.predict import TicketOutcome
from tests.factories import make_language_model, make_prediction, make_ticket
from tests.servers import OpenAIServer, Request, answer

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Use = Callable[..., LanguageModel]

REFUND = "I was charged twice for my invoice, please refund the second payment."


@pytest.fixture
def by_score(primary: Use) -> Callable[..., LanguageModel]:
    """A remote primary behind a local server, and a fixed threshold on the score."""

    def use(server: OpenAIServer, threshold: float = 0.5, **values: Any) -> LanguageModel:
        language_model = primary(server)
        Gate.objects.update(mode=GateMode.SCORE, score_threshold=threshold, **values)
        return language_model

    return use


def test_a_ticket_is_auto_accepted_by_its_score_whatever_the_stated_confidence(by_score: Use) -> None:
    ticket = make_ticket(REFUND)
    with OpenAIServer([answer("Billing", "Negative", confidence=0.6)]) as server:
        by_score(server, about=Criterion.CATEGORY)
        runner.classify_next_batch()
    verdict = Verdict.objects.get(ticket=ticket)
    assert verdict.score
    assert verdict.auto_accepted == (verdict.score.category >= 0.5)
    assert verdict.auto_accepted
    assert "Estimated probability" in verdict.explanation


def test_a_score_below_the_threshold_needs_review_however_sure_the_model(by_score: Use) -> None:
    ticket = make_ticket(REFUND)
    with OpenAIServer([answer("Billing", "Negative", confidence=1.0)]) as server:
        by_score(server, threshold=1.0)
        runner.classify_next_batch()
    verdict = Verdict.objects.get(ticket=ticket)
    assert not verdict.auto_accepted
    assert "Auto-accept starts at 100.0%." in verdict.explanation


def test_a_disagreeing_specialist_sends_even_sure_answers_to_review(by_score: Use) -> None:
    fine, odd = make_ticket(REFUND), make_ticket(REFUND + " Thank you!")

    def reply(request: Request) -> Any:
        return answer("Account" if "Thank you" in request.ticket else "Billing", "Negative", confidence=0.99)

    with OpenAIServer(reply) as server:
        by_score(server, about=Criterion.CATEGORY)
        runner.classify_next_batch()
    first, second = (Verdict.objects.get(ticket=ticket).score for ticket in (fine, odd))
    assert first
    assert second
    assert first.category > second.category
    assert first.load_signals().category.agrees
    assert not second.load_signals().category.agrees


def test_a_score_is_stored_once_for_an_answer(embedded_gate: Gate) -> None:
    Gate.objects.update(mode=GateMode.SCORE)
    version = ContractVersion.objects.current()
    prediction = make_prediction(make_ticket())
    scorer = Scorer.objects.live_for(prediction.language_model)
    first = scoring.stored_scores([TicketOutcome(prediction.ticket, prediction)], scorer, version)
    again = scoring.stored_scores([TicketOutcome(prediction.ticket, prediction)], scorer, version)
    assert first == again
    assert Score.objects.count() == 1


def test_agreement_within_a_model_family_is_no_evidence(embedded_gate: Gate) -> None:
    make_ticket(REFUND)
    Gate.objects.update(mode=GateMode.SCORE)
    runner.classify_next_batch()
    seen = Score.objects.get().load_signals()
    assert seen.category.agrees is None
    assert seen.category.probability is None
    assert seen.category.margin is not None


def test_unstored_answers_are_scored_like_stored_answers(embedded_gate: Gate) -> None:
    Gate.objects.update(mode=GateMode.SCORE, score_threshold=0.5, about=Criterion.CATEGORY)
    ticket = make_ticket(REFUND)
    runner.classify_next_batch()
    verdict = Verdict.objects.get(ticket=ticket)
    (unstored_verdict,) = unstored.classify_texts([REFUND], Gate.current(), ContractVersion.objects.current())
    assert unstored_verdict.auto_accepted == verdict.auto_accepted
    Gate.objects.update(score_threshold=1.0)
    (unstored_verdict,) = unstored.classify_texts([REFUND], Gate.current(), ContractVersion.objects.current())
    assert not unstored_verdict.auto_accepted


def test_unstored_texts_are_auto_accepted_only_by_a_certificate(embedded_gate: Gate) -> None:
    Gate.objects.update(mode=GateMode.CERTIFIED)
    (verdict,) = unstored.classify_texts([REFUND], Gate.current(), ContractVersion.objects.current())
    assert not verdict.auto_accepted
    Epoch.objects.update(certified_threshold=0.0)
    (verdict,) = unstored.classify_texts([REFUND], Gate.current(), ContractVersion.objects.current())
    assert verdict.auto_accepted


def test_the_cascades_answer_is_scored_whichever_model_gave_it(by_score: Use) -> None:
    make_ticket("short")
    make_ticket("one that is longer")

    def in_front(request: Request) -> Any:
        return answer("Billing", confidence=0.99 if len(request.ticket) < 10 else 0.5)

    with OpenAIServer(in_front) as quick, OpenAIServer([answer("Technical", confidence=0.9)]) as slow:
        language_model = by_score(slow)
        front = make_language_model(quick, name="quick", family="front")
        Gate.objects.update(front=front, front_threshold=0.95)
        runner.classify_next_batch()
    first, second = Verdict.objects.order_by("ticket_id").select_related("prediction", "score", "epoch")
    assert first.epoch == second.epoch
    assert (first.epoch.language_model, first.epoch.front) == (language_model, front)
    assert [verdict.prediction and verdict.prediction.language_model for verdict in (first, second)] == [
        front,
        language_model,
    ]
    assert [verdict.score and verdict.score.load_signals().in_front for verdict in (first, second)] == [True, False]


def test_blind_audits_pay_for_no_second_opinion(by_score: Use) -> None:
    make_ticket(REFUND)
    with OpenAIServer([answer("Billing", "Negative", confidence=0.9)]) as server, OpenAIServer() as other:
        by_score(server)
        Gate.objects.update(
            mode=GateMode.CERTIFIED, second_opinion=make_language_model(other, name="second", family="another family")
        )
        epoch = gate.current_epoch(Gate.current(), ContractVersion.objects.current())
        Epoch.objects.filter(pk=epoch.pk).update(audits_from=0.0)
        runner.classify_next_batch()
    assert AuditDraw.objects.get().audited
    assert other.requests == []


def test_scoring_a_batch_takes_as_many_queries_as_scoring_one(
    embedded_gate: Gate, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    version = ContractVersion.objects.current()
    predictions = [make_prediction(make_ticket(f"{REFUND} {number}")) for number in range(20)]
    scorer = Scorer.objects.live_for(predictions[0].language_model)
    with django_assert_max_num_queries(6):
        scoring.stored_scores(
            [TicketOutcome(prediction.ticket, prediction) for prediction in predictions], scorer, version
        )
    assert Score.objects.count() == 20


def test_each_change_of_the_decision_rule_starts_an_epoch(embedded_gate: Gate) -> None:
    version = ContractVersion.objects.current()
    seen = set()
    for values in (
        {"mode": GateMode.CONFIDENCE},
        {"threshold": 0.9},
        {"mode": GateMode.SCORE},
        {"score_threshold": 0.9},
        {"about": Criterion.CATEGORY},
        {"mode": GateMode.CERTIFIED},
    ):
        Gate.objects.update(**values)
        epoch = gate.current_epoch(Gate.current(), version)
        assert epoch == gate.current_epoch(Gate.current(), version)
        seen.add(epoch.pk)
    assert len(seen) == 6


def test_signals_of_a_stored_score_survive_a_round_trip(embedded_gate: Gate) -> None:
    make_ticket(REFUND)
    Gate.objects.update(mode=GateMode.SCORE)
    runner.classify_next_batch()
    score = Score.objects.get()
    again = score.scorer.load_weights().probabilities(score.load_signals(), Prediction.objects.get().category_id)
    assert again.both == pytest.approx(score.both)
