"""Snapshots: gold labels as they stood at one moment, never changed afterwards, and named by their content."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from classifier.models import ContractVersion
from review.models.duplicates import Side
from review.models.gold import GoldLabel


class CompleteSnapshots(models.Manager["Snapshot"]):
    def get_queryset(self) -> "models.QuerySet[Snapshot]":
        return super().get_queryset().filter(complete=True)


class IncompleteSnapshots(models.Manager["Snapshot"]):
    """Those that are being written or deleted."""

    def get_queryset(self) -> "models.QuerySet[Snapshot]":
        return super().get_queryset().filter(complete=False)


class Snapshot(models.Model):
    digest = models.CharField(
        _("digest"), max_length=64, unique=True, editable=False, help_text=_("SHA-256 of its content.")
    )
    created_at = models.DateTimeField(_("taken"), auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    contract = models.ForeignKey(ContractVersion, models.PROTECT, related_name="+")
    filters = models.JSONField(default=dict)
    labels = models.JSONField(default=dict, help_text="Per axis: key, name and description of each label.")
    counts = models.JSONField(default=dict, help_text="Per kind of count, how many items have each value.")
    items_count = models.PositiveIntegerField(_("labels"), default=0)
    complete = models.BooleanField(default=True, editable=False)

    objects = CompleteSnapshots()
    incomplete = IncompleteSnapshots()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("snapshot")

    def __str__(self) -> str:
        return self.short

    def get_absolute_url(self) -> str:
        return reverse("review:snapshot", args=[self.short])

    @property
    def short(self) -> str:
        return self.digest[:12]

    def names(self, axis: str) -> dict[int, str]:
        """Full names by key, as they were, of "categories" or "sentiments"."""
        rows: list[list[Any]] = self.labels[axis]
        return {pk: name for pk, name, _description in rows}

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """The attributes as they were: key, name, description, kind, pattern and, by key, the names of all options."""
        rows: list[dict[str, Any]] = self.labels.get("attributes", [])
        return rows


class SnapshotItem(models.Model):
    """One gold label as it stood. Labels are plain keys: a merge of labels later does not reach in here."""

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="items", db_index=False)
    position = models.PositiveIntegerField()
    gold = models.ForeignKey(GoldLabel, models.PROTECT, related_name="+")
    category = models.BigIntegerField(null=True)
    sentiment = models.BigIntegerField(null=True)
    side = models.CharField(max_length=9, choices=Side)
    origin = models.CharField(max_length=20)
    corrected = models.BooleanField()
    people = models.PositiveSmallIntegerField()
    share = models.FloatField()
    language = models.CharField(max_length=20, blank=True)
    source = models.CharField(max_length=50, blank=True)
    labelled_at = models.DateTimeField()
    predicted_category = models.BigIntegerField(null=True)
    predicted_sentiment = models.BigIntegerField(null=True)
    predicted_confidence = models.FloatField(null=True)
    further_categories = models.JSONField(default=list, db_default=[])
    attributes = models.JSONField(default=dict, db_default={})

    # What is taken over from the gold label. The digest of a snapshot depends on the order.
    COPIED_FIELDS = (
        *("category", "sentiment", "side", "origin", "corrected", "people", "share", "language", "source"),
        *("labelled_at", "predicted_category", "predicted_sentiment", "predicted_confidence", "further_categories"),
        "attributes",
    )

    class Meta:
        ordering = ["snapshot", "position"]
        constraints = [models.UniqueConstraint(fields=["snapshot", "position"], name="snapshot_item_once")]

    def __str__(self) -> str:
        return f"{self.snapshot_id}: {self.position}"

    @property
    def label(self) -> str:
        """The names of what it has of category and sentiment."""
        keys = {"categories": self.category, "sentiments": self.sentiment}
        return " | ".join(self.snapshot.names(axis)[key] for axis, key in keys.items() if key)
