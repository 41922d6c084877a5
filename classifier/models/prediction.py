"""Models' answers and failures. Rows never change, except that merging labels moves references."""

import math

from django.db import models
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.contract.types import FailureKind
from classifier.models.contract import ContractVersion
from classifier.models.language_models import LanguageModel
from classifier.models.specialist import SpecialistVersion
from classifier.models.taxonomy import Category, Sentiment
from classifier.models.ticket import MessageField, Ticket


def round_down(share: float, digits: int = 2) -> str:
    """The share with this many decimals, rounded down, so that a value shown as the threshold has reached it."""
    return f"{math.floor(share * 10**digits + 1e-9) / 10**digits:.{digits}f}"


def percent(share: float, digits: int = 0) -> str:
    """The share in per cent, rounded down like `round_down`, as the page's language writes it."""
    return number_format(round_down(100 * share, digits)) + gettext("%%") % ()


class ModelCall(models.Model):
    """Which model was asked about which ticket, under which contract, and at what cost."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="%(class)ss")
    language_model = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    contract = models.ForeignKey(ContractVersion, models.PROTECT, related_name="+")
    requests = models.PositiveSmallIntegerField(_("requests"), default=0)
    input_tokens = models.PositiveIntegerField(_("input tokens"), default=0)
    output_tokens = models.PositiveIntegerField(_("output tokens"), default=0)
    latency_ms = models.FloatField(_("latency (ms)"), default=0)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=8, default=0)
    shortened = models.BooleanField(_("text was shortened"), default=False)
    repaired = models.BooleanField(_("reply was repaired"), default=False)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["pk"]


class Prediction(ModelCall):
    category = models.ForeignKey(Category, models.PROTECT, related_name="predictions")
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, related_name="predictions")
    confidence = models.FloatField(_("confidence"))
    reasoning = models.TextField(_("reasoning"))
    words = models.JSONField(default=list, help_text="Start and end of each decisive word in the ticket's text.")
    category_logprob = models.FloatField(null=True, help_text="The model's own log-probability of the label, if known.")
    sentiment_logprob = models.FloatField(null=True)
    probabilities = models.JSONField(
        default=dict, help_text="By axis, the model's probability of each label by its key; empty if it gives none."
    )
    attributes = models.JSONField(
        default=dict,
        db_default={},
        help_text="By attribute's key: an option's key or several, true or false, or a text.",
    )
    further_categories = models.JSONField(
        default=list, db_default=[], help_text="Primary keys of categories besides the main one."
    )
    unusable = models.JSONField(default=list, db_default=[], help_text="Keys of attributes with an unusable answer.")
    near = models.JSONField(default=list, help_text="Keys of the nearest labelled examples.")
    version = models.ForeignKey(
        SpecialistVersion,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("version"),
        help_text=_("Which version of the specialist answered."),
    )
    first = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        related_name="combined",
        help_text="The first model's own prediction, where the specialist's labels were weighed against its.",
    )
    scorer = models.ForeignKey(
        "classifier.Scorer", models.PROTECT, null=True, related_name="+", help_text="Which scorer says how."
    )

    class Meta(ModelCall.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "language_model", "contract"],
                condition=models.Q(version=None, first=None),
                name="prediction_once",
            ),
            models.UniqueConstraint(
                fields=["ticket", "language_model", "contract", "version"],
                condition=models.Q(version__isnull=False, first=None),
                name="prediction_once_per_version",
            ),
            models.UniqueConstraint(fields=["first", "scorer"], name="prediction_once_per_scorer"),
            models.CheckConstraint(
                condition=models.Q(first=None, scorer=None) | models.Q(first__isnull=False, scorer__isnull=False),
                name="prediction_combined_by_a_scorer",
            ),
            models.CheckConstraint(condition=models.Q(confidence__range=(0, 1)), name="prediction_confidence_in_0_1"),
        ]

    def __str__(self) -> str:
        return f"{self.category} | {self.sentiment} ({self.displayed_confidence})"

    @property
    def displayed_confidence(self) -> str:
        return round_down(self.confidence)

    @property
    def model_name(self) -> str:
        """The same as `answered_by` for programs, in no language."""
        name = self.language_model.name
        return name if self.scorer_id is None else f"{name} + specialist"

    @property
    def answered_by(self) -> str:
        """The model's name, and the specialist if its labels were weighed against the model's."""
        name = self.language_model.name
        return name if self.scorer_id is None else gettext("%s with the specialist") % name

    def same_label(self, other: "Prediction") -> bool:
        return (self.category_id, self.sentiment_id) == (other.category_id, other.sentiment_id)


class Failure(ModelCall):
    """A ticket that a model could not answer, with its last reply."""

    kind = models.CharField(_("kind"), max_length=20, choices=[(kind.value, kind.value) for kind in FailureKind])
    detail = MessageField(_("detail"))
    permanent = models.BooleanField(_("permanent"), default=True)
    reply = MessageField(_("reply"), blank=True)

    retry_after: float | None = None
    """Seconds that the endpoint asked to be left alone; known only while the failure is fresh."""
    provider_fault = False
    """Whether the provider answers nobody, so that the ticket waits; known only while the failure is fresh."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
