"""Solved tickets that lie nearest to one in hand, as evidence beside what a model suggests."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models.functions import Substr

from classifier.embeddings import nearest_examples, vector_store
from classifier.models import Example, Ticket, Verdict
from classifier.models.specialist import text_digest
from classifier.text import excerpt

MOST = 3
EXCERPT = 200


class SimilarTicket(NamedTuple):
    """A labelled example: how it begins, what people settled on, and where its ticket is, if it came with one."""

    excerpt: str
    category: str
    sentiment: str
    url: str


def similar_tickets(ticket: Ticket) -> list[SimilarTicket]:
    """The nearest examples, nearest first: those that a model named, else those by the text's stored vector.

    Nothing is encoded here: of a text without a vector nothing is known. Never the ticket itself, nor one of which
    nobody may say anything yet.
    """
    keys = _named(ticket) or _by_vector(ticket)
    if not keys:
        return []
    told = Example.objects.exclude(ticket=ticket).exclude(ticket__sealed=True)
    told = told.annotate(beginning=Substr("text", 1, 4 * EXCERPT)).defer("text")
    examples = told.select_related("category", "sentiment").in_bulk(keys)
    return [_shown(examples[key]) for key in keys if key in examples][:MOST]


def _named(ticket: Ticket) -> list[int]:
    """What the prediction that counts, or else the second opinion, was nearest to."""
    named = Verdict.objects.current().filter(ticket=ticket).values_list("prediction__near", "second_opinion__near")
    return next((near for row in named for near in row if near), [])


def _by_vector(ticket: Ticket) -> list[int]:
    found = vector_store.stored_embeddings([text_digest(ticket.text)])
    # One more than wanted, for the ticket itself may be among them.
    return [
        near.key for vector in found.values() for near in nearest_examples.index().nearest(vector[None], MOST + 1)[0]
    ]


def _shown(example: Example) -> SimilarTicket:
    return SimilarTicket(
        excerpt=excerpt(vars(example)["beginning"], EXCERPT),
        category=example.category.name,
        sentiment=example.sentiment.name,
        url=Ticket(pk=example.ticket_id).get_absolute_url() if example.ticket_id else "",
    )
