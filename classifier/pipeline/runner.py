"""Claims new tickets, runs them through the cascade and stores the verdicts."""

from collections.abc import Callable, Sequence

from classifier.embeddings import vector_store
from classifier.leases import leases
from classifier.log_context import log_fields
from classifier.models import ContractVersion, Gate, Ticket
from classifier.models.contract import EmptyTaxonomy
from classifier.pipeline import claims, gate, predict
from classifier.pipeline.cascade import Cascade
from classifier.pipeline.gate import ScoredOutcome


def classify_next_batch(*, on_more_waiting: Callable[[], None] = lambda: None) -> bool:
    """Classify one batch of waiting tickets. Returns whether more may be waiting.

    `on_more_waiting` is called before the work begins, so that another worker can take the next batch.
    """
    settings = Gate.current()
    if settings.pause_of(settings.active_primary()):
        return False
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
    if settings.pause_of(settings.active_primary()):
        claims.postpone(tickets, 0, attempted=False)
        return
    try:
        version = ContractVersion.objects.current()
    except EmptyTaxonomy:
        claims.postpone(tickets, leases.DURATION.total_seconds(), attempted=False)
        return
    _give_up([ticket for ticket in tickets if ticket.attempts > claims.MOST_ATTEMPTS], settings, version)
    Cascade(settings, version).run([ticket for ticket in tickets if ticket.attempts <= claims.MOST_ATTEMPTS])
    if settings.active_primary().is_embedded or (settings.front and settings.front.is_embedded):
        # The texts were encoded a moment ago; this only stores the vectors.
        vector_store.embeddings_for([ticket.text for ticket in tickets])


def _give_up(tickets: Sequence[Ticket], settings: Gate, version: ContractVersion) -> None:
    """Have people label tickets that no attempt has labelled. Asks no model about them again, not even for a score."""
    if tickets:
        failures = [predict.give_up(ticket, settings.active_primary(), version) for ticket in tickets]
        outcomes = [ScoredOutcome(*failure, score=None) for failure in failures]
        gate.record_verdicts(gate.current_epoch(settings, version), outcomes, {})
