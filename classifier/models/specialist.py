"""What the specialist learns from and has learned: labelled examples, vectors of texts, and its versions."""

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
    """What a text is known by, whichever ticket it stands in."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


class Example(models.Model):
    """A text with the labels that people settled on, which models may learn from and be shown.

    Written by those who keep the labels apart that models are measured with: nothing like one of those is here.
    """

    text = MessageField(_("text"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    group = models.BigIntegerField(help_text="Texts that say nearly the same share it.")
    category = models.ForeignKey(Category, models.PROTECT, related_name="+", verbose_name=_("category"))
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, related_name="+", verbose_name=_("sentiment"))
    ticket = models.ForeignKey(Ticket, models.SET_NULL, null=True, related_name="+")
    random_sample = models.BooleanField(default=False, help_text="Whether chance alone chose it for labelling.")
    added_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text[:60]


class Vector(models.Model):
    """Where a text lies, as one encoder sees it: half-precision numbers. One for all tickets of the same text."""

    digest = models.CharField(max_length=64)
    encoder = models.CharField(max_length=64, help_text="SHA-256 of the encoder's file.")
    values = models.BinaryField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["digest", "encoder"], name="vector_once_per_text_and_encoder")]

    def __str__(self) -> str:
        return self.digest[:12]


class Encoding(Leasable):
    """Up to which ticket an encoder has been through the table."""

    encoder = models.CharField(max_length=64, unique=True)
    until = models.BigIntegerField(default=0)

    objects = LeasableQuerySet["Encoding"].as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.encoder[:12]}: {self.until}"


class VersionQuerySet(models.QuerySet["SpecialistVersion"]):
    def usable(self) -> VersionQuerySet:
        """Those that may be put in service: their weights were kept."""
        return self.exclude(sha256="")

    def newest(self) -> SpecialistVersion | None:
        """The one that has learned most, whether or not it was promoted."""
        return self.usable().order_by("-pk").first()

    def without_weights(self) -> VersionQuerySet:
        """The figures alone."""
        return self.defer("weights", "taught")

    def live_pk(self) -> int | None:
        """The key of the one in service, if any has been promoted."""
        return self.filter(live=True).values_list("pk", flat=True).first()


class SpecialistVersion(models.Model):
    """One training: what it learned from, how it compared, and its weights.

    Those of a version that was not promoted are kept until the next one comes.
    """

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
        """What it learned. Raises CorruptWeights where that is not what was stored."""
        from classifier.learning.weights import load  # whose libraries most processes never need

        return load(bytes(self.weights or b""), self.sha256)

    def load_weights_or_untrained(self) -> SpecialistWeights:
        """What it learned; as if it had learned nothing where that cannot be read, so that a better one can come."""
        from classifier.learning.weights import CorruptWeights, SpecialistWeights

        try:
            return self.load_weights()
        except CorruptWeights:
            logger.exception("Version %s of the specialist cannot be read.", self)
            return SpecialistWeights.untrained()
