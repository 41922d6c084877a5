"""The gate: which models are asked, what may pass unseen, and what was decided about each ticket."""

from __future__ import annotations

import hashlib
import secrets

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.scoring.scorer import Probabilities

from .contract import ContractVersion
from .learned import SpecialistVersion
from .prediction import Failure, Prediction, shown
from .scoring import Score, Scorer
from .spec import ModelSpec
from .ticket import Ticket


class GateQuerySet(models.QuerySet["Gate"]):
    def with_models(self) -> GateQuerySet:
        """Whoever wants to know which models are asked."""
        return self.select_related("primary__provider", "second_opinion__provider", "front__provider")


class Mode(models.TextChoices):
    """By what the gate tells what may pass."""

    CONFIDENCE = "confidence", _("fixed threshold on the stated confidence")
    SCORE = "score", _("fixed threshold on the probability of being right")
    CERTIFIED = "certified", _("certified by audits")


class About(models.TextChoices):
    """What of an answer has to be right."""

    BOTH = "both", _("category and sentiment")
    CATEGORY = "category", _("the category")


class Gate(models.Model):
    """One row: the roles of the models, and by what a ticket may pass."""

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
    mode = models.CharField(
        _("mode"),
        max_length=10,
        choices=Mode,
        default=Mode.CONFIDENCE,
        help_text=_("What decides whether a ticket may pass unseen."),
    )
    about = models.CharField(
        _("has to be right"),
        max_length=10,
        choices=About,
        default=About.BOTH,
        help_text=_(
            "Whether an answer is wrong where its sentiment is; the score, and what is certified, are of that."
        ),
    )
    score_threshold = models.FloatField(
        _("threshold on the score"),
        default=0.95,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("A ticket passes unseen from this probability of being right on."),
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
            models.CheckConstraint(
                condition=models.Q(score_threshold__range=(0, 1)), name="gate_score_threshold_in_0_1"
            ),
            models.CheckConstraint(
                condition=models.Q(mode__in=Mode.values, about__in=About.values), name="gate_mode_known"
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


def _fresh_seed() -> str:
    return secrets.token_hex(16)


class EpochQuerySet(models.QuerySet["Epoch"]):
    def running(self) -> EpochQuerySet:
        return self.filter(ended_at=None)

    def certifying(self) -> Epoch | None:
        """The one whose threshold is certified, if the gate is in that mode and a ticket has come by."""
        running = self.running().filter(mode=Mode.CERTIFIED).select_related("spec__provider", "contract", "scorer")
        return running.order_by("-pk").first()


class Epoch(models.Model):
    """A frozen combination under which verdicts were reached: models (and version, of one that learns), contract, and
    what decides: a threshold, or a scorer whose threshold is certified.

    Of a certified one the threshold moves with the evidence: `passes_from` is the lowest score that is certified,
    `audits_from` the one from which on every other ticket is audited, `audit_share` the share of all the rest.
    """

    spec = models.ForeignKey(ModelSpec, models.PROTECT, related_name="+")
    contract = models.ForeignKey(ContractVersion, models.PROTECT, related_name="+")
    threshold = models.FloatField(null=True)
    version = models.ForeignKey(SpecialistVersion, models.PROTECT, null=True, related_name="+")
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.CONFIDENCE)
    about = models.CharField(max_length=10, choices=About, default=About.BOTH)
    scorer = models.ForeignKey(Scorer, models.PROTECT, null=True, related_name="+")
    front = models.ForeignKey(ModelSpec, models.PROTECT, null=True, related_name="+")
    front_threshold = models.FloatField(null=True)
    key = models.CharField(max_length=200, help_text="All of the above, by which the running one is found.")
    seed = models.CharField(max_length=64, default=_fresh_seed, help_text="Of the draws.")
    passes_from = models.FloatField(null=True)
    audits_from = models.FloatField(null=True)
    audit_share = models.FloatField(default=1.0)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects = EpochQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(ended_at=None), name="epoch_once"),
            models.CheckConstraint(
                condition=models.Q(mode="certified", threshold=None, scorer__isnull=False)
                | models.Q(mode="score", threshold__isnull=False, scorer__isnull=False)
                | models.Q(mode="confidence", threshold__isnull=False, scorer=None),
                name="epoch_has_what_its_mode_needs",
            ),
            models.CheckConstraint(
                condition=models.Q(audit_share__gt=0, audit_share__lte=1), name="epoch_audit_share_in_0_1"
            ),
        ]

    def __str__(self) -> str:
        by = _("certified") if self.threshold is None else f"{self.threshold:.2f}"
        return f"{self.spec}, {self.contract}, {by}"

    def value(self, score: Score | Probabilities) -> float:
        """Of a score what counts here, in [0, 1]."""
        return score.category if self.about == About.CATEGORY else score.both

    def lets_pass(self, confidence: float, value: float | None) -> bool:
        """Whether an answer of this confidence may pass, whose score has this value."""
        if self.mode == Mode.CONFIDENCE:
            assert self.threshold is not None  # noqa: S101 - a constraint sees to it
            return confidence >= self.threshold
        least = self.passes_from if self.mode == Mode.CERTIFIED else self.threshold
        return least is not None and value is not None and value >= least

    def draw(self, ticket_pk: int) -> float:
        """A number in [0, 1) that depends on the seed and the ticket alone: asking again does not draw again."""
        return self._drawn(f"{ticket_pk}")

    def draw_again(self, ticket_pk: int) -> float:
        """Another one, which is independent of the first."""
        return self._drawn(f"again:{ticket_pk}")

    def _drawn(self, what: str) -> float:
        digest = hashlib.sha256(f"{self.seed}:{what}".encode()).digest()
        return int.from_bytes(digest[:6]) / 2**48


class Reason(models.TextChoices):
    """Why a ticket passed, or waits for a person."""

    SURE = "sure", _("confident enough")
    UNSURE = "unsure", _("below the threshold")
    UNPROVEN = "unproven", _("not certified yet")
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
    score = models.ForeignKey(Score, models.RESTRICT, null=True, related_name="+")
    threshold = models.FloatField(null=True, help_text="What confidence or score had to reach; null: nothing passed.")
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
        if self.prediction is None:
            return str(self.failure.detail) if self.failure else ""
        if self.reason == Reason.DISAGREEMENT:
            opinion = {"second": self.second_opinion, "other": self.second_opinion and self.second_opinion.spec}
            sure = _("%(model)s has a confidence of only %(confidence)s, and %(other)s says %(second)s.")
            return sure % (self._figures() | opinion)
        return self._by_confidence() if self.epoch.mode == Mode.CONFIDENCE else self._by_score()

    @property
    def threshold_then(self) -> str:
        """What it had to reach, for the ticket's history."""
        threshold = self.epoch.threshold if self.threshold is None else self.threshold
        if threshold is None:
            return str(_("nothing was certified yet"))
        digits = 2 if self.epoch.mode == Mode.CONFIDENCE else 3
        return _("threshold %(threshold)s") % {"threshold": number_format(threshold, digits)}

    def _by_confidence(self) -> str:
        if self.accepted:
            return _("%(model)s has a confidence of %(confidence)s; the threshold is %(threshold)s.") % self._figures()
        return _("%(model)s has a confidence of only %(confidence)s; the threshold is %(threshold)s.") % self._figures()

    def _by_score(self) -> str:
        figures = self._figures()
        likely = _("The answer of %(model)s is right with an estimated probability of %(score)s.") % figures
        if not figures["threshold"]:
            return f"{likely} {_('Nothing is certified yet, so that people look at every ticket.')}"
        if self.accepted and self.epoch.mode == Mode.CERTIFIED:
            return f"{likely} {_('Tickets from %(threshold)s on were certified to pass.') % figures}"
        return f"{likely} {_('Tickets pass from %(threshold)s on.') % figures}"

    def _figures(self) -> dict[str, object]:
        first = self.prediction
        assert first is not None  # noqa: S101 - there is something to explain
        threshold = self.epoch.threshold if self.threshold is None else self.threshold
        return {
            "model": first.spec,
            "confidence": first.shown_confidence,
            "score": shown(self.epoch.value(self.score), 3) if self.score else "?",
            "threshold": "" if threshold is None else shown(threshold, 2 if self.epoch.mode == Mode.CONFIDENCE else 3),
        }
