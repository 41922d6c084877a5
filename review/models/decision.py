"""Decisions of reviewers, append-only. Undoing one adds another; only merging labels changes a reference."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, Prediction, Sentiment, Ticket
from classifier.models.ticket import MessageField
from review.models.assignment import Assignment

LONGEST_NOTE = 2_000
LABELLED = ["accepted", "corrected"]
SKIPPED_OR_ESCALATED = ["skipped", "escalated"]


class SkipReason(models.TextChoices):
    UNCLEAR = "unclear", _("I can't tell what it is about")
    LANGUAGE = "language", _("I don't read this language")
    EXPERTISE = "expertise", _("Someone else knows this better")
    NO_TICKET = "no_ticket", _("Not a support ticket")


class DecisionQuerySet(models.QuerySet["Decision"]):
    def effective(self) -> "DecisionQuerySet":
        """Decisions in effect: neither undone nor themselves an undo."""
        # As a join, PostgreSQL would estimate that nearly everything is undone, and choose a bad plan.
        undone = Exists(Decision.objects.filter(undoes=OuterRef("pk")))
        return self.filter(~undone).exclude(verdict=Decision.Verdict.UNDONE)

    def labelled(self) -> "DecisionQuerySet":
        return self.filter(verdict__in=LABELLED)

    def by(self, reviewer: User) -> "DecisionQuerySet":
        return self.filter(reviewer=reviewer)

    def with_labels(self) -> "DecisionQuerySet":
        return self.select_related("category", "sentiment", "reviewer")


class Decision(models.Model):
    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        CORRECTED = "corrected", _("corrected")
        SKIPPED = "skipped", _("skipped")
        ESCALATED = "escalated", _("escalated")
        UNDONE = "undone", _("undone")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="decisions")
    assignment = models.ForeignKey(Assignment, models.CASCADE, related_name="decisions")
    reviewer = models.ForeignKey(
        User, models.PROTECT, db_index=False, related_name="decisions", verbose_name=_("reviewer")
    )
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    key = models.UUIDField(unique=True, editable=False, help_text=_("Identifies an answer that is sent twice."))
    batch = models.UUIDField(null=True, blank=True, editable=False)
    verdict = models.CharField(_("verdict"), max_length=9, choices=Verdict)
    purpose = models.CharField(_("purpose"), max_length=12, choices=Assignment.Purpose)

    prediction = models.ForeignKey(
        Prediction, models.RESTRICT, null=True, related_name="+", verbose_name=_("prediction")
    )
    second_opinion = models.ForeignKey(
        Prediction, models.RESTRICT, null=True, related_name="+", verbose_name=_("second opinion")
    )
    blind = models.BooleanField(_("suggestions were hidden"))
    second_first = models.BooleanField(_("second opinion shown first"), default=False)

    category = models.ForeignKey(
        Category, models.PROTECT, null=True, related_name="decisions", verbose_name=_("category")
    )
    sentiment = models.ForeignKey(
        Sentiment, models.PROTECT, null=True, related_name="decisions", verbose_name=_("sentiment")
    )
    attributes = models.JSONField(default=dict, db_default={}, help_text="Answers to attributes, by key.")
    further_categories = models.JSONField(
        default=list, db_default=[], help_text="Primary keys of categories besides the main one."
    )
    skip_reason = models.CharField(_("reason to skip"), max_length=10, choices=SkipReason, blank=True)
    note = MessageField(_("note"), blank=True, max_length=LONGEST_NOTE)
    seconds = models.FloatField(_("seconds"), null=True)
    undoes = models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="undone_by")

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("decision")
        permissions = [
            ("adjudicate", _("Can settle escalations and disagreements, and see the agreement between reviewers"))
        ]
        indexes = [
            models.Index(fields=["reviewer", "-id"], name="decision_by_reviewer"),
            models.Index(fields=["created_at"], name="decision_by_time"),
            models.Index(fields=["-id"], condition=Q(purpose="double"), name="decision_double"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict__in=LABELLED, category__isnull=False, sentiment__isnull=False)
                | (~Q(verdict__in=LABELLED) & Q(category=None, sentiment=None)),
                name="decision_labels_where_labelled",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=LABELLED) | Q(attributes={}), name="decision_attributes_where_labelled"
            ),
            models.CheckConstraint(
                condition=~Q(verdict="accepted") | Q(prediction__isnull=False), name="decision_accepts_something"
            ),
            models.CheckConstraint(
                condition=Q(verdict="undone", undoes__isnull=False) | (~Q(verdict="undone") & Q(undoes=None)),
                name="decision_undoes_one",
            ),
            models.CheckConstraint(
                condition=Q(verdict="skipped") & ~Q(skip_reason="") | (~Q(verdict="skipped") & Q(skip_reason="")),
                name="decision_skipped_for_a_reason",
            ),
            models.CheckConstraint(condition=~Q(verdict="escalated") | ~Q(note=""), name="decision_escalated_says_why"),
            models.CheckConstraint(condition=Q(seconds=None) | Q(seconds__gte=0), name="decision_takes_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.label}" if self.category_id else str(self.get_verdict_display())

    @property
    def label(self) -> str:
        """Category and sentiment as text; empty where none was given."""
        return f"{self.category} | {self.sentiment}" if self.category_id else ""

    def same_label(self, other: "Decision | Prediction") -> bool:
        return (self.category_id, self.sentiment_id) == (other.category_id, other.sentiment_id)
