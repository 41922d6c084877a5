"""Decides whose labels a ticket gets where a score decides: those of the model that was asked, the specialist's, or
those that both together find most probable. The scorer says which, and is frozen with its epoch.

The model's own prediction stands where the labels are the same. Otherwise a combined prediction refers to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from django.db import transaction

from classifier.contract.answer import LONGEST_REASONING
from classifier.contract.types import Option
from classifier.embeddings import vector_store
from classifier.learning.vector_space import Embeddings
from classifier.models import ContractVersion, Prediction, Scorer, Ticket
from classifier.pipeline import predict, scoring
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring.answerer import Answerer, choose, spread
from classifier.scoring.signals import Floats as Shares

if TYPE_CHECKING:
    from classifier.inference.backends.specialist_predictor import LabelProbabilities


def stored_answers(
    outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion
) -> Sequence[TicketOutcome]:
    """The outcomes with the predictions that count under this scorer, each combined and stored once."""
    firsts = _combinable(outcomes, scorer)
    if not firsts:
        return outcomes
    stored = Prediction.objects.filter(scorer=scorer, first__in=[first.pk for _ticket, first in firsts])
    known = set(stored.values_list("first", flat=True))
    fresh = [(ticket, first) for ticket, first in firsts if first.pk not in known]
    if fresh:
        embeddings = vector_store.embeddings_for([ticket.text for ticket, _first in fresh])
        _store([combined for _ticket, combined in _combined(fresh, scorer, version, embeddings)], fresh, version)
    by_ticket = {prediction.ticket_id: prediction for prediction in stored.select_related("first")}
    return _replaced(outcomes, by_ticket)


def unstored_answers(
    outcomes: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion, embeddings: Embeddings | None = None
) -> Sequence[TicketOutcome]:
    """The same without storing anything. `embeddings` are those of the outcomes' texts, None to compute them."""
    firsts = _combinable(outcomes, scorer)
    if embeddings is not None:
        places = {ticket.pk: place for place, (ticket, _outcome) in enumerate(outcomes)}
        embeddings = embeddings.part(np.array([places[ticket.pk] for ticket, _first in firsts], np.int64))
    return _replaced(
        outcomes, {ticket.pk: combined for ticket, combined in _combined(firsts, scorer, version, embeddings)}
    )


Firsts = list[tuple[Ticket, Prediction]]


def _combinable(outcomes: Sequence[TicketOutcome], scorer: Scorer) -> Firsts:
    """The predictions that the specialist's labels can be weighed against: not its own."""
    if not scorer.combines:
        return []
    return [
        (ticket, prediction)
        for ticket, prediction in outcomes
        if isinstance(prediction, Prediction) and prediction.version_id is None
    ]


def _replaced(outcomes: Sequence[TicketOutcome], by_ticket: Mapping[int, Prediction]) -> list[TicketOutcome]:
    return [TicketOutcome(ticket, by_ticket.get(ticket.pk, outcome)) for ticket, outcome in outcomes]


def _combined(
    firsts: Firsts, scorer: Scorer, version: ContractVersion, embeddings: Embeddings | None
) -> Iterator[tuple[Ticket, Prediction]]:
    """The unsaved combined predictions, where labels differ from the first model's; none of a text in a language that
    the specialist does not read.
    """
    if not firsts:
        return
    predictor = scoring.specialist_predictor(scorer.specialist_version_id)
    read = predictor.predict([ticket.text for ticket, _first in firsts], version.terms, embeddings)
    category = _Axis(scorer.category_by, "category", version.terms.categories, version.labels.categories, read.category)
    sentiment = _Axis(
        scorer.sentiment_by, "sentiment", version.terms.sentiments, version.labels.sentiments, read.sentiment
    )
    for row, (ticket, first) in enumerate(firsts):
        choices = [axis.choice(first, row) for axis in (category, sentiment)]
        if not read.foreign[row] and None not in choices:
            combined = _prediction(first, scorer, [choice for choice in choices if choice])
            if not combined.same_label(first):
                yield ticket, combined


class _Choice(NamedTuple):
    """A label's key and probability, and what a person reads about it; nothing if it is the first model's."""

    key: int
    probability: float
    reason: str


class _Axis(NamedTuple):
    """One part of the answers: who gives the label, and the labels with the specialist's probabilities of them."""

    answerer: str
    name: str
    options: Sequence[Option]
    keys: Mapping[str, int]
    specialist: "LabelProbabilities"

    def choice(self, first: Prediction, row: int) -> _Choice | None:
        """The label for the ticket in this row; None if the first model's is not offered any more."""
        places = scoring.places(self.options, self.keys)
        own = places.get(getattr(first, f"{self.name}_id"))
        if own is None:
            return None
        specialist = self.specialist.combined[row].astype(np.float64)
        chosen = choose(Answerer(self.answerer), self._first_shares(first, own), specialist)
        name = self.options[chosen.place].name
        reason = f"The specialist: {name} ({specialist[chosen.place]:.0%}), not {self.options[own].name}."
        return _Choice(self.keys[name], chosen.probability, "" if chosen.place == own else reason)

    def _first_shares(self, first: Prediction, own: int) -> Shares:
        """The first model's probabilities of the labels, as far as it tells."""
        known = first.probabilities.get(self.name)
        if not known:
            return spread(own, first.confidence, len(self.options))
        return np.array([known.get(str(self.keys.get(option.name)), 0.0) for option in self.options])


def _prediction(first: Prediction, scorer: Scorer, choices: Sequence[_Choice]) -> Prediction:
    category, sentiment = choices
    reasons = [category.reason, sentiment.reason, f"The first model: {first.reasoning}"]
    return Prediction(
        ticket_id=first.ticket_id,
        language_model_id=first.language_model_id,
        contract_id=first.contract_id,
        version_id=scorer.specialist_version_id,
        category_id=category.key,
        sentiment_id=sentiment.key,
        confidence=category.probability * sentiment.probability,
        reasoning=" ".join(filter(None, reasons))[:LONGEST_REASONING],
        further_categories=[key for key in first.further_categories if key != category.key],
        attributes=first.attributes,
        unusable=first.unusable,
        shortened=first.shortened,
        first=first,
        scorer=scorer,
    )


@transaction.atomic(durable=True)
def _store(combined: Sequence[Prediction], firsts: Firsts, version: ContractVersion) -> None:
    """Save predictions of tickets whose text has not been erased meanwhile; a concurrent worker saves the same ones."""
    texts = {ticket.pk: ticket.text for ticket, _first in firsts}
    present = dict(Ticket.objects.select_for_update().filter(pk__in=texts).order_by("pk").values_list("pk", "text"))
    labels = predict.current_labels(version)
    categories = {pk: labels.categories.get(name) for name, pk in version.labels.categories.items()}
    sentiments = {pk: labels.sentiments.get(name) for name, pk in version.labels.sentiments.items()}
    kept = []
    for prediction in combined:
        category, sentiment = categories[prediction.category_id], sentiments[prediction.sentiment_id]
        if present.get(prediction.ticket_id) == texts[prediction.ticket_id] and category and sentiment:
            prediction.category_id, prediction.sentiment_id = category, sentiment
            kept.append(prediction)
    Prediction.objects.bulk_create(kept, ignore_conflicts=True)
