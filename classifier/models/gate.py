"""The gate: which models are asked, what may pass unseen, and what was decided about each ticket."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from .contract import ContractVersion
from .learned import SpecialistVersion
from .prediction import Failure, Prediction
from .spec import ModelSpec
from .ticket import Ticket


class GateQuerySet(models.QuerySet["Gate"]):
    def with_models(self) -> GateQuerySet:
        """Whoever wants to know which models are asked."""
        return self.select_related("primary__provider", "second_opinion__provider", "front__provider")


class Gate(models.Model):
    """One row: the roles of the models, and the threshold."""

    primary = models.ForeignKey(
        ModelSpec,
        models.PROTECT,
        related_name="+",
        verbose_name=_("primary"),
        help_text=_("Labels every ticket."),
    )
    second_opinion = models.ForeignKey(
        ModelSpec,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("second opinion"),
        help_text=_("Asked where the primary is unsure; of another family."),
    )
    front = models.ForeignKey(
        ModelSpec,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("in front"),
        help_text=_("Asked before the primary: what it is sure of passes, and the primary is spared the call."),
    )
    front_threshold = models.FloatField(
        _("threshold in front"),
        default=0.95,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("From this confidence on the model in front answers for the primary."),
    )
    threshold = models.FloatField(
        _("threshold"),
        default=0.85,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("A ticket passes unseen from this confidence on."),
    )
    instructions = models.TextField(
        _("instructions"),
        blank=True,
        help_text=_("What models are told above the labels. Empty: the built-in text. It begins a new contract."),
    )

    objects = GateQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        verbose_name = verbose_name_plural = _("gate")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="gate_is_one"),
            models.CheckConstraint(condition=models.Q(threshold__range=(0, 1)), name="gate_threshold_in_0_1"),
            models.CheckConstraint(
                condition=models.Q(front_threshold__range=(0, 1)), name="gate_front_threshold_in_0_1"
            ),
        ]

    def __str__(self) -> str:
        return str(_("the gate"))

    def clean(self) -> None:
        if self.front_id and self.front_id == self.primary_id:
            raise ValidationError({"front": _("The model in front is another one than the primary.")})
        if self.primary_id and self.second_opinion and self.second_opinion.family == self.primary.family:
            raise ValidationError({"second_opinion": _("A second opinion comes from another family than the primary.")})

    @classmethod
    def current(cls) -> Gate:
        """The one row with its models. Raises Gate.DoesNotExist before the catalogue is loaded."""
        return cls.objects.with_models().get(pk=1)

    @property
    def missing_key(self) -> str:
        """The variable to set for the chosen primary; empty where it can answer."""
        return self.primary.provider.missing_key

    @property
    def notice(self) -> str:
        """What pages and commands say while the embedded model stands in; empty where nobody does."""
        if not self.missing_key:
            return ""
        return _("No key in %(variable)s: the embedded model answers in place of %(model)s.") % {
            "variable": self.missing_key,
            "model": self.primary,
        }

    def primary_in_charge(self) -> ModelSpec:
        """The chosen primary, or an embedded model while the primary's key is missing (one query then)."""
        return ModelSpec.objects.standing_in() if self.missing_key else self.primary

    def second_in_charge(self) -> ModelSpec | None:
        """The chosen second opinion, unless its key is missing or its family is that of the primary in charge."""
        second = self.second_opinion
        if second is None or second.provider.missing_key or not self.is_of_another_family(second):
            return None
        return second

    def is_of_another_family(self, spec: ModelSpec) -> bool:
        """Than the primary in charge, so that its opinion is a second one."""
        return spec.family != self.primary_in_charge().family

    @property
    def front_hindrance(self) -> str:
        """Why the model chosen to stand in front is not asked; empty where it is (a query of one that learns), and
        where none is chosen.
        """
        front = self.front
        if front is None:
            return ""
        if variable := front.provider.missing_key:
            return _("%s is missing") % variable
        if front.learning and not SpecialistVersion.objects.serving():
            return str(_("it has learned nothing yet"))
        return str(_("it labels every ticket as it is")) if front == self.primary_in_charge() else ""

    def front_in_charge(self) -> ModelSpec | None:
        """The model that is asked before the primary, if one is chosen and nothing keeps it from answering."""
        return None if self.front_hindrance else self.front


class Epoch(models.Model):
    """A frozen combination under which verdicts were reached: model (and version, of one that learns), contract,
    threshold.
    """

    spec = models.ForeignKey(ModelSpec, models.PROTECT, related_name="+")
    contract = models.ForeignKey(ContractVersion, models.PROTECT, related_name="+")
    threshold = models.FloatField()
    version = models.ForeignKey(SpecialistVersion, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["spec", "contract", "threshold"], condition=models.Q(version=None), name="epoch_once"
            ),
            models.UniqueConstraint(
                fields=["spec", "contract", "threshold", "version"],
                condition=models.Q(version__isnull=False),
                name="epoch_once_per_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.spec}, {self.contract}, {self.threshold:.2f}"


class Reason(models.TextChoices):
    """Why a ticket passed, or waits for a person."""

    SURE = "sure", _("confident enough")
    UNSURE = "unsure", _("below the threshold")
    DISAGREEMENT = "disagreement", _("two models disagree")
    OUT_OF_TAXONOMY = "out_of_taxonomy", _("answer outside the taxonomy")
    FAILURE = "failure", _("no valid answer")


class VerdictQuerySet(models.QuerySet["Verdict"]):
    def current(self) -> VerdictQuerySet:
        return self.filter(current=True)


class Verdict(models.Model):
    """What the gate decided about a ticket. A later one replaces it as current; none is edited otherwise."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="verdicts")
    epoch = models.ForeignKey(Epoch, models.PROTECT, related_name="verdicts")
    prediction = models.ForeignKey(Prediction, models.RESTRICT, null=True, related_name="+")
    second_opinion = models.ForeignKey(Prediction, models.RESTRICT, null=True, related_name="+")
    failure = models.ForeignKey(Failure, models.RESTRICT, null=True, related_name="+")
    accepted = models.BooleanField()
    reason = models.CharField(max_length=20, choices=Reason)
    current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VerdictQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket"], condition=models.Q(current=True), name="verdict_one_current_per_ticket"
            ),
            models.CheckConstraint(
                condition=models.Q(accepted=False) | models.Q(prediction__isnull=False, reason="sure"),
                name="verdict_accepts_a_sure_prediction",
            ),
            models.CheckConstraint(
                condition=models.Q(prediction__isnull=False) | models.Q(reason__in=["failure", "out_of_taxonomy"]),
                name="verdict_without_prediction_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{'OK' if self.accepted else 'REVIEW'}: {self.get_reason_display()}"

    @property
    def explanation(self) -> str:
        """Why the ticket passed or waits, in a sentence."""
        first, second, threshold = self.prediction, self.second_opinion, f"{self.epoch.threshold:.2f}"
        if first is None:
            return str(self.failure.detail) if self.failure else ""
        figures = {"confidence": first.shown_confidence, "threshold": threshold, "model": first.spec}
        if self.accepted:
            return _("%(model)s has a confidence of %(confidence)s; the threshold is %(threshold)s.") % figures
        if self.reason == Reason.DISAGREEMENT:
            opinion = {"second": second, "other": second and second.spec}
            return _("%(model)s has a confidence of only %(confidence)s, and %(other)s says %(second)s.") % (
                figures | opinion
            )
        return _("%(model)s has a confidence of only %(confidence)s; the threshold is %(threshold)s.") % figures
