"""Claims new tickets, runs them through the cascade and stores the verdicts."""

import random
from collections.abc import Callable, Iterator, Sequence

from classifier.contract.types import FailureKind
from classifier.embeddings import vector_store
from classifier.leases import leases
from classifier.log_context import log_fields
from classifier.models import ContractVersion, Epoch, Failure, Gate, LanguageModel, Score, Scorer, Ticket
from classifier.models.contract import EmptyTaxonomy
from classifier.pipeline import claims, gate, predict, scoring
from classifier.pipeline.cascade import Cascade
from classifier.pipeline.gate import ScoredOutcome
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome

MOST_ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0


def classify_next_batch(*, on_more_waiting: Callable[[], None] = lambda: None) -> bool:
    """Classify one batch of waiting tickets. Returns whether more may be waiting.

    `on_more_waiting` is called before the work begins, so that another worker can take the next batch.
    """
    settings = Gate.current()
    size = settings.active_primary().hand_size
    tickets = claims.claim(size)
    more = len(tickets) == size
    if more:
        on_more_waiting()
    if tickets:
        with leases.renewing(tickets), log_fields(tickets=[ticket.pk for ticket in tickets]):
            classify_claimed(tickets, settings)
    return more


def classify_claimed(tickets: Sequence[Ticket], settings: Gate) -> None:
    """Classify claimed tickets, or postpone them where their model cannot answer now."""
    try:
        version = ContractVersion.objects.current()
    except EmptyTaxonomy:
        claims.postpone(tickets, leases.DURATION.total_seconds(), attempted=False)
        return
    _give_up([ticket for ticket in tickets if ticket.attempts > MOST_ATTEMPTS], settings, version)
    Cascade(settings, version, StoringSink()).run([ticket for ticket in tickets if ticket.attempts <= MOST_ATTEMPTS])
    if settings.active_primary().is_embedded or (settings.front and settings.front.is_embedded):
        # The texts were encoded a moment ago; this only stores the vectors.
        vector_store.embeddings_for([ticket.text for ticket in tickets])


def _give_up(tickets: Sequence[Ticket], settings: Gate, version: ContractVersion) -> None:
    if tickets:
        failed = predict.give_up(tickets, settings.active_primary(), version)
        epoch = gate.current_epoch(settings, version)
        gate.record_verdicts(epoch, gate.score_outcomes(epoch, failed, version), {})


class StoringSink:
    """Stores predictions, scores and verdicts, and postpones tickets whose model cannot answer now."""

    def predict(
        self, tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
    ) -> Iterator[list[TicketOutcome]]:
        return predict.predict(tickets, language_model, version)

    def postpones(self, outcome: TicketOutcome) -> bool:
        ticket, failure = outcome
        if not isinstance(failure, Failure) or failure.permanent:
            return False
        unpaid = failure.kind == FailureKind.BUDGET
        if not unpaid and ticket.attempts >= MOST_ATTEMPTS:
            return False
        pause = min(FIRST_PAUSE * 3 ** (ticket.attempts - 1), LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        claims.postpone([ticket], max(pause, failure.retry_after or 0), attempted=not unpaid)
        return True

    def score(self, outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
        return scoring.stored_scores(outcomes, scorer, version)

    def is_for_audit(self, epoch: Epoch, scored: ScoredOutcome) -> bool:
        return gate.is_for_audit(epoch, scored)

    def record_verdicts(
        self, epoch: Epoch, outcomes: Sequence[ScoredOutcome], second_opinions: dict[int, PredictionOutcome]
    ) -> None:
        gate.record_verdicts(epoch, outcomes, second_opinions)
