"""Runs texts through the cascade without storing anything."""

from collections.abc import Callable, Iterator, Sequence

from classifier.models import (
    ContractVersion,
    Epoch,
    Gate,
    LanguageModel,
    Prediction,
    Score,
    Scorer,
    Sentiment,
    Ticket,
    Verdict,
)
from classifier.pipeline import answering, gate, predict, scoring
from classifier.pipeline.cascade import Cascade
from classifier.pipeline.gate import ScoredOutcome
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome


class PrimaryPaused(Exception):
    """The primary's provider answers nobody at the moment; the message says what is wrong."""


def classify_texts(
    texts: Sequence[str],
    settings: Gate,
    version: ContractVersion,
    *,
    is_abandoned: Callable[[], bool] = lambda: False,
) -> list[Verdict]:
    """One unsaved verdict per text, in order; none for unanswered ones once abandoned. Each model is asked about the
    whole sequence at once, so pass batches.

    The verdict says what the gate would decide now; nothing is audited. Raises PrimaryPaused.
    """
    if pause := settings.pause_of(settings.active_primary()):
        raise PrimaryPaused(pause.detail)
    # Negative keys: no stored ticket has one.
    tickets = [Ticket(pk=-place, text=text) for place, text in enumerate(texts, start=1)]
    cascade = UnstoredCascade(settings, version)
    cascade.run(tickets, is_abandoned=is_abandoned)
    verdicts = [cascade.verdicts[ticket.pk] for ticket in tickets if ticket.pk in cascade.verdicts]
    if fault := next((v.failure for v in verdicts if v.failure and v.failure.provider_fault), None):
        raise PrimaryPaused(fault.detail)
    return verdicts


class UnstoredCascade(Cascade):
    """Keeps verdicts in memory, by ticket."""

    def __init__(self, settings: Gate, version: ContractVersion) -> None:
        super().__init__(settings, version)
        self.verdicts: dict[int, Verdict] = {}
        self._sentiments = {pk: Sentiment(pk=pk, name=name) for name, pk in version.labels.sentiments.items()}

    def predict(
        self, tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
    ) -> Iterator[list[TicketOutcome]]:
        for group in predict.predict_unstored(tickets, language_model, version):
            for _ticket, outcome in group:
                if isinstance(outcome, Prediction):
                    outcome.sentiment = self._sentiments[outcome.sentiment_id]
            yield group

    def postpones(self, outcome: TicketOutcome) -> bool:
        return False

    def retries_later(self, ticket: Ticket) -> bool:
        return False

    def given_up(self, ticket: Ticket) -> TicketOutcome:
        return predict.give_up(ticket, self._primary, self._version)

    def answer(
        self, outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion
    ) -> Sequence[TicketOutcome]:
        answers = answering.unstored_answers(outcomes, scorer, version)
        for _ticket, outcome in answers:
            if isinstance(outcome, Prediction) and outcome.first:
                outcome.language_model = outcome.first.language_model
                outcome.sentiment = self._sentiments[outcome.sentiment_id]
        return answers

    def score(self, outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
        return scoring.unstored_scores(outcomes, scorer, version)

    def is_for_audit(self, epoch: Epoch, scored: ScoredOutcome) -> bool:
        return False

    def record_verdicts(
        self, epoch: Epoch, outcomes: Sequence[ScoredOutcome], second_opinions: dict[int, PredictionOutcome]
    ) -> None:
        for outcome in outcomes:
            ticket_pk = outcome.ticket.pk
            self.verdicts[ticket_pk] = gate.decide(epoch, outcome, second_opinions.get(ticket_pk))
