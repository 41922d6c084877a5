"""The cascade: the front model answers what it is confident of, the primary answers the rest, the gate decides, and a
second model gives its opinion on tickets that need review. Works for stored tickets and for unstored texts.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from classifier.models import ContractVersion, Epoch, Gate, GateMode, LanguageModel, Prediction, Score, Scorer, Ticket
from classifier.pipeline import gate
from classifier.pipeline.gate import ScoredOutcome
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where predictions, scores and verdicts go: the database or memory. Tickets have primary keys either way."""

    def predict(
        self, tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
    ) -> Iterator[list[TicketOutcome]]:
        """Ask the model about each ticket; yields groups as they are answered."""

    def postpones(self, outcome: TicketOutcome) -> bool:
        """Whether the ticket is tried again later instead of getting a verdict now."""

    def score(self, outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
        """The scores of predictions, by ticket."""

    def is_for_audit(self, epoch: Epoch, scored: ScoredOutcome) -> bool:
        """Whether people will review the ticket blind, which makes a second opinion pointless."""

    def record_verdicts(
        self, epoch: Epoch, outcomes: Sequence[ScoredOutcome], second_opinions: dict[int, PredictionOutcome]
    ) -> None:
        """Decide on these outcomes; `second_opinions` are by ticket."""


class Cascade:
    """Takes tickets from text to verdict, under the current gate and contract."""

    def __init__(self, settings: Gate, version: ContractVersion, sink: Sink) -> None:
        self._settings, self._version, self._sink = settings, version, sink
        self._primary, self._front = settings.active_primary(), settings.active_front()
        self._epoch = gate.current_epoch(settings, version)
        self._front_outcomes: dict[int, PredictionOutcome] = {}
        self._answered_in_front: set[int] = set()

    def run(self, tickets: Sequence[Ticket]) -> None:
        """Reach a verdict on each ticket, except those that the sink postpones."""
        unsure: list[ScoredOutcome] = []
        for group in chain(self._ask_front(tickets), self._ask_primary(tickets)):
            accepted = [outcome for outcome in group if gate.may_auto_accept(self._epoch, outcome)]
            self._record_verdicts(self._epoch, accepted, {})
            unsure += [outcome for outcome in group if outcome not in accepted]
        self._record_verdicts(self._epoch, unsure, self._second_opinions(unsure))

    def _ask_front(self, tickets: Sequence[Ticket]) -> Iterator[list[ScoredOutcome]]:
        """Yield the front model's confident answers, for the score to decide on as it does on the primary's.

        Where stated confidence decides, they are auto-accepted here by the front model's own threshold.
        """
        if self._front is None:
            return
        by_confidence, epoch = self._epoch.mode == GateMode.CONFIDENCE, self._epoch
        if by_confidence:
            epoch = gate.confidence_epoch(self._front, self._version, self._settings.front_threshold)
        for group in self._predict_in_front(tickets, self._front):
            self._front_outcomes |= {ticket.pk: outcome for ticket, outcome in group}
            # Suspected injections are left to the primary.
            scored = self._score(epoch, filter(self._is_confident, group))
            sure = [outcome for outcome in scored if not outcome.suspected_injection]
            self._answered_in_front |= {outcome.ticket.pk for outcome in sure}
            if by_confidence:
                self._record_verdicts(epoch, sure, {})
            else:
                yield sure

    def _predict_in_front(self, tickets: Sequence[Ticket], front: LanguageModel) -> Iterator[list[TicketOutcome]]:
        try:
            yield from self._sink.predict(tickets, front, self._version)
        except Exception:
            # The front model only saves calls: the primary can answer everything.
            logger.exception("The front model %s failed; asking the primary.", front)

    def _is_confident(self, ticket_outcome: TicketOutcome) -> bool:
        prediction = ticket_outcome.outcome
        return isinstance(prediction, Prediction) and prediction.confidence >= self._settings.front_threshold

    def _ask_primary(self, tickets: Sequence[Ticket]) -> Iterator[list[ScoredOutcome]]:
        remaining = [ticket for ticket in tickets if ticket.pk not in self._answered_in_front]
        for group in self._sink.predict(remaining, self._primary, self._version):
            yield self._score(self._epoch, (outcome for outcome in group if not self._sink.postpones(outcome)))

    def _second_opinions(self, unsure: Sequence[ScoredOutcome]) -> dict[int, PredictionOutcome]:
        """What a second model predicts for tickets whose first prediction was not accepted.

        Without another model it is the front model's earlier answer, unless that was the first prediction itself.
        Audited tickets are reviewed blind, so no opinion is paid for.
        """
        tickets = [
            scored.ticket
            for scored in unsure
            if isinstance(scored.outcome, Prediction) and not self._sink.is_for_audit(self._epoch, scored)
        ]
        second = self._settings.active_second_opinion()
        if second and second != self._front:
            groups = self._sink.predict(tickets, second, self._version)
            return {ticket.pk: outcome for group in groups for ticket, outcome in group}
        if self._front is None or not self._settings.is_of_another_family(self._front):
            return {}
        others = {ticket.pk for ticket in tickets} - self._answered_in_front
        return {pk: outcome for pk, outcome in self._front_outcomes.items() if pk in others}

    def _score(self, epoch: Epoch, outcomes: Iterable[TicketOutcome]) -> list[ScoredOutcome]:
        return gate.score_outcomes(epoch, list(outcomes), self._version, score=self._sink.score)

    def _record_verdicts(
        self, epoch: Epoch, outcomes: Sequence[ScoredOutcome], second_opinions: dict[int, PredictionOutcome]
    ) -> None:
        if outcomes:
            self._sink.record_verdicts(epoch, outcomes, second_opinions)
