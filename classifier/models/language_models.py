"""Providers and models, which admins edit. API keys stay in the environment."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.contract.types import Dialect, Feature, JsonMode, Usage
from classifier.models.specialist import SpecialistVersion
from classifier.security.secrets_from_env import secret_or_empty, validate_variable_name


class Provider(models.Model):
    class Kind(models.TextChoices):
        CHAT = "chat", _("OpenAI-compatible endpoint")
        DECISIONS = "decisions", _("decisions endpoint, gives a probability for each label")
        EMBEDDED = "embedded", _("embedded, runs on this machine")

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.CHAT)
    base_url = models.URLField(
        _("base URL"), blank=True, help_text=_("Include the version, as in https://api.openai.com/v1.")
    )
    api_key_env = models.CharField(
        _("key variable"),
        max_length=80,
        blank=True,
        validators=[validate_variable_name],
        help_text=_("Environment variable that holds the key. The key itself is never stored. Empty: no key needed."),
    )
    daily_budget = models.DecimalField(
        _("daily budget"),
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_(
            "Per UTC day, in the currency of the prices. Once it is spent, tickets wait for the next day. "
            "Empty: no limit."
        ),
    )

    mask = models.BooleanField(
        _("mask personal data"),
        default=False,
        db_default=False,
        help_text=_(
            "Endpoints only: e-mail addresses, phone numbers, card and account numbers and IP addresses are "
            "sent as numbered placeholders and restored in the answer."
        ),
    )

    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="embedded") | ~models.Q(base_url=""),
                name="provider_endpoint_has_url",
                violation_error_message=_("An endpoint needs a base URL."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def missing_key(self) -> str:
        """The environment variable that must be set before this provider can be used; empty if nothing is missing."""
        return "" if not self.api_key_env or secret_or_empty(self.api_key_env) else self.api_key_env


class Learning(models.TextChoices):
    """What an embedded model has learned from."""

    NOTHING = "", _("no: uses only the labels' names, descriptions and examples")
    SPECIALIST = "specialist", _("yes: answers with the specialist")
    WORDS = "words", _("words only: a model family of its own")


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def zero_shot(self) -> "LanguageModel":
        """The embedded model that needs neither a key nor labels. Raises DoesNotExist before the catalogue loads."""
        here = self.select_related("provider").filter(provider__kind=Provider.Kind.EMBEDDED)
        return here.filter(learning=Learning.NOTHING).earliest("pk")

    def fallback(self) -> "LanguageModel":
        """The best model that needs no key: the specialist once a version is live, else the zero-shot model (one
        query).
        """
        serving = models.Exists(SpecialistVersion.objects.filter(live=True))
        plain, learns = models.Q(learning=Learning.NOTHING), models.Q(serving, learning=Learning.SPECIALIST)
        here = self.select_related("provider").filter(plain | learns, provider__kind=Provider.Kind.EMBEDDED)
        return here.order_by("-learning", "pk")[0]

    def with_keys(self) -> "list[LanguageModel]":
        """Models that can answer now: not those without a key, behind a local server, or still untrained."""
        language_models = self.select_related("provider").exclude(
            ~models.Q(provider__kind=Provider.Kind.EMBEDDED), provider__api_key_env=""
        )
        if SpecialistVersion.objects.live_pk() is None:
            language_models = language_models.filter(learning=Learning.NOTHING)
        return [language_model for language_model in language_models if not language_model.provider.missing_key]


class LanguageModel(models.Model):
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="language_models")
    name = models.CharField(_("model"), max_length=120, help_text=_("Exactly as the provider spells it."))
    family = models.CharField(
        _("family"),
        max_length=40,
        help_text=_("Who trained the model. A second opinion must come from another family."),
    )
    temperature = models.FloatField(
        _("temperature"),
        default=0.1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(2.0)],
    )
    max_tokens = models.PositiveIntegerField(
        _("maximum answer tokens"),
        default=256,
        null=True,
        blank=True,
        help_text=_("Empty: not sent to the endpoint."),
    )
    extra = models.JSONField(
        _("extra parameters"),
        default=dict,
        blank=True,
        help_text=_("A JSON object that is sent with each request."),
    )
    timeout = models.FloatField(
        _("timeout"),
        default=30.0,
        validators=[MinValueValidator(0.1)],
        help_text=_("Seconds per request."),
    )
    max_in_flight = models.PositiveIntegerField(
        _("requests in flight"),
        default=16,
        validators=[MinValueValidator(1), MaxValueValidator(256)],
        help_text=_("Maximum number of simultaneous requests per worker process."),
    )
    price_per_request = models.DecimalField(_("price per request"), max_digits=12, decimal_places=6, default=Decimal(0))
    price_input = models.DecimalField(
        _("price per million input tokens"), max_digits=12, decimal_places=6, default=Decimal(0)
    )
    price_output = models.DecimalField(
        _("price per million output tokens"), max_digits=12, decimal_places=6, default=Decimal(0)
    )
    learning = models.CharField(
        _("learns"),
        max_length=20,
        blank=True,
        choices=Learning,
        default=Learning.NOTHING,
        help_text=_("For an embedded model: whether it learns from what people decide."),
    )
    examples = models.PositiveSmallIntegerField(
        _("examples in the prompt"),
        default=0,
        validators=[MaxValueValidator(20)],
        help_text=_("Endpoints only: how many of the most similar labelled tickets to show the model."),
    )
    logprobs = models.BooleanField(
        _("request log-probabilities"),
        default=False,
        help_text=_(
            "For endpoints that return log-probabilities, which predict errors better than the stated confidence."
        ),
    )
    json_mode = models.CharField(
        _("JSON mode"),
        max_length=20,
        choices=[(mode.value, mode.value) for mode in JsonMode],
        default=JsonMode.UNKNOWN,
        help_text=_("Detected at the first request. Set it to “unknown” to detect it again."),
    )
    unsupported = models.JSONField(
        default=list,
        editable=False,
        help_text="Features that the endpoint refused, detected together with the JSON mode.",
    )

    objects = LanguageModelQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["json_mode", "unsupported"])

    class Meta:
        ordering = ["provider__name", "name"]
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="model_once_per_provider")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not isinstance(self.extra, dict):
            raise ValidationError({"extra": _("Extra parameters must be a JSON object.")})

    def parameters(self) -> dict[str, Any]:
        """Sampling and extra parameters that are sent with each request."""
        sampling = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        extra: dict[str, Any] = self.extra
        return {name: value for name, value in sampling.items() if value is not None} | extra

    @property
    def is_embedded(self) -> bool:
        return self.provider.kind == Provider.Kind.EMBEDDED

    @property
    def batch_size(self) -> int:
        """How many tickets keep the model busy."""
        return 64 if self.is_embedded else 4 * self.max_in_flight

    @property
    def hand_size(self) -> int:
        """How many tickets a worker thread takes at a time.

        More would only wait in this thread while others are idle, and delay a person's ticket.
        """
        return self.batch_size if self.is_embedded else 2 * self.max_in_flight

    def cost(self, usage: Usage) -> Decimal:
        """The cost of this usage in the currency of the prices."""
        tokens = usage.input_tokens * self.price_input + usage.output_tokens * self.price_output
        return self.price_per_request * usage.requests + tokens / 1_000_000

    @property
    def dialect(self) -> Dialect:
        """How the endpoint has to be asked, as far as it is known. An unknown JSON mode leaves all to be detected."""
        mode = JsonMode(self.json_mode)
        known = [] if mode == JsonMode.UNKNOWN else self.unsupported
        return Dialect(json_mode=mode, unsupported=frozenset(map(Feature, known)))

    def remember(self, dialect: Dialect) -> None:
        """Store what the latest request found out; writes nothing if it is known."""
        if dialect.json_mode != JsonMode.UNKNOWN and dialect != self.dialect:
            self.json_mode, self.unsupported = dialect.json_mode, sorted(dialect.unsupported)
            self.save(update_fields=["json_mode", "unsupported"])


class Spend(models.Model):
    """A provider's cost on a UTC day: reserved before a request, settled afterwards. Budgets are checked against it."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="spends")
    day = models.DateField()
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["provider", "day"], name="spend_once_per_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.cost}"
