"""Accuracy target, audits, ledgers, certificates and alarms."""

from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.models import AuditDraw, Category, Criterion, Epoch, Ticket

HELD_OUT_SHARE = 0.3
"""The largest share of all tickets that is held out from learning for good, to judge later epochs."""


class AccuracyTarget(models.Model):
    """One row, which leads edit: at least `target` of the auto-accepted tickets are right, and a certificate of that is
    false with a probability of at most `risk`.
    """

    target = models.FloatField(
        _("at least right"),
        default=0.97,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.999)],
        help_text=_("Share of auto-accepted tickets, from 0.5 to 0.999."),
    )
    risk = models.FloatField(
        _("risk"),
        default=0.05,
        validators=[MinValueValidator(0.001), MaxValueValidator(0.5)],
        help_text=_("Accepted probability that a certificate is false, from 0.001 to 0.5."),
    )
    early_share = models.FloatField(
        _("audits at first"),
        default=0.3,
        validators=[MinValueValidator(0.03), MaxValueValidator(1.0)],
        help_text=_("Share of tickets audited while there is little evidence, from 0.03 to 1."),
    )
    late_share = models.FloatField(
        _("audits later"),
        default=0.03,
        validators=[MinValueValidator(0.03), MaxValueValidator(1.0)],
        help_text=_("Share of tickets audited once there is plenty, from 0.03 to 1."),
    )
    double_check_share = models.FloatField(
        _("double-checked agreements"),
        default=0.1,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("Share of audits that agree with the model and still go to a second person."),
    )
    missed_share = models.FloatField(
        _("errors that people overlook"),
        default=0.1,
        validators=[MinValueValidator(0.0), MaxValueValidator(0.5)],
        help_text=_("Share of the model's errors that audits are assumed to miss, from 0 to 0.5."),
    )
    by_category = models.BooleanField(
        _("certify categories on their own too"),
        default=False,
        help_text=_("Shows which categories meet the target on their own; this takes more audits."),
    )

    claims = models.PositiveIntegerField(
        default=0, editable=False, help_text="How many certificates have been tried for; each later one may spend less."
    )

    history = HistoricalRecords(excluded_fields=["claims"])

    class Meta:
        verbose_name = verbose_name_plural = _("accuracy target")
        permissions = [("set_accuracy_target", _("Can set the accuracy target, handle alarms and export the evidence"))]
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="accuracy_target_is_one"),
            models.CheckConstraint(condition=Q(target__range=(0.5, 0.999)), name="accuracy_target_target_in_range"),
            models.CheckConstraint(condition=Q(risk__range=(0.001, 0.5)), name="accuracy_target_risk_in_range"),
            models.CheckConstraint(
                condition=Q(
                    early_share__range=(0.03, 1),
                    late_share__range=(0.03, 1),
                    double_check_share__range=(0, 1),
                    missed_share__range=(0, 0.5),
                ),
                name="accuracy_target_shares_in_range",
            ),
        ]

    def __str__(self) -> str:
        return str(_("accuracy target"))

    @classmethod
    def current(cls) -> "AccuracyTarget":
        """The one row, made with its defaults where it is missing."""
        return cls.objects.get_or_create(pk=1)[0]

    def error_limit(self, missed_share: float) -> float:
        """The largest share of audits with an error that meets the target if people overlook this share of errors."""
        return (1 - self.target) * (1 - missed_share)

    @classmethod
    def next_claim(cls) -> int:
        """How many claims came before this one, which is counted with the call."""
        with transaction.atomic():
            cls.objects.filter(pk=cls.current().pk).update(claims=models.F("claims") + 1)
            return cls.objects.get(pk=1).claims - 1


class AuditQuerySet(models.QuerySet["Audit"]):
    def pending(self) -> "AuditQuerySet":
        return self.filter(judged_at=None)

    def judged(self) -> "AuditQuerySet":
        return self.filter(judged_at__isnull=False)


class Audit(models.Model):
    """A drawn ticket, and whether blind reviewers found the model's answer right."""

    draw = models.OneToOneField(AuditDraw, models.CASCADE, related_name="audit")
    epoch = models.ForeignKey(Epoch, models.PROTECT, related_name="audits")
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="audits")
    held_out = models.BooleanField(help_text="Never learned from, so that later epochs can be judged by it.")
    double_check = models.BooleanField(
        default=False, help_text="Drawn to be judged by two people even if the first agrees with the model."
    )
    category_right = models.BooleanField(null=True)
    sentiment_right = models.BooleanField(null=True)
    flaw = models.CharField(max_length=10, blank=True, help_text="Why it counts as wrong whatever the decisions.")
    judged_at = models.DateTimeField(null=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["epoch", "ticket"], name="audit_once_per_epoch"),
            models.CheckConstraint(
                condition=Q(judged_at=None, category_right=None, sentiment_right=None)
                | Q(judged_at__isnull=False, category_right__isnull=False, sentiment_right__isnull=False),
                name="audit_judged_in_both_parts",
            ),
        ]
        indexes = [
            models.Index(fields=["epoch", "draw"], condition=Q(judged_at=None), name="audit_pending"),
            models.Index(fields=["-id"], condition=Q(held_out=True, judged_at__isnull=False), name="audit_held_out"),
        ]

    def __str__(self) -> str:
        return f"#{self.ticket_id}"


class Ledger(models.Model):
    """The evidence for one accuracy target in one epoch, added up so far. It can be rebuilt from draws and audits."""

    epoch = models.ForeignKey(Epoch, models.PROTECT, related_name="ledgers")
    about = models.CharField(max_length=10, choices=Criterion)
    target = models.FloatField(help_text="The accuracy target.")
    missed_share = models.FloatField(
        default=0.1, db_default=0.1, help_text="The share of errors that people were assumed to overlook."
    )
    error = models.FloatField(
        help_text="The share of errors among audits that is tested; it rises if people prove to overlook fewer."
    )
    target_risk = models.FloatField()
    claim = models.PositiveIntegerField(help_text="How many claims came before.")
    risk = models.FloatField(help_text="The part of the risk that this claim may spend.")
    grid = models.JSONField(help_text="Thresholds in the order in which they are tested, strictest first.")
    coverage = models.JSONField(help_text="The share of tickets at or above each threshold when the grid was made.")
    wealth = models.JSONField(help_text="Log wealth by threshold and bet.")
    reached = models.JSONField(help_text="By threshold, whether its wealth has ever sufficed.")
    until = models.BigIntegerField(default=0, help_text="The last draw counted for good; 0: count from the start.")
    drift_monitor = models.JSONField(default=dict, help_text="State of the drift monitor.")
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["epoch"], condition=Q(closed_at=None), name="ledger_one_open_per_epoch"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def most_missed_percent(self) -> float:
        """The share of errors that people overlook at most, as assumed or proven."""
        return 100 * (1 - self.error / (1 - self.target))


class CarriedAudit(models.Model):
    """An audit of an earlier epoch, with the answer and score of the new one."""

    ledger = models.ForeignKey(Ledger, models.CASCADE, related_name="carried")
    audit = models.ForeignKey(Audit, models.CASCADE, related_name="+")
    value = models.FloatField()
    wrong = models.BooleanField(help_text="As long as nobody has answered, it counts as wrong.")
    pending = models.BooleanField(default=False)
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["ledger", "audit"], name="carried_once")]

    def __str__(self) -> str:
        return f"{self.audit_id} -> {self.ledger_id}"


class Certificate(models.Model):
    """A certified threshold and the time it was in force. A lower threshold gets a new certificate."""

    class End(models.TextChoices):
        EXTENDED = "extended", _("a lower threshold was certified")
        ALARM = "alarm", _("revoked by an alarm")
        CHANGED = "changed", _("models, taxonomy, scorer or target changed")
        CORRECTED = "corrected", _("its audits were corrected")

    ledger = models.ForeignKey(Ledger, models.PROTECT, related_name="certificates")
    threshold = models.FloatField()
    coverage = models.FloatField()
    audits = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    until = models.BigIntegerField(help_text="The last draw that it rests on.")
    granted_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=10, choices=End, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["ledger"], condition=Q(ended_at=None), name="certificate_one_in_force"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="certificate_ends_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Alarm(models.Model):
    """A detected change, and the outcome of the audits that followed."""

    class Kind(models.TextChoices):
        ERRORS = "errors", _("audits find more errors")
        AGREEMENT = "agreement", _("second model family agrees less often")
        SCORES = "scores", _("answers are less certain")
        UNKNOWN = "unknown", _("more tickets unlike any known ticket")
        LABELS = "labels", _("the mix of categories has changed")

    class State(models.TextChoices):
        OPEN = "open", _("under investigation")
        CLEARED = "cleared", _("cleared by audits")
        CONFIRMED = "confirmed", _("confirmed, certificate revoked")

    epoch = models.ForeignKey(Epoch, models.PROTECT, related_name="alarms")
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    since = models.BigIntegerField(help_text="The draw at which the change seems to have begun.")
    at = models.BigIntegerField(help_text="The draw at which it was detected.")
    risk = models.FloatField(help_text="The part of the risk that clearing it may spend.")
    figures = models.JSONField(default=dict)
    raised_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    emailed_at = models.DateTimeField(null=True, help_text="When the leads were e-mailed.")
    seen_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["epoch"], condition=Q(state="open"), name="alarm_one_open_per_epoch"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="alarm_closed_when_settled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_state_display()})"
