"""The latest tickets with their vectors. Sealed tickets are excluded: listing them would reveal a model's answer."""

from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import F, Q

from classifier.embeddings import vector_store
from classifier.learning.vector_space import Embeddings
from classifier.models import Reason, Ticket, Verdict
from classifier.models.specialist import text_digest
from classifier.models.verdict import VerdictQuerySet
from review.specialist.clusters import READ_CHARACTERS

MOST = 3_000
WINDOW = 10_000
"""Latest tickets that are searched for uncertain ones."""
CHUNK = 200


class RecentTicket(NamedTuple):
    """A ticket with the beginning of its text and its current category's key, from people or else from a model."""

    pk: int
    text: str
    state: str
    category: int | None

    @property
    def is_open(self) -> bool:
        """Whether it can be classified again."""
        return self.state in (Ticket.State.AUTO_ACCEPTED, Ticket.State.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class RecentTickets:
    """Tickets, latest first, with their vectors; and how many others have no vector yet."""

    tickets: list[RecentTicket]
    embeddings: Embeddings
    unencoded: int


def latest_tickets() -> RecentTickets:
    """The latest classified tickets (at most eight queries)."""
    return _read(_verdicts())


def uncertain_tickets() -> RecentTickets:
    """Recent tickets below the threshold or outside the taxonomy, by a model's answer (at most eight queries)."""
    floor = Ticket.objects.order_by("-pk").values_list("pk", flat=True)[WINDOW - 1 : WINDOW].first() or 0
    uncertain = Q(reason=Reason.OUT_OF_TAXONOMY) | Q(prediction__confidence__lt=F("epoch__threshold"))
    return _read(_verdicts().filter(uncertain, ticket__pk__gte=floor))


def _verdicts() -> VerdictQuerySet:
    return Verdict.objects.current().filter(ticket__sealed=False).exclude(ticket__state=Ticket.State.NEW)


def _read(verdicts: VerdictQuerySet) -> RecentTickets:
    rows = verdicts.order_by("-ticket_id").values_list(
        "ticket_id", "ticket__text", "ticket__state", "ticket__category_id", "prediction__category_id"
    )[:MOST]
    tickets_by_digest: list[tuple[str, RecentTicket]] = []
    for pk, text, state, settled, predicted in rows.iterator(CHUNK):
        tickets_by_digest.append(
            (text_digest(text), RecentTicket(pk, text[:READ_CHARACTERS], state, settled or predicted))
        )
    known, embeddings = vector_store.stored_embeddings([digest for digest, _ticket in tickets_by_digest])
    tickets = [tickets_by_digest[row][1] for row in known]
    return RecentTickets(tickets, embeddings, len(tickets_by_digest) - len(tickets))
