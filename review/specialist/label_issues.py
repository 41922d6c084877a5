"""Label issues: gold labels that a model which was not trained on them disagrees with."""

from __future__ import annotations

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
from review.models import GoldLabel, LabelIssue, ReviewSettings
from review.models.label_issue import LabelIssueQuerySet
from review.workflow import decision_records, relabelling
from review.workflow.decision_records import Label

CHUNK = 500
LOOKED_THROUGH = 2_000
"""The least believed among which a page looks for those that the model would label differently."""
COUNTED = 1_000

_NOTED = ["version", "self_confidence", "category", "sentiment"]
_SETTLED = Q(gold__ticket=None) | Q(gold__ticket__state=Ticket.State.SETTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelfConfidence:
    """What a version makes of one gold label that it was not taught: how far it believes in it, what it would say."""

    gold_pk: int
    self_confidence: float
    category_pk: int
    sentiment_pk: int


@transaction.atomic
def record_self_confidence(version: SpecialistVersion, confidences: Iterable[LabelSelfConfidence]) -> None:
    """Store what this version makes of each label, in place of what an earlier one did.

    A label that somebody has looked at is not doubted anew until it is given anew. Labels out of use are forgotten;
    what is not in use any more, or would suggest a label that is not, is passed over.
    """
    categories = set(Category.objects.active().values_list("pk", flat=True))
    sentiments = set(Sentiment.objects.active().values_list("pk", flat=True))
    offered = (one for one in confidences if one.category_pk in categories and one.sentiment_pk in sentiments)
    for chunk in chunked(offered, CHUNK):
        _store(version, {one.gold_pk: one for one in chunk})
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
    """Labels to look at, least believed first: those for which the model has another label."""
    least_believed = LabelIssue.objects.waiting()[:LOOKED_THROUGH].values("pk")
    another = ~Q(category=F("gold__category")) | ~Q(sentiment=F("gold__sentiment"))
    offered = Q(category__retired=False, sentiment__retired=False)
    return LabelIssue.objects.filter(another & offered & _SETTLED, pk__in=least_believed).order_by(
        "self_confidence", "pk"
    )


@transaction.atomic(durable=True)
def confirm(label_issue: LabelIssue, by: User) -> bool:
    """The label is right. False, and nothing changes, where the label or the doubt is not as given here any more."""
    if _lock_gold_label(label_issue) is None:
        return False
    _mark_confirmed(label_issue, by)
    return True


@transaction.atomic(durable=True)
def correct(label_issue: LabelIssue, by: User, category: Category, sentiment: Sentiment) -> bool:
    """The label is wrong, and this one is right. False, and nothing changes, as of `confirm`.

    A ticket's label is what people decided, so it is decided anew, and the gold label follows.
    """
    label = _lock_labels(category, sentiment)
    standing = _lock_gold_label(label_issue)
    if standing is None:
        return False
    if (standing.category_id, standing.sentiment_id) != (label.category.pk, label.sentiment.pk):
        if standing.ticket_id is None:
            _relabel_gold_label(standing, by, label)
        elif not _relabel_ticket(standing.ticket_id, by, label):
            return False
    _mark_confirmed(label_issue, by)
    return True


def dispute(label_issue: LabelIssue, by: User) -> bool:
    """Whoever cannot tell has two people asked anew. False, and nothing changes, as of `confirm`."""
    if not _is_unchanged(label_issue):
        return False
    try:
        disputes.dispute(label_issue.gold, by)
    except disputes.CannotDispute:
        return False
    _mark_confirmed(label_issue, by)
    return True


def _lock_labels(category: Category, sentiment: Sentiment) -> Label:
    """The label, or what it was merged into since it was chosen; from now on a merge waits."""
    categories = Category.objects.select_for_update(no_key=True, of=("self",)).select_related("merged_into")
    sentiments = Sentiment.objects.select_for_update(no_key=True, of=("self",)).select_related("merged_into")
    held = Label(categories.get(pk=category.pk), sentiments.get(pk=sentiment.pk))
    return Label(held.category.merged_into or held.category, held.sentiment.merged_into or held.sentiment)


def _lock_gold_label(label_issue: LabelIssue) -> GoldLabel | None:
    """The label in doubt as it stands, which nobody else changes from now on; None where it is not as it was given.

    The desk comes first, as for all who change labels; then the label, as for those who dispute it.
    """
    list(ReviewSettings.objects.select_for_update().values("pk"))
    label = GoldLabel.objects.select_for_update(of=("self",)).select_related("category", "sentiment")
    found = label.filter(pk=label_issue.gold_id).first()
    return found if found and _is_unchanged(label_issue) else None


def _is_unchanged(label_issue: LabelIssue) -> bool:
    label = {"gold__category": label_issue.gold.category_id, "gold__sentiment": label_issue.gold.sentiment_id}
    as_given = LabelIssue.objects.filter(_SETTLED, pk=label_issue.pk, confirmed_at=label_issue.confirmed_at, **label)
    return as_given.filter(gold__state=GoldLabel.State.ACTIVE).exists()


def _mark_confirmed(label_issue: LabelIssue, by: User) -> None:
    """The label that stands now was given before this moment, whatever an import says of when."""
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


def _relabel_gold_label(standing: GoldLabel, by: User, label: Label) -> None:
    """A label without a ticket has no decisions: what it was is kept in its note and in its history in the admin."""
    was = _("was %(category)s | %(sentiment)s") % {"category": standing.category, "sentiment": standing.sentiment}
    LogEntry.objects.log_actions(
        user_id=by.pk, queryset=[standing], action_flag=CHANGE, change_message=was, single_object=True
    )
    said = standing.predicted_category_id, standing.predicted_sentiment_id
    standing.category, standing.sentiment = label
    standing.corrected = said[0] is not None and said != (label.category.pk, label.sentiment.pk)
    standing.origin, standing.people = GoldLabel.Origin.DECISION, 1
    standing.note, standing.labelled_at = was[:300], timezone.now()
    standing.save(
        update_fields=["category", "sentiment", "corrected", "origin", "people", "note", "labelled_at"],
    )
