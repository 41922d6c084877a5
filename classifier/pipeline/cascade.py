"""The cascade, for tickets that are stored and for texts that are not: let pass what the model in front is sure of, ask
the primary about the rest, let the gate decide, and ask a second model about what does not pass.
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
    """What becomes of answers and verdicts on their way: they are stored, or only handed on. Tickets have keys."""

    def label(
        self, tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
    ) -> Iterator[list[TicketOutcome]]:
        """What the model says of each ticket, in groups as they come."""

    def postpones(self, labelled: TicketOutcome) -> bool:
        """Whether the primary is asked about this ticket another time, so that there is no verdict now."""

    def score(self, labelled: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
        """The scores of predictions, by ticket."""

    def is_for_audit(self, epoch: Epoch, weighed: ScoredOutcome) -> bool:
        """Whether people look at it without being shown what models say, so that no other needs to be asked."""

    def conclude(self, epoch: Epoch, weighed: Sequence[ScoredOutcome], seconds: dict[int, PredictionOutcome]) -> None:
        """Reach verdicts; `seconds` are the second opinions by ticket, where there are any."""


class Cascade:
    """One pass of tickets from their texts to verdicts, under the gate and the contract of the moment."""

    def __init__(self, settings: Gate, version: ContractVersion, sink: Sink) -> None:
        self._settings, self._version, self._sink = settings, version, sink
        self._primary, self._front = settings.active_primary(), settings.active_front()
        self._epoch = gate.current_epoch(settings, version)
        self._front_outcomes: dict[int, PredictionOutcome] = {}
        self._answered_in_front: set[int] = set()

    def run(self, tickets: Sequence[Ticket]) -> None:
        """Bring these tickets to verdicts, but for those that the sink postpones."""
        unsure: list[ScoredOutcome] = []
        for group in chain(self._ask_front(tickets), self._ask_primary(tickets)):
            passing = [weighed for weighed in group if gate.may_auto_accept(self._epoch, weighed)]
            self._conclude(self._epoch, passing, {})
            unsure += [weighed for weighed in group if weighed not in passing]
        self._conclude(self._epoch, unsure, self._second_opinions(unsure))

    def _ask_front(self, tickets: Sequence[Ticket]) -> Iterator[list[ScoredOutcome]]:
        """What the model in front is sure of, where a score is to decide as it does of the primary's answers.

        By its stated confidence alone it passes at once, by a threshold of its own.
        """
        if self._front is None:
            return
        by_confidence, epoch = self._epoch.mode == GateMode.CONFIDENCE, self._epoch
        if by_confidence:
            epoch = gate.confidence_epoch(self._front, self._version, self._settings.front_threshold)
        for group in self._labelled_in_front(tickets, self._front):
            self._front_outcomes |= {ticket.pk: outcome for ticket, outcome in group}
            # What may have been dictated to it is left to the primary.
            sure = [one for one in self._weigh(epoch, filter(self._is_confident, group)) if not one.dictated]
            self._answered_in_front |= {one.ticket.pk for one in sure}
            if by_confidence:
                self._conclude(epoch, sure, {})
            else:
                yield sure

    def _labelled_in_front(self, tickets: Sequence[Ticket], front: LanguageModel) -> Iterator[list[TicketOutcome]]:
        try:
            yield from self._sink.label(tickets, front, self._version)
        except Exception:
            # The primary can answer, whatever is wrong with the model that would spare it the call.
            logger.exception("%s failed in front; the primary is asked.", front)

    def _is_confident(self, labelled: TicketOutcome) -> bool:
        outcome = labelled.outcome
        return isinstance(outcome, Prediction) and outcome.confidence >= self._settings.front_threshold

    def _ask_primary(self, tickets: Sequence[Ticket]) -> Iterator[list[ScoredOutcome]]:
        left = [ticket for ticket in tickets if ticket.pk not in self._answered_in_front]
        for group in self._sink.label(left, self._primary, self._version):
            yield self._weigh(self._epoch, (one for one in group if not self._sink.postpones(one)))

    def _second_opinions(self, unsure: Sequence[ScoredOutcome]) -> dict[int, PredictionOutcome]:
        """What a second model says of the tickets that the first labelled without being sure.

        Where there is none but the model in front, it is what that one has said already, if it was not the first. Of a
        ticket that is audited nobody is shown an opinion, so none is paid for.
        """
        answered = [one for one in unsure if isinstance(one.outcome, Prediction)]
        asked = [one for one in answered if not self._sink.is_for_audit(self._epoch, one)]
        second = self._settings.active_second_opinion()
        if second and second != self._front:
            groups = self._sink.label([one.ticket for one in asked], second, self._version)
            return {ticket.pk: outcome for group in groups for ticket, outcome in group}
        if self._front is None or not self._settings.is_of_another_family(self._front):
            return {}
        others = {one.ticket.pk for one in asked} - self._answered_in_front
        return {pk: outcome for pk, outcome in self._front_outcomes.items() if pk in others}

    def _weigh(self, epoch: Epoch, labelled: Iterable[TicketOutcome]) -> list[ScoredOutcome]:
        return gate.score_outcomes(epoch, list(labelled), self._version, scoring=self._sink.score)

    def _conclude(self, epoch: Epoch, weighed: Sequence[ScoredOutcome], seconds: dict[int, PredictionOutcome]) -> None:
        if weighed:
            self._sink.conclude(epoch, weighed, seconds)
