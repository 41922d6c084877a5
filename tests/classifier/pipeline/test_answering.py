"""Where a score decides, the scorer says whose labels count: the first model's, the specialist's, or both together."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from classifier.integrations.webhooks.payloads import ticket_payloads
from classifier.learning.weights import SpecialistWeights, dump
from classifier.models import (
    ContractVersion,
    Criterion,
    Gate,
    GateMode,
    LanguageModel,
    Prediction,
    Scorer,
    Ticket,
    Verdict,
)
from classifier.pipeline import answering, runner, unstored
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring.answerer import Answerer
from tests.factories import make_prediction, make_ticket, make_version
from tests.servers import OpenAIServer, answer

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

REFUND = "I was charged twice for my invoice, please refund the second payment."
GREEK = "Χρεώθηκα δύο φορές για τον λογαριασμό μου, παρακαλώ επιστρέψτε μου τη δεύτερη πληρωμή."
Answered = Callable[..., Verdict]


def scored_by(language_model: LanguageModel, category: Answerer, sentiment: Answerer = Answerer.FIRST) -> Scorer:
    """The model's live scorer, with a specialist that knows the labels by their descriptions."""
    weights = dump(SpecialistWeights.untrained())
    version = make_version(weights=weights, sha256=hashlib.sha256(weights).hexdigest(), live=True)
    scorer = Scorer.objects.live_for(language_model)
    Scorer.objects.filter(pk=scorer.pk).update(
        specialist_version=version, category_by=category.value, sentiment_by=sentiment.value
    )
    scorer.refresh_from_db()
    return scorer


@pytest.fixture
def answered(primary: Any) -> Answered:
    """The verdict on a text that the first model answers like this, while this answerer gives the category."""

    def classify(text: str, category: str, confidence: float, by: Answerer = Answerer.SPECIALIST) -> Verdict:
        with OpenAIServer([answer(category, "Negative", confidence=confidence)]) as server:
            scored_by(primary(server), by)
            Gate.objects.update(mode=GateMode.SCORE, score_threshold=0.5, about=Criterion.CATEGORY)
            ticket = make_ticket(text)
            runner.classify_next_batch()
        return Verdict.objects.select_related("prediction", "score", "epoch").get(ticket=ticket)

    return classify


def test_the_specialists_label_counts_where_it_answers(answered: Answered) -> None:
    verdict = answered(REFUND, "Account", 0.9)
    prediction = verdict.prediction
    assert prediction
    assert prediction.first
    assert (prediction.category.name, prediction.sentiment.name) == ("Billing", "Negative")
    assert prediction.first.category.name == "Account"
    assert prediction.confidence < 0.9, "the specialist's probability, times what the model stated"
    assert prediction.reasoning.startswith("The specialist: Billing (")
    assert prediction.first.reasoning in prediction.reasoning
    assert prediction.answered_by == f"{prediction.language_model} with the specialist"


def test_the_score_is_of_the_label_that_counts(answered: Answered) -> None:
    verdict = answered(REFUND, "Account", 0.9)
    assert verdict.score
    seen = verdict.score.load_signals()
    assert seen.confidence == 0.9, "what the first model stated of its own label"
    assert (seen.category.own, seen.category.agrees, seen.category.agreement) == (False, True, False)
    assert seen.sentiment.own


@pytest.mark.parametrize("by", [Answerer.SPECIALIST, Answerer.TOGETHER])
def test_the_models_own_prediction_stands_where_the_labels_are_the_same(answered: Answered, by: Answerer) -> None:
    verdict = answered(REFUND, "Billing", 0.7, by)
    assert Prediction.objects.get() == verdict.prediction
    assert verdict.score
    assert verdict.score.load_signals().category.agreement


@pytest.mark.parametrize(
    ("text", "confidence", "category"),
    [(REFUND, 0.05, "Billing"), ("Hello, can you please help me?", 0.999, "Account")],
)
def test_together_the_surer_model_prevails(answered: Answered, text: str, confidence: float, category: str) -> None:
    prediction = answered(text, "Account", confidence, Answerer.TOGETHER).prediction
    assert prediction
    assert prediction.category.name == category


def test_the_specialist_overrules_nothing_in_a_language_that_it_does_not_read(answered: Answered) -> None:
    prediction = answered(GREEK, "Account", 0.9).prediction
    assert prediction
    assert (prediction.category.name, prediction.first) == ("Account", None)


def test_pages_and_the_api_say_who_answered(answered: Answered, lead_client: Client) -> None:
    verdict = answered(REFUND, "Account", 0.9)
    assert verdict.prediction
    page = lead_client.get(verdict.ticket.get_absolute_url()).content.decode()
    assert f"<dt>Answered by</dt><dd>{verdict.prediction.answered_by}</dd>" in page
    assert "First model, category: different label." in page
    (payload,) = ticket_payloads([verdict.ticket_id])
    assert payload.model == f"{verdict.prediction.language_model} + specialist"
    card = lead_client.get("/models/").content.decode()
    assert f"The category comes from the specialist, the sentiment from {verdict.prediction.language_model}." in card


def test_an_answer_that_is_not_stored_is_the_same(answered: Answered, primary: Any) -> None:
    stored = answered(REFUND, "Account", 0.9).prediction
    with OpenAIServer([answer("Account", "Negative", confidence=0.9)]) as server:
        language_model = Prediction.objects.filter(first=None).get().language_model
        language_model.provider.base_url = server.base_url
        language_model.provider.save()
        (verdict,) = unstored.classify_texts([REFUND], Gate.current(), ContractVersion.objects.current())
    assert stored
    assert verdict.prediction
    names = ("category_id", "sentiment_id", "reasoning", "answered_by")
    assert [getattr(verdict.prediction, name) for name in names] == [getattr(stored, name) for name in names]
    assert verdict.prediction.confidence == pytest.approx(stored.confidence, abs=0.01)
    assert Prediction.objects.count() == 2


class TestStoring:
    @pytest.fixture
    def scorer(self, embedded_gate: Gate) -> Scorer:
        return scored_by(LanguageModel.objects.zero_shot(), Answerer.SPECIALIST)

    def outcomes(self, number: int, category: str = "Account") -> list[TicketOutcome]:
        version = ContractVersion.objects.current()
        key = version.labels.categories[category]
        tickets = [make_ticket(f"{REFUND} {place}") for place in range(number)]
        return [TicketOutcome(ticket, make_prediction(ticket, category_id=key)) for ticket in tickets]

    def test_a_combined_prediction_is_stored_once(self, scorer: Scorer) -> None:
        outcomes, version = self.outcomes(2), ContractVersion.objects.current()
        first = answering.stored_answers(outcomes, scorer, version)
        assert answering.stored_answers(outcomes, scorer, version) == first
        assert Prediction.objects.exclude(first=None).count() == 2

    def test_what_the_model_says_besides_the_labels_stays(self, scorer: Scorer) -> None:
        outcomes, version = self.outcomes(1), ContractVersion.objects.current()
        first = outcomes[0].outcome
        assert isinstance(first, Prediction)
        general, billing = (version.labels.categories[name] for name in ("General", "Billing"))
        first.further_categories, first.attributes = [general, billing], {"1": "high"}
        ((_ticket, combined),) = answering.stored_answers(outcomes, scorer, version)
        assert isinstance(combined, Prediction)
        assert (combined.further_categories, combined.attributes) == ([general], {"1": "high"})

    def test_each_scorer_has_its_own(self, scorer: Scorer) -> None:
        outcomes, version = self.outcomes(1), ContractVersion.objects.current()
        ((_ticket, first),) = answering.stored_answers(outcomes, scorer, version)
        scorer.pk, scorer.live = None, False
        scorer.save()
        ((_ticket, second),) = answering.stored_answers(outcomes, scorer, version)
        assert first != second

    def test_nothing_is_kept_of_a_text_that_was_erased_meanwhile(self, scorer: Scorer) -> None:
        outcomes = self.outcomes(2)
        Ticket.objects.filter(pk=outcomes[0].ticket.pk).update(text="[erased]")
        answers = answering.stored_answers(outcomes, scorer, ContractVersion.objects.current())
        assert [outcome.first is None for _ticket, outcome in answers if isinstance(outcome, Prediction)] == [
            True,
            False,
        ]

    def test_queries_do_not_grow_with_the_batch(
        self, scorer: Scorer, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        version = ContractVersion.objects.current()
        outcomes = self.outcomes(20)
        with django_assert_max_num_queries(14):
            assert len(answering.stored_answers(outcomes, scorer, version)) == 20
