"""The gate: which models are asked, and which tickets are auto-accepted."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.models.language_models import LanguageModel
from classifier.models.pause import Pause
from classifier.models.specialist import SpecialistVersion


class GateQuerySet(models.QuerySet["Gate"]):
    def with_models(self) -> "GateQuerySet":
        """Also loads the models and their providers, and whether any is paused."""
        related = ("primary__provider", "second_opinion__provider", "front__provider")
        return self.select_related(*related).annotate(any_pause=models.Exists(Pause.objects.all()))


class GateMode(models.TextChoices):
    """What decides whether a ticket is auto-accepted."""

    CONFIDENCE = "confidence", _("fixed confidence threshold")
    SCORE = "score", _("fixed score threshold")
    CERTIFIED = "certified", _("certified by audits")


class Criterion(models.TextChoices):
    """Which parts of an answer must be right."""

    BOTH = "both", _("category and sentiment")
    CATEGORY = "category", _("the category")


class Gate(models.Model):
    """The single row with the models' roles and the auto-accept rule."""

    primary = models.ForeignKey(
        LanguageModel,
        models.PROTECT,
        related_name="+",
        verbose_name=_("primary"),
        help_text=_("Labels every ticket."),
    )
    second_opinion = models.ForeignKey(
        LanguageModel,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("second opinion"),
        help_text=_("Asked when the primary is unsure. Must be from another model family."),
    )
    front = models.ForeignKey(
        LanguageModel,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("front"),
        help_text=_(
            "Asked before the primary. If it is confident enough, its answer counts and the primary is not called."
        ),
    )
    front_threshold = models.FloatField(
        _("front model threshold"),
        default=0.95,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("At or above this confidence, the front model's answer counts."),
    )
    threshold = models.FloatField(
        _("threshold"),
        default=0.85,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("Tickets at or above this confidence are auto-accepted."),
    )
    agreement = models.BooleanField(
        _("a second family must agree"),
        default=True,
        db_default=True,
        help_text=_(
            "With a fixed confidence threshold and a primary that is not embedded: where the text may dictate its "
            "label, the second opinion must agree."
        ),
    )
    mode = models.CharField(
        _("mode"),
        max_length=10,
        choices=GateMode,
        default=GateMode.CONFIDENCE,
        help_text=_("What decides whether a ticket is auto-accepted."),
    )
    about = models.CharField(
        _("must be right"),
        max_length=10,
        choices=Criterion,
        default=Criterion.BOTH,
        help_text=_("Whether a wrong sentiment counts as an error. The score and the certificate follow this choice."),
    )
    score_threshold = models.FloatField(
        _("score threshold"),
        default=0.95,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("Tickets at or above this score are auto-accepted."),
    )
    incident_guard = models.BooleanField(
        _("incident guard"),
        default=False,
        help_text=_(
            "Holds bursts of alike tickets until people have reviewed one of them. Always on in certified mode."
        ),
    )
    further_categories = models.BooleanField(
        _("further categories"),
        default=False,
        db_default=False,
        help_text=_(
            "Models and reviewers may name further categories of a ticket, besides the main one, which alone decides "
            "about auto-accept. A change starts a new prompt version."
        ),
    )
    instructions = models.TextField(
        _("instructions"),
        blank=True,
        help_text=_(
            "Instructions that models read above the labels. Empty: the built-in text. A change starts a "
            "new prompt version."
        ),
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
                condition=models.Q(mode__in=GateMode.values, about__in=Criterion.values), name="gate_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return str(_("the gate"))

    def clean(self) -> None:
        if self.front_id and self.front_id == self.primary_id:
            raise ValidationError({"front": _("The front model must differ from the primary.")})
        if self.primary_id and self.second_opinion and self.second_opinion.family == self.primary.family:
            raise ValidationError(
                {"second_opinion": _("The second opinion must come from another model family than the primary.")}
            )

    @classmethod
    def current(cls) -> "Gate":
        """The single row with its models. Raises Gate.DoesNotExist before the catalogue is loaded."""
        return cls.objects.with_models().get(pk=1)

    @property
    def missing_key(self) -> str:
        """The environment variable that the chosen primary lacks; empty if it can answer."""
        return self.primary.provider.missing_key

    @property
    def notice(self) -> str:
        """The warning that the embedded model replaces the primary; empty if it does not."""
        if not self.missing_key:
            return ""
        return _("No key in %(variable)s: the embedded model answers in place of %(model)s.") % {
            "variable": self.missing_key,
            "model": self.primary,
        }

    def active_primary(self) -> LanguageModel:
        """The chosen primary, or the fallback model while the primary's key is missing (then one query)."""
        return LanguageModel.objects.fallback() if self.missing_key else self.primary

    def active_second_opinion(self) -> LanguageModel | None:
        """The chosen second opinion; None if its key is missing or its family is the active primary's."""
        second = self.second_opinion
        if second is None or second.provider.missing_key or not self.is_of_another_family(second):
            return None
        return second

    def is_of_another_family(self, language_model: LanguageModel) -> bool:
        """Whether the model's family differs from the active primary's."""
        return language_model.family != self.active_primary().family

    @property
    def front_inactive_reason(self) -> str:
        """Why the chosen front model is not asked; empty if it is asked or none is chosen (one query if it learns)."""
        front = self.front
        if front is None:
            return ""
        if variable := front.provider.missing_key:
            return _("%s is missing") % variable
        if front.learning and not SpecialistVersion.objects.live_pk():
            return str(_("it has not learned anything yet"))
        return str(_("it already labels every ticket")) if front == self.active_primary() else ""

    def active_front(self) -> LanguageModel | None:
        """The model that is asked before the primary, if any."""
        return None if self.front_inactive_reason else self.front

    def asks(self, language_model: LanguageModel) -> bool:
        """Whether this model has an active role."""
        return language_model in (self.active_front(), self.active_primary(), self.active_second_opinion())

    @cached_property
    def pauses(self) -> list[Pause]:
        """Current pauses of models; one query, or none if `with_models` found none."""
        any_pause = getattr(self, "any_pause", True)
        return list(Pause.objects.select_related("language_model__provider")) if any_pause else []

    def pause_of(self, language_model: LanguageModel | None) -> Pause | None:
        """Why this model is not asked now, though it has its role; None if it is asked."""
        return next((pause for pause in self.pauses if language_model and pause.stops(language_model)), None)

    @property
    def pause_notices(self) -> list[str]:
        """What is paused, why, and what that means, for each active role."""
        consequences = [
            (self.active_front(), _("Until it answers again, the primary labels tickets without it.")),
            (self.active_primary(), _("New tickets wait; they are classified once it answers again.")),
            (self.active_second_opinion(), _("Until it answers again, tickets get no second opinion.")),
        ]
        return [
            _("%(model)s is paused. %(detail)s %(consequence)s")
            % {"model": language_model, "detail": pause.detail, "consequence": consequence}
            for language_model, consequence in consequences
            if (pause := self.pause_of(language_model))
        ]
