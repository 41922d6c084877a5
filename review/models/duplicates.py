"""Duplicate groups, and the index by which a new text finds its own."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models import Ticket


class Side(models.TextChoices):
    BENCHMARK = "benchmark", _("benchmark")
    TRAINING = "training", _("training")


class DuplicateGroup(models.Model):
    """Near-duplicates: tickets, or else gold labels, which all stand on the group's side."""

    side = models.CharField(_("side"), max_length=9, choices=Side, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(side__in=["", *Side.values]), name="duplicate_side_known")]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_side_display()}" if self.side else f"{self.pk}"


class Band(models.Model):
    """A part of the MinHash signature of a text that represents its group; texts that share one may be alike."""

    value = models.BigIntegerField(db_index=True)
    group = models.ForeignKey(DuplicateGroup, models.CASCADE, db_index=False, related_name="bands")
    ticket = models.ForeignKey(Ticket, models.CASCADE, null=True, db_index=False, related_name="+")
    gold = models.ForeignKey("review.GoldLabel", models.CASCADE, null=True, db_index=False, related_name="bands")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ticket=None, gold__isnull=False) | Q(ticket__isnull=False, gold=None),
                name="band_of_a_ticket_or_a_gold_label",
            )
        ]
        indexes = [
            models.Index(fields=["ticket"], condition=Q(ticket__isnull=False), name="band_by_ticket"),
            models.Index(fields=["gold"], condition=Q(gold__isnull=False), name="band_by_gold_label"),
        ]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.value}"
