"""Audit draws: the probability with which each ticket was sampled, and the result. Rows never change."""

from django.db import models
from django.db.models import F, Q

from classifier.models.epoch import Epoch
from classifier.models.scoring import Score
from classifier.models.verdict import Verdict


class AuditDrawQuerySet(models.QuerySet["AuditDraw"]):
    def valid(self) -> "AuditDrawQuerySet":
        return self.filter(void=False)

    def evidence(self) -> "AuditDrawQuerySet":
        """The valid draws of tickets that a certificate covers."""
        return self.valid().filter(held=False)


class AuditDraw(models.Model):
    """One ticket's draw in an epoch with a certified threshold.

    Drawing locks the epoch's row, so keys within an epoch follow the order of commits.
    """

    verdict = models.OneToOneField(Verdict, models.CASCADE, related_name="audit_draw")
    epoch = models.ForeignKey(Epoch, models.PROTECT, related_name="draws")
    score = models.ForeignKey(Score, models.RESTRICT, related_name="+")
    value = models.FloatField(help_text="The score compared with the thresholds, in [0, 1].")
    certified_threshold = models.FloatField(null=True, help_text="The certified threshold at the time.")
    audits_from = models.FloatField(help_text="Every ticket from this score to the certified threshold was audited.")
    floor = models.FloatField(help_text="The minimum probability of an audit at the time.")
    share = models.FloatField(help_text="The probability of an audit for this ticket.")
    number = models.FloatField(help_text="A random number in [0, 1); the ticket is audited if it is below the share.")
    audited = models.BooleanField()
    repeat = models.BooleanField(default=False, help_text="Much like a ticket that came shortly before.")
    held = models.BooleanField(default=False, help_text="Held by the incident guard, so that no certificate covers it.")
    void = models.BooleanField(
        default=False, help_text="The ticket had already been auto-accepted without review and was classified again."
    )

    objects = AuditDrawQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(audited=True, number__lt=F("share")) | Q(audited=False, number__gte=F("share")),
                name="draw_as_its_number_says",
            ),
            models.CheckConstraint(
                condition=Q(floor__gt=0, share__gte=F("floor"), share__lte=1), name="draw_share_from_floor_to_1"
            ),
        ]
        indexes = [models.Index(fields=["epoch", "id"], condition=Q(void=False), name="draw_by_epoch")]

    def __str__(self) -> str:
        return f"{self.verdict_id}: {self.number:.3f} of {self.share:.3f}"

    @property
    def ticket_pk(self) -> int:
        return self.verdict.ticket_id
