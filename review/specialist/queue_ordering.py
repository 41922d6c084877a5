"""Reorder the review queue: first the audits that a first certificate waits for, then the labels that would teach the
specialist most.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from django.db import transaction
from django.db.models import Case, Exists, FloatField, OuterRef, QuerySet, Value, When
from django.utils import timezone

from classifier.database.batches import chunked
from classifier.embeddings import nearest_examples, vector_store
from classifier.learning.heads import BoundHead, Head
from classifier.learning.vector_space import Embeddings, Floats, centred, common_encoder, shrunken_mean
from classifier.models import ContractVersion, SpecialistVersion, Ticket
from classifier.models.specialist import text_digest
from review.models import Assignment, Audit, Decision, Ledger, ReviewSettings
from review.specialist import training_data
from review.workflow import priority

MOST = 5_000
"""Most valuable open assignments that are reordered; the rest follow as these are answered."""
FIRST = 200
"""Leading places chosen to complement each other; the queue is reordered long before so many are answered."""
CHUNK = 200
MIN_INTERVAL = timedelta(minutes=1)
MIN_DECISIONS = 10
"""Decisions after which the queue is reordered."""


def is_due() -> bool:
    """Whether enough was decided since the last reordering, at least MIN_INTERVAL ago (two queries).

    The first reordering is due as soon as there is an open assignment.
    """
    review_settings, now = ReviewSettings.current(), timezone.now()
    if review_settings.ordered_at and now - review_settings.ordered_at < MIN_INTERVAL:
        return False
    if review_settings.ordered_at is None:
        return Assignment.objects.open().exists()
    decided = Decision.objects.filter(created_at__gt=review_settings.ordered_at).order_by("created_at")
    return decided[:MIN_DECISIONS].count() == MIN_DECISIONS


def reorder_queue() -> int:
    """Give open assignments new values. Returns how many. Blind ones stay evenly spread among the others."""
    review_settings, now = ReviewSettings.current(), timezone.now()
    if not ReviewSettings.objects.filter(pk=review_settings.pk, ordered_at=review_settings.ordered_at).update(
        ordered_at=now
    ):
        return 0
    waiting = Assignment.objects.free(now).in_lane(Assignment.Lane.AGENTS).order_by("-value", "pk")
    hidden = round(MOST * review_settings.share_of_blind)
    shown = list(waiting.filter(blind=False).values_list("pk", "ticket", "value")[: MOST - hidden])
    drawn_blind = waiting.filter(blind=True).exclude(purpose=Assignment.Purpose.AUDIT)
    blind = list(drawn_blind.values_list("pk", "ticket", "value")[:hidden])
    # Evidence counts in the order of the draws, so audits keep that order.
    audits = waiting.filter(purpose=Assignment.Purpose.AUDIT).order_by("pk")
    decisive = list(audits.filter(Exists(_decisive_audits())).values_list("pk", flat=True)[:MOST])
    if not shown and not decisive:
        return 0
    others = list(audits.exclude(pk__in=decisive).values_list("pk", flat=True)[:MOST])
    instructive = [shown[place][0] for place in _most_instructive_first([ticket for _pk, ticket, _value in shown])]
    # Blind assignments keep the places that were drawn for them.
    drawn = [pk for _draw, pk in sorted((-review_settings.draw(ticket, "place"), pk) for pk, ticket, _value in blind)]
    lowest = min((value for _pk, _ticket, value in shown), default=0.0)
    order = decisive + priority.interleave(priority.interleave(instructive, drawn), others)
    _store_values(order, lowest)
    return len(order)


def _decisive_audits() -> QuerySet[Audit]:
    """Audits at or above the strictest threshold of a ledger that has certified nothing yet: no other counts for the
    first certificate.
    """
    uncertified = Ledger.objects.filter(closed_at=None, certificates=None).values_list("epoch", "grid").first()
    epoch, strictest = (uncertified[0], uncertified[1][0]) if uncertified else (None, 0.0)
    return Audit.objects.pending().filter(ticket=OuterRef("ticket"), epoch=epoch, draw__value__gte=strictest)


def _most_instructive_first(ticket_pks: Sequence[int]) -> list[int]:
    """Indexes of the tickets, most instructive first; those without a vector come last."""
    texts = dict(Ticket.objects.filter(pk__in=ticket_pks).values_list("pk", "text"))
    digests = {pk: text_digest(text) for pk, text in texts.items()}
    known, embeddings = vector_store.stored_embeddings([digests.get(pk, "") for pk in ticket_pks])
    unknown = sorted(set(range(len(ticket_pks))) - set(known.tolist()))
    if not len(known):
        return unknown
    uncertainties = _uncertainties(embeddings, [texts[ticket_pks[place]] for place in known])
    centre = shrunken_mean(embeddings.common())
    places = centred(embeddings.common(), centre)
    closest = nearest_examples.index().closest(common_encoder(embeddings), places, centre)
    ordered = priority.most_informative_first(places, uncertainties, closest, FIRST)
    return [int(known[place]) for place in ordered] + unknown


def _uncertainties(embeddings: Embeddings, texts: Sequence[str]) -> Floats:
    """One minus the margin between the two most probable categories of the newest specialist version."""
    newest = SpecialistVersion.objects.newest()
    axis = newest.load_weights_or_untrained().category if newest else Head.untrained()
    offered = training_data.offered_labels(ContractVersion.objects.current().terms.categories)
    if len(offered) < 2:
        return np.ones(len(embeddings), np.float32)
    shares = np.sort(BoundHead(axis, offered).probabilities(embeddings, texts), axis=1)
    return np.asarray(1.0 - (shares[:, -1] - shares[:, -2]), np.float32)


def _store_values(assignment_pks: Sequence[int], lowest: float) -> None:
    """Store values that fall evenly from 1 to `lowest`, so that the rest of the queue stays below.

    Transactions are short, since people take assignments meanwhile; an assignment taken meanwhile keeps its value.
    """
    step = (1.0 - lowest) / len(assignment_pks)
    for part in chunked(enumerate(assignment_pks), CHUNK):
        values = Case(*(When(pk=pk, then=Value(1.0 - step * place)) for place, pk in part), output_field=FloatField())
        with transaction.atomic():
            free = Assignment.objects.open().filter(reviewer=None, pk__in=[pk for _place, pk in part])
            free.update(value=values)
