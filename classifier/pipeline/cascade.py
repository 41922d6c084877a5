"""The cascade: the front model answers what it is confident of, the primary answers the rest, the gate decides, and a
second model gives its opinion on tickets that need review.
"""

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

from django.db import InterfaceError, OperationalError

from classifier.models import ContractVersion, Epoch, Gate, GateMode, LanguageModel, Prediction, Score, Scorer, Ticket
from classifier.pipeline import answering, claims, gate, predict, scoring
from classifier.pipeline.gate import ScoredOutcome
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome

logger = logging.getLogger(__name__)

DATABASE_FAULTS = (OperationalError, InterfaceError)
"""What no ticket is to blame for: the work is repeated once the database is back."""

Stage = Generator[list["Stage"], None, None]
"""One model's work on some tickets. It yields several times a second: the stages that follow from new answers, if any.
So no ticket waits for another's slow answer.
"""


class Cascade:
    """Takes stored tickets from text to verdict, under the current gate and contract."""

    def __init__(self, settings: Gate, version: ContractVersion) -> None:
        self._settings, self._version = settings, version
        self._primary = settings.active_primary()
        # The epoch is that of the configured models: a pause of the front model ends no certificate.
        self._front, self._second = (
            None if settings.pause_of(language_model) else language_model
            for language_model in (settings.active_front(), settings.active_second_opinion())
        )
        self._epoch = gate.current_epoch(settings, version)
        self._second_has_to_agree = (
            settings.agreement
            and settings.mode == GateMode.CONFIDENCE
            and not self._primary.is_embedded
            and self._second not in (None, self._front)
        )
        self._front_outcomes: dict[int, PredictionOutcome] = {}
        self._done: set[int] = set()

    def run(self, tickets: Sequence[Ticket], *, is_abandoned: Callable[[], bool] = lambda: False) -> None:
        """Reach a verdict on each ticket, except those that are postponed. Once abandoned, requests are cancelled.

        If anything fails, each ticket left is tried alone, so that one takes no other along.
        """
        try:
            self._run_stages(tickets, is_abandoned)
        except DATABASE_FAULTS:
            raise
        except Exception:
            left = [ticket for ticket in tickets if ticket.pk not in self._done]
            if len(tickets) > 1:
                logger.exception("A batch failed; %s of its tickets are tried one by one.", len(left))
                for ticket in left:
                    self.run([ticket], is_abandoned=is_abandoned)
            elif left:
                logger.exception("Ticket %s could not be classified.", left[0].pk)
                self._fail(left[0])

    def give_up(self, ticket: Ticket) -> None:
        """Have people label a ticket that no attempt has labelled. No model is asked about it again, not even to score
        an earlier answer.
        """
        self._record(self._epoch, [ScoredOutcome(*self.given_up(ticket), score=None)])

    def _fail(self, ticket: Ticket) -> None:
        if not self.retries_later(ticket):
            self.give_up(ticket)

    def _run_stages(self, tickets: Sequence[Ticket], is_abandoned: Callable[[], bool]) -> None:
        first = self._ask_primary(tickets) if self._front is None else self._ask_front(tickets, self._front)
        stages = deque([first])
        try:
            while stages and not is_abandoned():
                stage = stages.popleft()
                following = next(stage, None)
                if following is not None:
                    stages += [stage, *following]
        finally:
            for stage in stages:
                stage.close()

    def predict(
        self, tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
    ) -> Iterator[list[TicketOutcome]]:
        """Ask the model about each ticket; yields groups as they are answered, empty ones meanwhile."""
        return predict.predict(tickets, language_model, version)

    def postpones(self, outcome: TicketOutcome) -> bool:
        """Whether the ticket is tried again later instead of getting a verdict now."""
        return claims.postpones(outcome)

    def retries_later(self, ticket: Ticket) -> bool:
        """Postpone a ticket whose attempt failed, unless it was the last. Returns whether it was postponed."""
        return claims.retries_later(ticket)

    def given_up(self, ticket: Ticket) -> TicketOutcome:
        """The failure of a ticket that no attempt has labelled."""
        failure = predict.give_up(ticket, self._primary, self._version)
        failure.outcome.save()
        return failure

    def answer(
        self, outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion
    ) -> Sequence[TicketOutcome]:
        """The outcomes with the predictions that count under this scorer."""
        return answering.stored_answers(outcomes, scorer, version)

    def score(self, outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
        """The scores of predictions, by ticket."""
        return scoring.stored_scores(outcomes, scorer, version)

    def is_for_audit(self, epoch: Epoch, scored: ScoredOutcome) -> bool:
        """Whether people will review the ticket blind, which makes a second opinion pointless."""
        return gate.is_for_audit(epoch, scored)

    def record_verdicts(
        self, epoch: Epoch, outcomes: Sequence[ScoredOutcome], second_opinions: dict[int, PredictionOutcome]
    ) -> None:
        """Decide on these outcomes; `second_opinions` are by ticket."""
        gate.record_verdicts(epoch, outcomes, second_opinions)

    def _ask_front(self, tickets: Sequence[Ticket], front: LanguageModel) -> Stage:
        return self._ask_optional(
            tickets,
            front,
            on_answers=lambda group: self._take_confident(group, front),
            on_unanswered=lambda rest: [self._ask_primary(rest)],
        )

    def _take_confident(self, group: list[TicketOutcome], front: LanguageModel) -> list[Stage]:
        """Let the score decide on the front model's confident answers as it does on the primary's, or, where stated
        confidence decides, the front model's own threshold. The primary is asked about the others.
        """
        self._front_outcomes |= {ticket.pk: outcome for ticket, outcome in group}
        confident = [outcome for outcome in group if self._is_confident(outcome.outcome)]
        by_confidence, epoch = self._epoch.mode == GateMode.CONFIDENCE, self._epoch
        if by_confidence:
            epoch = gate.confidence_epoch(front, self._version, self._settings.front_threshold)
        # Suspected injections are left to the primary.
        sure = [scored for scored in self._score(epoch, confident) if not scored.suspected_injection]
        following = []
        if by_confidence:
            self._record(epoch, sure)
        else:
            following = self._decide(sure)
        taken = {scored.ticket.pk for scored in sure}
        rest = [ticket for ticket, _outcome in group if ticket.pk not in taken]
        return [*following, self._ask_primary(rest)] if rest else following

    def _is_confident(self, outcome: PredictionOutcome) -> bool:
        return isinstance(outcome, Prediction) and outcome.confidence >= self._settings.front_threshold

    def _ask_primary(self, tickets: Sequence[Ticket]) -> Stage:
        for group in self.predict(tickets, self._primary, self._version):
            answered = [outcome for outcome in group if not self.postpones(outcome)]
            self._done |= {ticket.pk for ticket, _outcome in group} - {ticket.pk for ticket, _outcome in answered}
            yield self._decide(self._score(self._epoch, answered, second_agrees=self._second_has_to_agree))

    def _decide(self, outcomes: Sequence[ScoredOutcome]) -> list[Stage]:
        """Record verdicts, except where another model's opinion is asked first."""
        unsure = {scored.ticket.pk: scored for scored in outcomes if self._needs_opinion(scored)}
        second = self._second if self._second != self._front else None
        if second is None:
            self._record(self._epoch, outcomes, self._front_opinions(unsure))
            return []
        self._record(self._epoch, [scored for scored in outcomes if scored.ticket.pk not in unsure])
        return [self._ask_second(unsure, second)] if unsure else []

    def _needs_opinion(self, scored: ScoredOutcome) -> bool:
        """Whether a second model has to agree, or people will see what it says. Audits are reviewed blind."""
        return (
            isinstance(scored.outcome, Prediction)
            and (scored.needs_agreement or not gate.may_auto_accept(self._epoch, scored))
            and not self.is_for_audit(self._epoch, scored)
        )

    def _front_opinions(self, unsure: dict[int, ScoredOutcome]) -> dict[int, PredictionOutcome]:
        """The front model's earlier answers to tickets that the primary is unsure of, if it is of another family."""
        if self._front is None or not self._settings.is_of_another_family(self._front):
            return {}
        return {
            pk: self._front_outcomes[pk]
            for pk, scored in unsure.items()
            if pk in self._front_outcomes and scored.outcome.language_model_id != self._front.pk
        }

    def _ask_second(self, unsure: dict[int, ScoredOutcome], second: LanguageModel) -> Stage:
        def record(opinions: list[TicketOutcome]) -> list[Stage]:
            scored = [unsure[ticket.pk] for ticket, _opinion in opinions]
            self._record(self._epoch, scored, {ticket.pk: opinion for ticket, opinion in opinions})
            return []

        def record_without(tickets: list[Ticket]) -> list[Stage]:
            self._record(self._epoch, [unsure[ticket.pk] for ticket in tickets])
            return []

        tickets = [scored.ticket for scored in unsure.values()]
        return self._ask_optional(tickets, second, on_answers=record, on_unanswered=record_without)

    def _ask_optional(
        self,
        tickets: Sequence[Ticket],
        language_model: LanguageModel,
        *,
        on_answers: Callable[[list[TicketOutcome]], list[Stage]],
        on_unanswered: Callable[[list[Ticket]], list[Stage]],
    ) -> Stage:
        """Ask a model that tickets can do without, so that its faults hold nothing up."""
        left = {ticket.pk: ticket for ticket in tickets}
        try:
            for group in self.predict(tickets, language_model, self._version):
                yield on_answers(group)
                for ticket, _outcome in group:
                    del left[ticket.pk]
        except Exception:
            logger.exception("The model %s failed; going on without its answers.", language_model)
        if left:
            yield on_unanswered(list(left.values()))

    def _score(
        self, epoch: Epoch, outcomes: Sequence[TicketOutcome], *, second_agrees: bool = False
    ) -> list[ScoredOutcome]:
        if not outcomes:
            return []
        return gate.score_outcomes(
            epoch, outcomes, self._version, answer=self.answer, score=self.score, second_agrees=second_agrees
        )

    def _record(
        self,
        epoch: Epoch,
        outcomes: Sequence[ScoredOutcome],
        second_opinions: dict[int, PredictionOutcome] | None = None,
    ) -> None:
        if outcomes:
            self.record_verdicts(epoch, outcomes, second_opinions or {})
            self._done |= {outcome.ticket.pk for outcome in outcomes}
