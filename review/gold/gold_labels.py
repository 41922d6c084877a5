"""Decisions become gold labels, and each gold label its side: held out to measure with, or to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction
from django.utils import timezone

from classifier.database.batches import chunked
from classifier.models import Ticket
from review.duplicates import minhash
from review.models import (
    Assignment,
    Band,
    Decision,
    Family,
    GoldLabel,
    ReviewSettings,
    Side,
)

State, Origin = GoldLabel.State, GoldLabel.Origin

CHUNK, BANDS = 200, 2_000
"""Tickets, and parts of signatures, that one statement looks up."""
TURN = 5_000
"""Decisions that are followed before it is put down how far that has come."""
OVERLAP = timedelta(minutes=2)
"""Looked at once more each time: a decision is visible only when its transaction has ended."""

_SAID = ["said_category_id", "said_sentiment_id", "said_confidence"]
_FOLLOWS = ["category_id", "sentiment_id", "origin", "corrected", "people", "share", "labelled_at", *_SAID]


def gather(most_turns: int | None = None) -> int:
    """Bring gold labels up to what has been decided since the last time. Returns how many tickets were looked at.

    It may run at any time, and twice at once: what it finds done already it leaves alone. Very many decisions take
    several turns; after `most_turns` the rest waits for the next time.
    """
    looked_at = 0
    for _turn in range(most_turns) if most_turns else count():
        review_settings, now = ReviewSettings.current(), timezone.now()
        decisions = _made_since(review_settings.gathered_until)
        for tickets in chunked(dict.fromkeys(ticket for ticket, _at in decisions), CHUNK):
            follow(tickets)
            looked_at += len(tickets)
        until = now if len(decisions) < TURN else min(decisions[-1][1] + OVERLAP, now)
        ReviewSettings.objects.filter(pk=review_settings.pk).update(gathered_until=until)
        if until == now:
            break
    return looked_at


def _made_since(then: datetime | None) -> list[tuple[int, datetime]]:
    """Ticket and time of a turn's decisions, oldest first."""
    decisions = Decision.objects.order_by("created_at", "pk")
    if then:
        decisions = decisions.filter(created_at__gte=then - OVERLAP)
    return list(decisions.values_list("ticket", "created_at")[:TURN])


@transaction.atomic
def follow(ticket_pks: Sequence[int]) -> None:
    """Make the gold labels of these tickets what people say of them now."""
    _lock()
    tickets = Ticket.objects.filter(pk__in=ticket_pks).select_related("category", "sentiment").order_by("pk")
    said = _said_of(ticket_pks)
    known = {one.ticket_id: one for one in GoldLabel.objects.filter(ticket__in=ticket_pks)}
    found = {ticket.pk: _found(ticket, said.get(ticket.pk, []), known.get(ticket.pk)) for ticket in tickets}
    withdrawn = [pk for pk, label in found.items() if label is None and pk in known]
    GoldLabel.objects.filter(ticket__in=withdrawn, state=State.ACTIVE).update(state=State.WITHDRAWN)
    for pk, label in found.items():
        if label and pk in known:
            _update(known[pk], label)
    _add([label for pk, label in found.items() if label and pk not in known])


@transaction.atomic
def place(labels: Sequence[GoldLabel], sides: Mapping[str, str] = {}) -> None:
    """Store new gold labels, each on the side of what it is like, or else on the one that its hash draws.

    `sides` may say by digest where a text that is like no other goes. A text alike to both sides goes to neither.
    """
    review_settings = _lock()
    neighbours = _Neighbours(labels)
    for label in labels:
        near = neighbours.of(label.digest)
        known = {family.side: family for family in near}
        if not known:
            drawn = (
                Side.BENCHMARK
                if review_settings.draw(label.digest, "side") < review_settings.benchmark_share
                else Side.TRAINING
            )
            label.family = Family.objects.create(side=sides.get(label.digest, drawn))
        elif len(known) == 1:
            label.family = min(near, key=lambda family: family.pk)
        neighbours.settle(label)
    GoldLabel.objects.bulk_create(labels)
    bands = [Band(gold=label, value=value) for label in labels for value in neighbours.bands[label.digest]]
    Band.objects.bulk_create(bands)


def leaks(texts: Iterable[str]) -> list[GoldLabel]:
    """Benchmark labels that are alike to one of these texts (the examples of a contract, say), which would give them
    away.
    """
    seen = [GoldLabel(text=text, digest=GoldLabel.digest_of(text)) for text in texts]
    near = _Neighbours(seen)
    digests = {digest for one in seen for digest in near.alike(one.digest)}
    return list(GoldLabel.objects.on_side(Side.BENCHMARK).filter(digest__in=digests))


def _lock() -> ReviewSettings:
    """Who places labels does so alone: of two alike texts that come at once the second must see the first."""
    return ReviewSettings.objects.select_for_update().get(pk=ReviewSettings.current().pk)


def _said_of(ticket_pks: Sequence[int]) -> dict[int, list[Decision]]:
    """By ticket, what people said of it that stands, oldest first."""
    said: dict[int, list[Decision]] = {}
    standing = Decision.objects.standing().labelled().filter(ticket__in=ticket_pks)
    for decision in standing.select_related("assignment", "prediction").order_by("pk"):
        said.setdefault(decision.ticket_id, []).append(decision)
    return said


def _found(ticket: Ticket, decisions: Sequence[Decision], known: GoldLabel | None) -> GoldLabel | None:
    """What the ticket's gold label, as it is known by now, should be, if people have settled on one."""
    label = (ticket.category_id, ticket.sentiment_id)
    agreeing = [one for one in decisions if (one.category_id, one.sentiment_id) == label]
    if ticket.state != Ticket.State.SETTLED or ticket.erased_at or not agreeing:
        return None
    last, said = agreeing[-1], agreeing[-1].prediction
    assert ticket.category and ticket.sentiment  # noqa: S101, PT018 - a settled ticket has both
    return GoldLabel(
        text=ticket.text,
        digest=GoldLabel.digest_of(ticket.text),
        category=ticket.category,
        sentiment=ticket.sentiment,
        origin=known.origin if known and _is_of_a_dispute(last) else _origin(decisions, agreeing),
        ticket=ticket,
        said_category_id=said.category_id if said else None,
        said_sentiment_id=said.sentiment_id if said else None,
        said_confidence=said.confidence if said else None,
        corrected=last.verdict == Decision.Verdict.CORRECTED,
        people=len({one.reviewer_id for one in agreeing}),
        share=last.assignment.share,
        language=ticket.language,
        source=ticket.source,
        labelled_at=last.created_at,
    )


def _is_of_a_dispute(decision: Decision) -> bool:
    """Whether it answers a doubt about a label: that says nothing of how its text had come to be labelled."""
    return decision.assignment.round > 1 and decision.purpose != Assignment.Purpose.REVIEW


def _origin(decisions: Sequence[Decision], agreeing: Sequence[Decision]) -> str:
    """Of a label on which some of these decisions agree. An audit stays one where a lead chose between two labels."""
    if not any(one.blind for one in agreeing):
        return Origin.DECISION
    return Origin.AUDIT if any(one.purpose == Assignment.Purpose.AUDIT for one in decisions) else Origin.BLIND


def _update(known: GoldLabel, label: GoldLabel) -> None:
    """The text stays as it was, and what an admin has retired stays so; what was open is settled by the new label."""
    changed = {name: getattr(label, name) for name in _FOLLOWS if getattr(known, name) != getattr(label, name)}
    relabelled = changed.keys() & {"category_id", "sentiment_id"}
    if known.state in (State.WITHDRAWN, State.DISPUTED) or (known.state == State.CONTRADICTED and relabelled):
        changed |= {"state": State.ACTIVE, "note": ""}
    if changed:
        GoldLabel.objects.filter(pk=known.pk).update(**changed)


def _add(labels: Sequence[GoldLabel]) -> None:
    """New ones, once for each text; where the same text has another label already, neither is believed."""
    fresh: dict[str, GoldLabel] = {}
    stored = {one.digest: one for one in GoldLabel.objects.filter(digest__in=[label.digest for label in labels])}
    for label in labels:
        twin = stored.get(label.digest) or fresh.setdefault(label.digest, label)
        if (twin.category_id, twin.sentiment_id) != (label.category_id, label.sentiment_id):
            _contradict(twin, label)
    place(list(fresh.values()))


def _contradict(twin: GoldLabel, label: GoldLabel) -> None:
    if twin.state == State.ACTIVE:
        twin.state, twin.note = State.CONTRADICTED, f"#{label.ticket_id}: {label.category} | {label.sentiment}"
        if twin.pk:
            twin.save(update_fields=["state", "note"])


class _Neighbours:
    """Gold labels whose texts are near-duplicates of some new ones: stored ones, and those placed before them."""

    def __init__(self, labels: Sequence[GoldLabel]) -> None:
        self._shingles = {label.digest: minhash.shingles(label.text) for label in labels}
        self.bands = {digest: minhash.bands(found, minhash.MOST_BANDS) for digest, found in self._shingles.items()}
        self._families: dict[str, Family | None] = {}
        self._by_band: dict[int, list[str]] = {}
        values = {value for bands in self.bands.values() for value in bands}
        for value, digest, text, family in self._stored(values):
            self._shingles.setdefault(digest, minhash.shingles(text))
            self._families[digest] = family
            self._by_band.setdefault(value, []).append(digest)

    def _stored(self, values: Iterable[int]) -> Iterator[tuple[int, str, str, Family | None]]:
        for part in chunked(values, BANDS):
            for band in Band.objects.filter(value__in=part).select_related("gold__family").order_by("pk"):
                yield band.value, band.gold.digest, band.gold.text, band.gold.family

    def alike(self, digest: str) -> set[str]:
        """The digests of stored and placed texts that are near-duplicates of this one."""
        near = {other for value in self.bands[digest] for other in self._by_band.get(value, [])}
        own = self._shingles[digest]
        return {other for other in near if minhash.similarity(own, self._shingles[other]) >= minhash.ALIKE}

    def of(self, digest: str) -> list[Family]:
        """Their families."""
        families: Iterable[Any] = (self._families[other] for other in self.alike(digest))
        return [family for family in families if family]

    def settle(self, label: GoldLabel) -> None:
        """From now on this one counts as well."""
        self._families[label.digest] = label.family
        for value in self.bands[label.digest]:
            self._by_band.setdefault(value, []).append(label.digest)
