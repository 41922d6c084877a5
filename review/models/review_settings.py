"""How the review queue is run: one row that admins edit."""

import hashlib
import secrets
from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

_SHARE = [MinValueValidator(0.0), MaxValueValidator(1.0)]


def _fresh_seed() -> str:
    return secrets.token_hex(16)


class ReviewSettings(models.Model):
    """Shares, times, and the seed of the draws."""

    blind_share = models.FloatField(
        _("blind share"),
        default=0.1,
        validators=_SHARE,
        help_text=_("Share of tickets reviewed without a suggestion, from 0 to 1."),
    )
    double_share = models.FloatField(
        _("double share"),
        default=0.05,
        validators=_SHARE,
        help_text=_("Share of tickets that two people label independently, without a suggestion."),
    )
    sample_share = models.FloatField(
        _("random sample"),
        default=0.02,
        validators=_SHARE,
        help_text=_(
            "Share of all arriving tickets, auto-accepted ones too, reviewed without a suggestion so that benchmarks "
            "stand for all tickets. In certified mode the audits take its place."
        ),
    )
    lease_minutes = models.PositiveSmallIntegerField(
        _("lease in minutes"),
        default=10,
        validators=[MinValueValidator(1)],
        help_text=_("How long a ticket stays with one person before it returns to the queue."),
    )
    urgent_minutes = models.PositiveIntegerField(
        _("urgent within minutes"),
        default=60,
        help_text=_("Tickets due within this time come first."),
    )
    reveal = models.BooleanField(
        _("reveal after a blind review"),
        default=False,
        help_text=_("Show the model's answer after a blind review is submitted."),
    )
    benchmark_share = models.FloatField(
        _("benchmark share"),
        default=0.3,
        validators=_SHARE,
        help_text=_("Share of settled labels held out for benchmarks; the rest is for training."),
    )
    training_minutes = models.PositiveSmallIntegerField(
        _("minutes between trainings"),
        default=3,
        help_text=_("The specialist retrains after 20 new labels or 5%, at most this often."),
    )
    ordered_at = models.DateTimeField(null=True, editable=False, help_text="When the queue was last put in order.")
    gathered_until = models.DateTimeField(null=True, editable=False, help_text="Up to when decisions have become gold.")
    seed = models.CharField(_("seed"), max_length=64, default=_fresh_seed, editable=False)

    history = HistoricalRecords(excluded_fields=["gathered_until", "ordered_at"])

    class Meta:
        verbose_name = verbose_name_plural = _("review settings")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="review_settings_is_one"),
            models.CheckConstraint(
                condition=models.Q(
                    blind_share__range=(0, 1),
                    double_share__range=(0, 1),
                    sample_share__range=(0, 1),
                    benchmark_share__range=(0, 1),
                ),
                name="review_settings_shares_in_0_1",
            ),
            models.CheckConstraint(condition=models.Q(lease_minutes__gte=1), name="review_settings_leases_last"),
        ]

    def __str__(self) -> str:
        return str(_("review settings"))

    @classmethod
    def current(cls) -> "ReviewSettings":
        """The one row, made with its defaults where it is missing."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def lease(self) -> timedelta:
        return timedelta(minutes=self.lease_minutes)

    @property
    def urgent(self) -> timedelta:
        return timedelta(minutes=self.urgent_minutes)

    @property
    def share_of_blind(self) -> float:
        """Of all tickets, those that are reviewed without a suggestion, whether by one person or by two."""
        return self.double_share + (1 - self.double_share) * self.blind_share

    def is_in_sample(self, ticket_pk: int) -> bool:
        """Whether this ticket belongs to the random sample of all arrivals."""
        return self.draw(ticket_pk, "sample") < self.sample_share

    def draw(self, key: int | str, purpose: str) -> float:
        """A number in [0, 1) that depends on seed, key (of a ticket, mostly) and purpose alone: a draw that can be
        checked afterwards.
        """
        digest = hashlib.sha256(f"{self.seed}:{purpose}:{key}".encode()).digest()
        return int.from_bytes(digest[:6]) / 2**48
