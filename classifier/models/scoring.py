"""Scorers and scores: the estimated probability that an answer is right."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.models.language_models import LanguageModel
from classifier.models.prediction import Prediction
from classifier.models.specialist import SpecialistVersion
from classifier.scoring.answerer import Answerer
from classifier.scoring.scorer import ScorerWeights
from classifier.scoring.signals import Signals

ANSWERERS = {
    Answerer.FIRST.value: _("the first model"),
    Answerer.SPECIALIST.value: _("the specialist"),
    Answerer.TOGETHER.value: _("both together"),
}
_FIRST = Answerer.FIRST.value


class ScorerQuerySet(models.QuerySet["Scorer"]):
    def live_for(self, language_model: LanguageModel) -> "Scorer":
        """The model's live scorer; creates the built-in one if none has been fitted."""
        scorer = self.filter(language_model=language_model, live=True).first()
        if scorer is None:
            built_in = {
                "weights": ScorerWeights.built_in().as_json(),
                "specialist_version_id": SpecialistVersion.objects.live_pk(),
            }
            scorer, _created = self.get_or_create(language_model=language_model, live=True, defaults=built_in)
        return scorer


class Scorer(models.Model):
    """Fitted weights, the specialist version whose agreement is one of the signals, and who gives the labels. Never
    edited.
    """

    language_model = models.ForeignKey(LanguageModel, models.PROTECT, related_name="scorers", verbose_name=_("model"))
    specialist_version = models.ForeignKey(
        SpecialistVersion,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="The version whose agreement is a signal; null means an untrained one.",
    )
    category_by = models.CharField(
        _("category given by"), max_length=10, choices=ANSWERERS, default=_FIRST, db_default=_FIRST
    )
    sentiment_by = models.CharField(
        _("sentiment given by"), max_length=10, choices=ANSWERERS, default=_FIRST, db_default=_FIRST
    )
    weights = models.JSONField()
    labels = models.PositiveIntegerField(_("labels"), default=0, help_text="Number of judged answers it was fitted to.")
    tried = models.PositiveIntegerField(default=0, help_text="Number of judged answers at the latest fit.")
    figures = models.JSONField(default=dict)
    live = models.BooleanField(default=True)
    fitted_at = models.DateTimeField(_("fitted"), auto_now_add=True)

    objects = ScorerQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["language_model"], condition=Q(live=True), name="scorer_one_live_per_model"
            ),
            models.CheckConstraint(
                condition=Q(category_by__in=list(ANSWERERS), sentiment_by__in=list(ANSWERERS)),
                name="scorer_answerer_known",
            ),
            models.CheckConstraint(
                condition=Q(specialist_version__isnull=False) | Q(category_by=_FIRST, sentiment_by=_FIRST),
                name="scorer_asks_a_trained_specialist",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def combines(self) -> bool:
        """Whether the specialist's labels are weighed against the first model's."""
        return {self.category_by, self.sentiment_by} != {Answerer.FIRST}

    @property
    def who_answers(self) -> str:
        """Who gives the labels, in a sentence."""
        model = self.language_model.name
        if not self.combines:
            return gettext("%s gives the labels; the specialist is asked whether it agrees.") % model
        names = {
            Answerer.FIRST: model,
            Answerer.SPECIALIST: gettext("the specialist"),
            Answerer.TOGETHER: gettext("%s and the specialist together") % model,
        }
        category, sentiment = names[Answerer(self.category_by)], names[Answerer(self.sentiment_by)]
        if category == sentiment:
            return gettext("Category and sentiment come from %s.") % category
        return gettext("The category comes from %(category)s, the sentiment from %(sentiment)s.") % {
            "category": category,
            "sentiment": sentiment,
        }

    def load_weights(self) -> ScorerWeights:
        return ScorerWeights.from_json(self.weights)


class Score(models.Model):
    """The probability that a prediction's category, its sentiment and both are right."""

    prediction = models.ForeignKey(Prediction, models.CASCADE, related_name="scores")
    scorer = models.ForeignKey(Scorer, models.PROTECT, related_name="+")
    category = models.FloatField()
    sentiment = models.FloatField()
    both = models.FloatField()
    signals = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the text at the time.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "scorer"], name="score_once"),
            models.CheckConstraint(
                condition=Q(category__range=(0, 1), sentiment__range=(0, 1), both__range=(0, 1)),
                name="score_in_0_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.both:.3f}"

    def load_signals(self) -> Signals:
        return Signals.from_json(self.signals)
