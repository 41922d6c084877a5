"""Assignments: one answer wanted from one person for a ticket. The open ones are the queue."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.db.models.functions import Substr
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, LanguageModel, Reason, Sentiment, Ticket
from classifier.text import excerpt
from review.models.duplicates import DuplicateGroup

_OPEN = Q(state="open")


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def open(self) -> "AssignmentQuerySet":
        return self.filter(state=Assignment.State.OPEN)

    def of_latest_round(self) -> "AssignmentQuerySet":
        later = self.model._default_manager.filter(ticket=models.OuterRef("ticket"), round__gt=models.OuterRef("round"))
        return self.exclude(models.Exists(later))

    def in_lane(self, lane: str) -> "AssignmentQuerySet":
        return self.filter(lane=lane)

    def free(self, now: datetime) -> "AssignmentQuerySet":
        """Not leased: never taken, or its lease has run out."""
        return self.open().filter(Q(reviewer=None) | Q(leased_until__lte=now))

    def held_by(self, reviewer: User | int) -> "AssignmentQuerySet":
        """The assignment that this person holds, at most one; an expired lease counts until someone else takes it."""
        return self.open().filter(reviewer=reviewer)

    def answerable_by(self, reviewer: User | int) -> "AssignmentQuerySet":
        """Without those that this person is excluded from, has skipped, or has answered under another assignment of the
        same ticket.
        """
        answered = self.model._default_manager.filter(
            ticket=models.OuterRef("ticket"), reviewer=reviewer, state=Assignment.State.ANSWERED
        )
        beside = ~Q(purpose=Assignment.Purpose.REVIEW) & models.Exists(answered)
        return self.exclude(excluded_reviewer=reviewer).exclude(skipped_by=reviewer).exclude(beside)

    def for_bulk(self) -> "AssignmentQuerySet":
        """Open agent reviews with a visible suggestion."""
        return self.open().filter(
            lane=Assignment.Lane.AGENTS, purpose=Assignment.Purpose.REVIEW, blind=False, category__isnull=False
        )

    def free_for_bulk(self, reviewer: User, now: datetime) -> "AssignmentQuerySet":
        """Those of them that no one else holds."""
        return self.for_bulk().filter(Q(reviewer=None) | Q(reviewer=reviewer) | Q(leased_until__lte=now))

    def with_excerpts(self) -> "AssignmentQuerySet":
        """Read the start of each ticket's text, for `excerpt`: the whole may be long."""
        return self.annotate(beginning=Substr("ticket__text", 1, 600))

    def count_to(self, most: int = 1_000) -> int:
        """How many there are; counting stops at `most`, so that no page grows with the table."""
        return self.order_by()[:most].count()


class Assignment(models.Model):
    class State(models.TextChoices):
        OPEN = "open", _("open")
        ANSWERED = "answered", _("answered")
        WITHDRAWN = "withdrawn", _("withdrawn")

    class Lane(models.TextChoices):
        AGENTS = "agents", _("agents")
        LEADS = "leads", _("leads")

    class Purpose(models.TextChoices):
        REVIEW = "review", _("review")
        DOUBLE = "double", _("double labelling")
        AUDIT = "audit", _("audit")
        SAMPLE = "sample", _("random sample")
        ADJUDICATION = "adjudication", _("adjudication")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="assignments")
    number = models.PositiveSmallIntegerField(_("number"), help_text=_("Among the ticket's assignments."))
    round = models.PositiveSmallIntegerField(
        _("round"), default=1, help_text=_("Labelling round of the ticket; a dispute starts another.")
    )
    purpose = models.CharField(_("purpose"), max_length=12, choices=Purpose, default=Purpose.REVIEW)
    lane = models.CharField(_("lane"), max_length=6, choices=Lane, default=Lane.AGENTS)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.OPEN)
    blind = models.BooleanField(_("blind"), default=False)
    share = models.FloatField(
        _("share"), default=1, help_text=_("Probability with which it was drawn for its purpose.")
    )
    created_at = models.DateTimeField(_("opened"), default=timezone.now)

    reviewer = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="assignments", verbose_name=_("assignee")
    )
    leased_until = models.DateTimeField(null=True, blank=True)
    taken_at = models.DateTimeField(null=True, blank=True)
    """When its present reviewer took it; reloading its page does not change this."""
    skipped_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, db_index=False, related_name="+")
    """The latest person who skipped the ticket."""
    excluded_reviewer = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    """Never asked: the person who disputed the label."""

    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    value = models.FloatField(_("value"), help_text=_("Value of an answer; higher comes first."))
    group = models.ForeignKey(
        DuplicateGroup, models.PROTECT, related_name="assignments", verbose_name=_("duplicate group")
    )

    # What the queue's table shows and filters by; empty of model answers if the assignment is blind.
    received_at = models.DateTimeField(_("received"))
    language = models.CharField(_("language"), max_length=20, blank=True)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, db_index=False, related_name="+", verbose_name=_("category")
    )
    sentiment = models.ForeignKey(
        Sentiment, models.PROTECT, null=True, db_index=False, related_name="+", verbose_name=_("sentiment")
    )
    confidence = models.FloatField(_("confidence"), null=True)
    language_model = models.ForeignKey(
        LanguageModel, models.PROTECT, null=True, db_index=False, related_name="+", verbose_name=_("model")
    )

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("assignment")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "number"], name="assignment_once"),
            models.UniqueConstraint(
                fields=["ticket", "reviewer"],
                condition=Q(state__in=["open", "answered"], reviewer__isnull=False),
                name="assignment_one_of_a_ticket_per_person",
            ),
            models.UniqueConstraint(
                fields=["reviewer"],
                condition=_OPEN & Q(reviewer__isnull=False),
                name="assignment_one_in_hand_per_person",
            ),
            models.CheckConstraint(
                condition=Q(blind=False)
                | Q(category=None, sentiment=None, confidence=None, language_model=None, reason=""),
                name="assignment_blind_tells_nothing",
            ),
            models.CheckConstraint(
                condition=~Q(state="answered") | Q(reviewer__isnull=False), name="assignment_answered_by_somebody"
            ),
            models.CheckConstraint(
                condition=Q(purpose="review") | Q(blind=True), name="assignment_independent_is_blind"
            ),
        ]
        indexes = [
            models.Index(
                fields=["skipped_by"], condition=_OPEN & Q(skipped_by__isnull=False), name="assignment_skipped_by"
            ),
            models.Index(
                fields=["lane", "due_at"], condition=_OPEN & Q(due_at__isnull=False), name="assignment_by_due"
            ),
            models.Index(fields=["lane", "-value", "id"], condition=_OPEN, name="assignment_by_value"),
            models.Index(fields=["lane", "received_at", "id"], condition=_OPEN, name="assignment_by_age"),
            models.Index(fields=["lane", "confidence", "id"], condition=_OPEN, name="assignment_by_confidence"),
        ]

    def __str__(self) -> str:
        return f"#{self.ticket_id}, {self.get_purpose_display()} {self.number}"

    @property
    def excerpt(self) -> str:
        """The first words of the ticket; the assignment must come `with_excerpts`."""
        return excerpt(vars(self)["beginning"], 90)

    def is_free(self, now: datetime) -> bool:
        """As the queryset's `free`, of one that is open."""
        return self.reviewer_id is None or (self.leased_until is not None and self.leased_until <= now)
