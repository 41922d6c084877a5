"""Claims new tickets, runs them through the cascade and stores the verdicts."""

from collections.abc import Callable, Sequence

from classifier.embeddings import vector_store
from classifier.leases import leases
from classifier.log_context import log_fields
from classifier.models import ContractVersion, Gate, Ticket
from classifier.models.contract import EmptyTaxonomy
from classifier.pipeline import claims
from classifier.pipeline.cascade import Cascade


def classify_next_batch(*, on_more_waiting: Callable[[], None] = lambda: None) -> bool:
    """Classify one batch of waiting tickets. Returns whether more may be waiting.

    `on_more_waiting` is called before the work begins, so that another worker can take the next batch.
    """
    settings = Gate.current()
    if settings.pause_of(settings.active_primary()):
        return False
    size = settings.active_primary().hand_size
    interrupted = claims.claim_interrupted()
    tickets = interrupted or claims.claim(size)
    more = bool(interrupted) or len(tickets) == size
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
    cascade = Cascade(settings, version)
    for ticket in tickets:
        if ticket.attempts > claims.MOST_ATTEMPTS:
            cascade.give_up(ticket)
    cascade.run([ticket for ticket in tickets if ticket.attempts <= claims.MOST_ATTEMPTS])
    if settings.active_primary().is_embedded or (settings.front and settings.front.is_embedded):
        # The texts were encoded a moment ago; this only stores the vectors.
        vector_store.embeddings_for([ticket.text for ticket in tickets])
