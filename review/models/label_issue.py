"""Label issues: gold labels that a model trained without them disagrees with."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, Sentiment, SpecialistVersion
from review.models.gold import GoldLabel


class LabelIssueQuerySet(models.QuerySet["LabelIssue"]):
    def waiting(self) -> "LabelIssueQuerySet":
        """Issues of labels in use that no one has checked since the label was given, lowest self-confidence first."""
        return self.filter(confirmed_at=None, gold__state=GoldLabel.State.ACTIVE).order_by("self_confidence", "pk")


class LabelIssue(models.Model):
    """A gold label held out from the specialist: its self-confidence, and the label that the specialist predicts."""

    gold = models.OneToOneField(GoldLabel, models.CASCADE, related_name="label_issue")
    version = models.ForeignKey(SpecialistVersion, models.CASCADE, related_name="+")
    self_confidence = models.FloatField(help_text="The probability of the label given, category times sentiment.")
    category = models.ForeignKey(Category, models.PROTECT, related_name="+")
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    confirmed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))

    objects = LabelIssueQuerySet.as_manager()

    class Meta:
        ordering = ["self_confidence", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(self_confidence__range=(0, 1)), name="label_issue_self_confidence_in_0_1"
            )
        ]
        indexes = [
            models.Index(fields=["self_confidence", "id"], condition=Q(confirmed_at=None), name="label_issue_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.gold}: {self.self_confidence:.2f}"
