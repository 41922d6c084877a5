"""Finds similar solved tickets to show beside the suggestion."""

from typing import NamedTuple

from django.db.models.functions import Substr

from classifier.embeddings import nearest_examples, vector_store
from classifier.models import Example, Ticket, Verdict
from classifier.models.specialist import text_digest
from classifier.text import excerpt

MOST = 3
EXCERPT = 200


class SimilarTicket(NamedTuple):
    """A labelled example; `url` is empty if it has no ticket."""

    excerpt: str
    category: str
    sentiment: str
    url: str


def similar_tickets(ticket: Ticket) -> list[SimilarTicket]:
    """The nearest examples: those a model named, else those by the text's stored embedding.

    Empty for a text without an embedding: nothing is encoded here. Leaves out the ticket itself and sealed tickets.
    """
    keys = _named_by_model(ticket) or _nearest_by_embedding(ticket)
    if not keys:
        return []
    examples_shown = Example.objects.exclude(ticket=ticket).exclude(ticket__sealed=True)
    examples_shown = examples_shown.annotate(beginning=Substr("text", 1, 4 * EXCERPT)).defer("text")
    examples = examples_shown.select_related("category", "sentiment").in_bulk(keys)
    return [_similar_ticket(examples[key]) for key in keys if key in examples][:MOST]


def _named_by_model(ticket: Ticket) -> list[int]:
    """The nearest examples stored with the prediction, else with the second opinion."""
    named = Verdict.objects.current().filter(ticket=ticket).values_list("prediction__near", "second_opinion__near")
    return next((near for row in named for near in row if near), [])


def _nearest_by_embedding(ticket: Ticket) -> list[int]:
    _rows, embeddings = vector_store.stored_embeddings([text_digest(ticket.text)])
    # One more than needed, because the ticket itself may be among them.
    nearest = nearest_examples.index().nearest(embeddings, MOST + 1) if len(embeddings) else []
    return [example.key for examples in nearest for example in examples]


def _similar_ticket(example: Example) -> SimilarTicket:
    return SimilarTicket(
        excerpt=excerpt(vars(example)["beginning"], EXCERPT),
        category=str(example.category or ""),
        sentiment=str(example.sentiment or ""),
        url=Ticket(pk=example.ticket_id).get_absolute_url() if example.ticket_id else "",
    )
