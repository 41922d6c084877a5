"""Holds bursts of alike tickets until people have reviewed one of them.

An outage sends many alike tickets that are right or wrong together. The first two of them pass the gate like any other
ticket. From the third on, one goes to a person, and the others wait until that person has found the answer right.
"""

from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, Q

from classifier.embeddings import vector_store
from classifier.models import Criterion, Epoch, Gate, GateMode, Reason, Ticket, Verdict
from classifier.models.arrival import Arrival
from classifier.models.specialist import text_digest
from classifier.pipeline.cluster import Cluster

WINDOW = 200
"""How many of the latest tickets a new one is compared with."""
CLOSE = 0.9
"""The cosine of the embeddings from which two tickets are alike."""
KEPT = 10 * WINDOW
"""How many of the latest arrivals are always kept."""
MOST_FORGOTTEN = 5_000
"""How many arrivals are deleted at a time."""


def is_on(epoch: Epoch) -> bool:
    """Whether incidents are guarded against (at most one query)."""
    return epoch.mode == GateMode.CERTIFIED or Gate.objects.filter(incident_guard=True).exists()


def encode(tickets: Sequence[Ticket]) -> None:
    """Store the embeddings of their texts. Before the transaction that saves their verdicts, since others wait for it.

    Raises CorruptEncoder.
    """
    vector_store.embeddings_for([ticket.text for ticket in tickets])


def clusters_for(epoch: Epoch, tickets: Sequence[Ticket]) -> dict[int, Cluster]:
    """What came before each of these tickets, in order, by ticket (at most five queries).

    In the transaction that saves their verdicts; their texts have been encoded.
    """
    if not tickets:
        return {}
    first_of = _first_of(tickets)
    repeated = {first for ticket, first in first_of.items() if ticket != first}
    clusters = _clusters(epoch, repeated, besides=first_of)
    before: dict[int, Cluster] = {}
    for ticket, first in first_of.items():
        before[ticket] = cluster = clusters.get(first, Cluster())
        clusters[first] = cluster._replace(tickets=cluster.tickets + 1, waiting=cluster.waiting + cluster.hold)
    return before


def _first_of(tickets: Sequence[Ticket]) -> dict[int, int]:
    """By ticket, the first of its cluster, which may be itself. Stores the arrivals."""
    pks = [ticket.pk for ticket in tickets]
    known = dict(Arrival.objects.filter(ticket__in=pks).values_list("ticket", "first"))
    fresh = [ticket for ticket in tickets if ticket.pk not in known]
    latest = list(Arrival.objects.order_by("-pk").values_list("first", "digest")[:WINDOW])[::-1]
    digests = [text_digest(ticket.text) for ticket in fresh]
    rows, embeddings = vector_store.stored_embeddings([*(digest for _first, digest in latest), *digests])
    firsts = [latest[row][0] for row in rows if row < len(latest)]
    for place, ticket in enumerate(fresh, start=len(firsts)):
        closeness = embeddings.closeness(place, range(max(place - WINDOW, 0), place))
        nearest = int(closeness.argmax()) if len(closeness) else 0
        alike = len(closeness) > 0 and closeness[nearest] >= CLOSE
        known[ticket.pk] = firsts[max(place - WINDOW, 0) + nearest] if alike else ticket.pk
        firsts.append(known[ticket.pk])
    Arrival.objects.bulk_create(
        Arrival(ticket=ticket, first_id=known[ticket.pk], digest=digest)
        for ticket, digest in zip(fresh, digests, strict=True)
    )
    return {pk: known[pk] for pk in pks}


def _clusters(epoch: Epoch, firsts: Iterable[int], besides: Iterable[int]) -> dict[int, Cluster]:
    """The clusters of these first tickets, without the tickets `besides`: one query, none without clusters."""
    clusters: dict[int, Cluster] = {}
    wanted = set(firsts)
    if not wanted:
        return clusters
    members = Verdict.objects.current().filter(ticket__arrival__first__in=wanted).exclude(ticket__in=list(besides))
    labels = ("ticket__category", "ticket__sentiment", "prediction__category", "prediction__sentiment")
    for first, state, *answer in members.values_list("ticket__arrival__first", "ticket__state", *labels):
        category, sentiment, predicted, predicted_sentiment = answer
        settled = state == Ticket.State.SETTLED
        is_right = category == predicted and (sentiment == predicted_sentiment or epoch.about == Criterion.CATEGORY)
        cluster = clusters.get(first, Cluster())
        clusters[first] = Cluster(
            tickets=cluster.tickets + 1,
            right=cluster.right + (settled and is_right),
            wrong=cluster.wrong + (settled and not is_right),
            waiting=cluster.waiting + (state == Ticket.State.NEEDS_REVIEW),
        )
    return clusters


def hold(verdict: Verdict, cluster: Cluster) -> None:
    """Send the ticket to people if its cluster is held. Changes a verdict that is not saved yet."""
    if verdict.auto_accepted and cluster.hold:
        verdict.auto_accepted, verdict.reason = False, Reason.INCIDENT


def forget_old_arrivals() -> None:
    """Delete arrivals whose cluster can hold or release no ticket any more: none of its tickets is among the latest or
    waits for a model or a person. So the table grows with the open work, not with the tickets (at most three queries).
    """
    oldest = Arrival.objects.order_by("-pk").values_list("pk", flat=True)[KEPT - 1 : KEPT].first()
    if oldest is None:
        return
    open_states = (Ticket.State.NEW, Ticket.State.NEEDS_REVIEW)
    needed = Arrival.objects.filter(Q(pk__gte=oldest) | Q(ticket__state__in=open_states), first=OuterRef("first"))
    forgotten = Arrival.objects.filter(~Exists(needed), pk__lt=oldest).order_by("pk").values_list("pk", flat=True)
    Arrival.objects.filter(pk__in=list(forgotten[:MOST_FORGOTTEN])).delete()


def released(epoch: Epoch, most: int) -> list[int]:
    """Held tickets whose cluster people have found right since: at most so many (two queries)."""
    held = Verdict.objects.current().filter(
        epoch=epoch, reason=Reason.INCIDENT, ticket__state=Ticket.State.NEEDS_REVIEW
    )
    first_of = dict(held.order_by("pk").values_list("ticket", "ticket__arrival__first")[:most])
    clusters = _clusters(epoch, first_of.values(), besides=[])
    return [ticket for ticket, first in first_of.items() if first in clusters and not clusters[first].hold]
