"""The specialist's data: labelled examples, embeddings of texts, and trained versions."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models.lease import Leasable, LeasableQuerySet
from classifier.models.taxonomy import Category, Sentiment
from classifier.models.ticket import MessageField, Ticket

if TYPE_CHECKING:
    from classifier.learning.weights import SpecialistWeights


logger = logging.getLogger(__name__)


def text_digest(text: str) -> str:
    """The SHA-256 that identifies a text, whichever ticket contains it."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


class Example(models.Model):
    """A text with its final category, sentiment or both, which models may learn from and be shown.

    Nothing here is a near-duplicate of a benchmark label.
    """

    text = MessageField(_("text"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    group = models.BigIntegerField(help_text="Shared by near-duplicates.")
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="+", verbose_name=_("category"))
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, null=True, related_name="+", verbose_name=_("sentiment"))
    ticket = models.ForeignKey(Ticket, models.SET_NULL, null=True, related_name="+")
    random_sample = models.BooleanField(default=False, help_text="Whether it was sampled at random for labelling.")
    added_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text[:60]


class Vector(models.Model):
    """A text's embedding in half precision; tickets with the same text share it."""

    digest = models.CharField(max_length=64)
    encoder = models.CharField(max_length=64, help_text="SHA-256 of the encoder's file.")
    values = models.BinaryField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["digest", "encoder"], name="vector_once_per_text_and_encoder")]

    def __str__(self) -> str:
        return self.digest[:12]


class Encoding(Leasable):
    """How far the encoders have got through the tickets table; `encoder` identifies them together."""

    encoder = models.CharField(max_length=64, unique=True)
    until = models.BigIntegerField(default=0)

    objects = LeasableQuerySet["Encoding"].as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.encoder[:12]}: {self.until}"


class VersionQuerySet(models.QuerySet["SpecialistVersion"]):
    def usable(self) -> VersionQuerySet:
        """Versions that can be deployed: their weights still exist."""
        return self.exclude(sha256="")

    def newest(self) -> SpecialistVersion | None:
        """The latest version, promoted or not."""
        return self.usable().order_by("-pk").first()

    def newest_pk(self) -> int | None:
        """The key of the latest version, promoted or not."""
        return self.usable().order_by("-pk").values_list("pk", flat=True).first()

    def without_weights(self) -> VersionQuerySet:
        """Defers the large columns."""
        return self.defer("weights", "taught")

    def live_pk(self) -> int | None:
        """The key of the live version, if any."""
        return self.filter(live=True).values_list("pk", flat=True).first()


class SpecialistVersion(models.Model):
    """One training: its data, its metrics and its weights. Rejected weights are kept until the next one."""

    trained_at = models.DateTimeField(_("trained"), auto_now_add=True)
    seconds = models.FloatField(_("seconds"), default=0)
    labels = models.PositiveIntegerField(_("labels"))
    data = models.CharField(_("data"), max_length=64, help_text="SHA-256 of the examples and their labels.")
    taught = models.BinaryField(help_text="Keys of the examples, their categories and sentiments: 64-bit integers.")
    figures = models.JSONField(default=dict)
    weights = models.BinaryField(null=True, editable=False)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    promoted = models.BooleanField(_("promoted"), default=False, editable=False)
    live = models.BooleanField(_("live"), default=False, editable=False)
    live_since = models.DateTimeField(_("live since"), null=True, editable=False)
    pinned_by = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("specialist version")
        verbose_name_plural = _("specialist versions")
        constraints = [
            models.UniqueConstraint(fields=["live"], condition=Q(live=True), name="specialist_one_live"),
            models.CheckConstraint(
                condition=Q(live=False) | (Q(weights__isnull=False) & ~Q(sha256="")),
                name="specialist_live_with_weights",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    def load_weights(self) -> SpecialistWeights:
        """The trained weights. Raises CorruptWeights if the bytes differ from what was stored."""
        from classifier.learning.weights import load  # whose libraries most processes never need

        return load(bytes(self.weights or b""), self.sha256)

    def load_weights_or_untrained(self) -> SpecialistWeights:
        """The trained weights; an untrained model if they are corrupt, so that a new version can replace them."""
        from classifier.learning.weights import CorruptWeights, SpecialistWeights

        try:
            return self.load_weights()
        except CorruptWeights:
            logger.exception("Version %s of the specialist cannot be read.", self)
            return SpecialistWeights.untrained()
