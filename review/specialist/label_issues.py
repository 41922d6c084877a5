"""Label issues: gold labels that a model which wasn't trained on them disagrees with."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.database.batches import chunked
from classifier.models import Category, Sentiment, SpecialistVersion, Ticket
from review.gold import disputes, gold_labels
from review.models import GoldLabel, LabelIssue, ReviewSettings, Side
from review.models.label_issue import LabelIssueQuerySet
from review.workflow import decision_records, relabelling
from review.workflow.decision_records import Label

CHUNK = 500
LOOKED_THROUGH = 2_000
"""Labels with the lowest self-confidence that are searched for those with a different prediction."""
COUNTED = 1_000
DISPUTED_AT_ONCE = 10
"""Each takes two people's time."""

_NOTED = ["version", "self_confidence", "category", "sentiment"]
_SETTLED = Q(gold__ticket=None) | Q(gold__ticket__state=Ticket.State.SETTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelfConfidence:
    """A version's self-confidence in a gold label that it wasn't trained on, and the label that it predicts."""

    gold_pk: int
    self_confidence: float
    category_pk: int
    sentiment_pk: int


@transaction.atomic
def record_self_confidence(version: SpecialistVersion, confidences: Iterable[LabelSelfConfidence]) -> None:
    """Store this version's self-confidences in place of earlier ones.

    A confirmed label becomes an issue again only once it is relabelled. Issues of unusable gold labels are deleted, and
    predictions of retired labels are skipped.
    """
    categories = set(Category.objects.active().values_list("pk", flat=True))
    sentiments = set(Sentiment.objects.active().values_list("pk", flat=True))
    usable = (
        confidence
        for confidence in confidences
        if confidence.category_pk in categories and confidence.sentiment_pk in sentiments
    )
    for chunk in chunked(usable, CHUNK):
        _store(version, {confidence.gold_pk: confidence for confidence in chunk})
    LabelIssue.objects.filter(confirmed_at__lt=F("gold__labelled_at")).update(confirmed_at=None, confirmed_by=None)
    LabelIssue.objects.exclude(gold__in=GoldLabel.objects.usable()).delete()


def _store(version: SpecialistVersion, confidences: dict[int, LabelSelfConfidence]) -> None:
    usable = GoldLabel.objects.usable().filter(pk__in=confidences).order_by("pk").values_list("pk", flat=True)
    rows = [
        LabelIssue(
            gold_id=pk,
            version=version,
            self_confidence=min(max(confidences[pk].self_confidence, 0.0), 1.0),
            category_id=confidences[pk].category_pk,
            sentiment_id=confidences[pk].sentiment_pk,
        )
        for pk in usable
    ]
    LabelIssue.objects.bulk_create(rows, update_conflicts=True, unique_fields=["gold"], update_fields=_NOTED)


def pending() -> LabelIssueQuerySet:
    """Training labels to check: the model predicts a different one. Lowest self-confidence first."""
    return _unexpected().filter(gold__group__side=Side.TRAINING)


def held_out() -> LabelIssueQuerySet:
    """Benchmark labels to check. Nobody sees the suggestion: corrected towards a model, they would flatter it. A label
    that two people gave independently stays.
    """
    return _unexpected().filter(gold__group__side=Side.BENCHMARK, gold__people=1)


def dispute_held_out(by: User) -> int:
    """Ask two reviewers each to label the next held-out ones blind. Returns how many labels."""
    waiting = list(held_out().select_related("gold")[:DISPUTED_AT_ONCE])
    return sum(dispute(label_issue, by) for label_issue in waiting)


def _unexpected() -> LabelIssueQuerySet:
    least_believed = LabelIssue.objects.waiting()[:LOOKED_THROUGH].values("pk")
    another = ~Q(category=F("gold__category")) | ~Q(sentiment=F("gold__sentiment"))
    offered = Q(category__retired=False, sentiment__retired=False)
    return LabelIssue.objects.filter(another & offered & _SETTLED, pk__in=least_believed).order_by(
        "self_confidence", "pk"
    )


@transaction.atomic(durable=True)
def confirm(label_issue: LabelIssue, by: User) -> bool:
    """Confirm that the label is right. Returns False and changes nothing if the label or the issue has changed."""
    if _lock_gold_label(label_issue) is None:
        return False
    _mark_confirmed(label_issue, by)
    return True


@transaction.atomic(durable=True)
def correct(label_issue: LabelIssue, by: User, category: Category, sentiment: Sentiment) -> bool:
    """Replace the label with this one. Returns False and changes nothing if the label or the issue has changed.

    A ticket is relabelled by a new decision, which its gold label follows.
    """
    target = _lock_labels(category, sentiment)
    gold = _lock_gold_label(label_issue)
    if gold is None:
        return False
    if (gold.category_id, gold.sentiment_id) != (target.category.pk, target.sentiment.pk):
        if gold.ticket_id is None:
            _relabel_gold_label(gold, by, target)
        elif not _relabel_ticket(gold.ticket_id, by, target):
            return False
    _mark_confirmed(label_issue, by)
    return True


def dispute(label_issue: LabelIssue, by: User) -> bool:
    """Ask two reviewers to label it again. Returns False and changes nothing if the label or the issue has changed."""
    if not _is_unchanged(label_issue):
        return False
    try:
        disputes.dispute(label_issue.gold, by)
    except disputes.CannotDispute:
        return False
    _mark_confirmed(label_issue, by)
    return True


def _lock_labels(category: Category, sentiment: Sentiment) -> Label:
    """Lock the label against merges. Returns what it was merged into if that happened since it was chosen."""
    categories = Category.objects.select_for_update(no_key=True, of=("self",)).select_related("merged_into")
    sentiments = Sentiment.objects.select_for_update(no_key=True, of=("self",)).select_related("merged_into")
    locked = Label(categories.get(pk=category.pk), sentiments.get(pk=sentiment.pk))
    return Label(locked.category.merged_into or locked.category, locked.sentiment.merged_into or locked.sentiment)


def _lock_gold_label(label_issue: LabelIssue) -> GoldLabel | None:
    """Lock the gold label of an issue; None if the label or the issue has changed.

    Locks are taken in the order that all label changes keep: review settings, then gold label.
    """
    list(ReviewSettings.objects.select_for_update().values("pk"))
    labels = GoldLabel.objects.select_for_update(of=("self",)).select_related("category", "sentiment")
    gold = labels.filter(pk=label_issue.gold_id).first()
    return gold if gold and _is_unchanged(label_issue) else None


def _is_unchanged(label_issue: LabelIssue) -> bool:
    label = {"gold__category": label_issue.gold.category_id, "gold__sentiment": label_issue.gold.sentiment_id}
    as_given = LabelIssue.objects.filter(_SETTLED, pk=label_issue.pk, confirmed_at=label_issue.confirmed_at, **label)
    return as_given.filter(gold__state=GoldLabel.State.ACTIVE).exists()


def _mark_confirmed(label_issue: LabelIssue, by: User) -> None:
    # An import may have set labelled_at in the future.
    labelled_at = GoldLabel.objects.values_list("labelled_at", flat=True).get(pk=label_issue.gold_id)
    at = max(timezone.now(), labelled_at)
    LabelIssue.objects.filter(pk=label_issue.pk).update(confirmed_at=at, confirmed_by=by)


def _relabel_ticket(ticket_pk: int, by: User, label: Label) -> bool:
    ticket = decision_records.lock_ticket(ticket_pk)
    if ticket.state != Ticket.State.SETTLED:
        return False
    relabelling.relabel(ticket, by, label)
    gold_labels.sync_tickets([ticket_pk])
    return True


def _relabel_gold_label(gold: GoldLabel, by: User, label: Label) -> None:
    """Relabel a gold label without a ticket. It has no decisions, so its note and admin history keep the old label."""
    was = _("was %(category)s | %(sentiment)s") % {"category": gold.category, "sentiment": gold.sentiment}
    LogEntry.objects.log_actions(
        user_id=by.pk, queryset=[gold], action_flag=CHANGE, change_message=was, single_object=True
    )
    predicted = gold.predicted_category_id, gold.predicted_sentiment_id
    gold.category, gold.sentiment = label.category, label.sentiment
    gold.corrected = predicted[0] is not None and predicted != (label.category.pk, label.sentiment.pk)
    gold.origin, gold.people = GoldLabel.Origin.DECISION, 1
    gold.note, gold.labelled_at = was[:300], timezone.now()
    gold.save(
        update_fields=["category", "sentiment", "corrected", "origin", "people", "note", "labelled_at"],
    )
