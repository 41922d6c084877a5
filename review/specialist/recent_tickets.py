"""The latest tickets with their vectors. Sealed tickets are excluded: listing them would reveal a model's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.db.models import F, Q

from classifier.embeddings import vector_store
from classifier.learning.vector_space import WIDTH, Floats
from classifier.models import Reason, Ticket, Verdict
from classifier.models.specialist import text_digest
from classifier.models.verdict import VerdictQuerySet
from review.specialist.clusters import READ_CHARACTERS

MOST = 3_000
WINDOW = 10_000
"""So many of the latest tickets are looked through for those that models were unsure of."""
CHUNK = 200


class RecentTicket(NamedTuple):
    """A ticket: how its text begins, and the key of the category that it has now, by people or else by a model."""

    pk: int
    text: str
    state: str
    category: int | None

    @property
    def is_open(self) -> bool:
        """Whether models may be asked about it anew."""
        return self.state in (Ticket.State.AUTO_ACCEPTED, Ticket.State.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class RecentTickets:
    """Tickets, latest first, with their vectors as the encoder gave them; and how many wait for theirs."""

    tickets: list[RecentTicket]
    vectors: Floats
    unencoded: int


def latest_tickets() -> RecentTickets:
    """The latest that were classified (at most eight queries)."""
    return _read(_verdicts())


def uncertain_tickets() -> RecentTickets:
    """Those of the latest that a model had too little confidence in, or no label for (at most eight queries)."""
    floor = Ticket.objects.order_by("-pk").values_list("pk", flat=True)[WINDOW - 1 : WINDOW].first() or 0
    doubted = Q(reason=Reason.OUT_OF_TAXONOMY) | Q(prediction__confidence__lt=F("epoch__threshold"))
    return _read(_verdicts().filter(doubted, ticket__pk__gte=floor))


def _verdicts() -> VerdictQuerySet:
    return Verdict.objects.current().filter(ticket__sealed=False).exclude(ticket__state=Ticket.State.NEW)


def _read(verdicts: VerdictQuerySet) -> RecentTickets:
    rows = verdicts.order_by("-ticket_id").values_list(
        "ticket_id", "ticket__text", "ticket__state", "ticket__category_id", "prediction__category_id"
    )[:MOST]
    seen: list[tuple[str, RecentTicket]] = []
    for pk, text, state, settled, said in rows.iterator(CHUNK):
        seen.append((text_digest(text), RecentTicket(pk, text[:READ_CHARACTERS], state, settled or said)))
    known = vector_store.stored_embeddings([digest for digest, _one in seen])
    tickets = [one for digest, one in seen if digest in known]
    found = [known[digest] for digest, _one in seen if digest in known]
    stacked = np.array(found, np.float32).reshape(len(found), WIDTH)
    return RecentTickets(tickets, stacked, len(seen) - len(tickets))
