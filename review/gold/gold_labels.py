"""Turns decisions into gold labels and assigns each a side: benchmark or training."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count

from django.db import transaction
from django.utils import timezone

from classifier.database.batches import chunked
from classifier.models import Ticket
from review.duplicates import minhash
from review.duplicates.groups import GOLD_LABELS, MOST_OF_A_GROUP, DuplicateIndex
from review.models import Assignment, Band, Decision, DuplicateGroup, GoldLabel, ReviewSettings, Side

State, Origin = GoldLabel.State, GoldLabel.Origin

CHUNK = 50
"""Tickets or labels per transaction."""
TURN = 5_000
"""Decisions processed before progress is saved."""
OVERLAP = timedelta(minutes=2)
"""Read again each time, because a decision becomes visible only when its transaction ends."""

_PREDICTED_FIELDS = ["predicted_category_id", "predicted_sentiment_id", "predicted_confidence"]
_UPDATED_FIELDS = [
    "category_id",
    "sentiment_id",
    "attributes",
    "origin",
    "corrected",
    "people",
    "share",
    "further_categories",
    "labelled_at",
    *_PREDICTED_FIELDS,
]


def collect_from_decisions(most_turns: int | None = None) -> int:
    """Update gold labels from the decisions since the last call. Returns the number of tickets read.

    Idempotent and safe to run concurrently. Stops after `most_turns` turns of TURN decisions; the rest waits.
    """
    looked_at = 0
    for _turn in range(most_turns) if most_turns else count():
        review_settings, now = ReviewSettings.current(), timezone.now()
        decisions = _made_since(review_settings.gathered_until)
        for tickets in chunked(dict.fromkeys(ticket for ticket, _at in decisions), CHUNK):
            sync_tickets(tickets)
            looked_at += len(tickets)
        until = now if len(decisions) < TURN else min(decisions[-1][1] + OVERLAP, now)
        ReviewSettings.objects.filter(pk=review_settings.pk).update(gathered_until=until)
        if until == now:
            break
    return looked_at


def _made_since(since: datetime | None) -> list[tuple[int, datetime]]:
    """(ticket, time) of the decisions of one turn, oldest first."""
    decisions = Decision.objects.order_by("created_at", "pk")
    if since:
        decisions = decisions.filter(created_at__gte=since - OVERLAP)
    return list(decisions.values_list("ticket", "created_at")[:TURN])


def sync_tickets(ticket_pks: Sequence[int]) -> None:
    """Update the gold labels of these tickets from their decisions."""
    if taken := add_gold_labels(_update_known(ticket_pks)):
        sync_tickets([label.ticket_id for label in taken if label.ticket_id])


@transaction.atomic
def _update_known(ticket_pks: Sequence[int]) -> list[GoldLabel]:
    """Update the tickets' stored gold labels. Returns the new ones, not stored yet."""
    _lock()
    tickets = Ticket.objects.filter(pk__in=ticket_pks).select_related("category", "sentiment").order_by("pk")
    decisions = _labels_by_ticket(ticket_pks)
    known = {label.ticket_id: label for label in GoldLabel.objects.filter(ticket__in=ticket_pks)}
    wanted = {
        ticket.pk: _wanted_label(ticket, decisions.get(ticket.pk, []), known.get(ticket.pk)) for ticket in tickets
    }
    withdrawn = [pk for pk, label in wanted.items() if label is None and pk in known]
    GoldLabel.objects.filter(ticket__in=withdrawn, state=State.ACTIVE).update(state=State.WITHDRAWN)
    for pk, label in wanted.items():
        if label and pk in known:
            _update(known[pk], label)
    return _new_texts([label for pk, label in wanted.items() if label and pk not in known])


def add_gold_labels(labels: Iterable[GoldLabel], sides: Mapping[str, str] = {}) -> list[GoldLabel]:
    """Store new gold labels, each on the side of its near-duplicates, else on a side drawn from its digest.

    `sides` overrides the draw, by digest. A text with near-duplicates on both sides goes to neither. Returns the labels
    left out because their texts have one. Texts are compared before each write transaction, so that it is short.
    """
    return [taken for chunk in chunked(labels, CHUNK) for taken in _add_chunk(chunk, sides)]


def _add_chunk(labels: list[GoldLabel], sides: Mapping[str, str]) -> list[GoldLabel]:
    taken: list[GoldLabel] = []
    while labels:
        newest = GoldLabel.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        index = _place(labels, sides)
        with transaction.atomic():
            _lock()
            digests = [label.digest for label in labels]
            stored = set(GoldLabel.objects.filter(digest__in=digests).values_list("digest", flat=True))
            if not stored and index.is_current(newest):
                index.save_groups()
                GoldLabel.objects.bulk_create(labels)
                index.save_bands()
                break
        # Others stored some of these texts, or near-duplicates of them, meanwhile.
        taken += [label for label in labels if label.digest in stored]
        labels = [label for label in labels if label.digest not in stored]
    return taken


def _place(labels: Sequence[GoldLabel], sides: Mapping[str, str]) -> DuplicateIndex:
    """Give each label its group. Returns the index to store with them."""
    review_settings, index = ReviewSettings.current(), DuplicateIndex(GOLD_LABELS, [label.text for label in labels])
    for label in labels:
        near, label.group = index.near(label.text), None
        if len({nearby.group.side for nearby in near}) < 2:
            held_out = review_settings.draw(label.digest, "side") < review_settings.benchmark_share
            drawn = Side.BENCHMARK if held_out else Side.TRAINING
            label.group = index.place(label, near, sides.get(label.digest, drawn))
    return index


def leaked_labels(texts: Iterable[str]) -> list[GoldLabel]:
    """Benchmark labels that are near-duplicates of these texts, for example of the prompt's examples."""
    distinct = set(texts)
    index = DuplicateIndex(GOLD_LABELS, distinct)
    groups = {nearby.group for text in distinct for nearby in index.near(text)}
    shown = [minhash.shingles(text) for text in distinct]
    return [
        label
        for label in GoldLabel.objects.on_side(Side.BENCHMARK).filter(group__in=groups)
        if any(minhash.are_near_duplicates(minhash.shingles(label.text), nearby) for nearby in shown)
    ]


def remove_from_index(erased: Sequence[GoldLabel]) -> None:
    """Stop indexing groups by erased labels and use others instead; the caller has locked the review settings."""
    Band.objects.filter(gold__in=erased).delete()
    others = GoldLabel.objects.exclude(digest__startswith="erased:").filter(bands=None)
    for group in DuplicateGroup.objects.filter(gold_labels__in=erased).distinct():
        heirs = others.filter(group=group)[:MOST_OF_A_GROUP]
        index = DuplicateIndex(GOLD_LABELS, [label.text for label in heirs])
        for label in heirs:
            index.represent(label, group)
        index.save_bands()


def _lock() -> ReviewSettings:
    """Serialise placing: of two similar texts that arrive at once, the second must see the first."""
    return ReviewSettings.objects.select_for_update().get(pk=ReviewSettings.current().pk)


def _labels_by_ticket(ticket_pks: Sequence[int]) -> dict[int, list[Decision]]:
    """By ticket, its labels that are not undone, oldest first."""
    by_ticket: dict[int, list[Decision]] = {}
    effective = Decision.objects.effective().labelled().filter(ticket__in=ticket_pks)
    for decision in effective.select_related("assignment", "prediction").order_by("pk"):
        by_ticket.setdefault(decision.ticket_id, []).append(decision)
    return by_ticket


def _wanted_label(ticket: Ticket, decisions: Sequence[Decision], known: GoldLabel | None) -> GoldLabel | None:
    """The gold label that the ticket should have, or None if people have not settled it."""
    label = (ticket.category_id, ticket.sentiment_id)
    agreeing = [decision for decision in decisions if (decision.category_id, decision.sentiment_id) == label]
    if ticket.state != Ticket.State.SETTLED or ticket.erased_at or not agreeing:
        return None
    last, prediction = agreeing[-1], agreeing[-1].prediction
    assert ticket.category and ticket.sentiment  # noqa: S101, PT018 - a settled ticket has both
    return GoldLabel(
        text=ticket.text,
        digest=GoldLabel.digest_of(ticket.text),
        category=ticket.category,
        sentiment=ticket.sentiment,
        further_categories=ticket.further_categories,
        attributes=ticket.attributes,
        origin=known.origin if known and _answers_dispute(last) else _origin(decisions, agreeing),
        ticket=ticket,
        predicted_category_id=prediction.category_id if prediction else None,
        predicted_sentiment_id=prediction.sentiment_id if prediction else None,
        predicted_confidence=prediction.confidence if prediction else None,
        corrected=last.verdict == Decision.Verdict.CORRECTED,
        people=len({decision.reviewer_id for decision in agreeing}),
        share=last.assignment.share,
        language=ticket.language,
        source=ticket.source,
        labelled_at=last.created_at,
    )


def _answers_dispute(decision: Decision) -> bool:
    """Whether it answers a dispute, which does not change the label's origin."""
    return decision.assignment.round > 1 and decision.purpose != Assignment.Purpose.REVIEW


def _origin(decisions: Sequence[Decision], agreeing: Sequence[Decision]) -> str:
    """The origin of a label. What was drawn at random remains so after a lead's adjudication."""
    if not any(decision.blind for decision in agreeing):
        return Origin.DECISION
    purposes = {decision.purpose for decision in decisions}
    drawn = {Assignment.Purpose.AUDIT: Origin.AUDIT, Assignment.Purpose.SAMPLE: Origin.SAMPLE}
    return next((origin for purpose, origin in drawn.items() if purpose in purposes), Origin.BLIND)


def _update(known: GoldLabel, label: GoldLabel) -> None:
    """Update a stored label. Its text stays, and a retired label stays retired; disputes end."""
    changed = {name: getattr(label, name) for name in _UPDATED_FIELDS if getattr(known, name) != getattr(label, name)}
    relabelled = changed.keys() & {"category_id", "sentiment_id"}
    if known.state in (State.WITHDRAWN, State.DISPUTED) or (known.state == State.CONTRADICTED and relabelled):
        changed |= {"state": State.ACTIVE, "note": ""}
    if changed:
        GoldLabel.objects.filter(pk=known.pk).update(**changed)


def _new_texts(labels: Sequence[GoldLabel]) -> list[GoldLabel]:
    """One label for each text that has none yet; a text with two different labels is marked as contradicted."""
    fresh: dict[str, GoldLabel] = {}
    stored = {label.digest: label for label in GoldLabel.objects.filter(digest__in=[label.digest for label in labels])}
    for label in labels:
        twin = stored.get(label.digest) or fresh.setdefault(label.digest, label)
        if twin.contradicts(label):
            _contradict(twin, label)
        elif twin.pk:
            complete_label(twin, label)
    return list(fresh.values())


def complete_label(known: GoldLabel, other: GoldLabel) -> bool:
    """Give a stored label the category, sentiment or answers to attributes that it lacks and the other has. Returns
    whether it lacked any.
    """
    missing = {
        name: getattr(other, name)
        for name in ("category_id", "sentiment_id")
        if getattr(known, name) is None and getattr(other, name) is not None
    }
    if other.attributes.keys() - known.attributes.keys():
        missing["attributes"] = other.attributes | known.attributes
    return bool(missing) and bool(GoldLabel.objects.filter(pk=known.pk).update(**missing))


def _contradict(twin: GoldLabel, label: GoldLabel) -> None:
    if twin.state == State.ACTIVE:
        twin.state, twin.note = State.CONTRADICTED, f"#{label.ticket_id}: {label.label}"
        if twin.pk:
            twin.save(update_fields=["state", "note"])
