"""API keys, their rate limits, and stored replies for idempotent requests."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

PER_MINUTE = 600
"""Requests that a key may make, unless its row says otherwise."""


class Scope(models.TextChoices):
    CLASSIFY = "classify", _("classify texts and get the answer at once")
    TICKETS_READ = "tickets:read", _("read tickets")
    TICKETS_WRITE = "tickets:write", _("store tickets")
    DECISIONS_READ = "decisions:read", _("read decisions")
    DECISIONS_WRITE = "decisions:write", _("decide")
    TAXONOMY_READ = "taxonomy:read", _("read the taxonomy")
    MODELS_READ = "models:read", _("list models")
    BENCHMARK_READ = "benchmark:read", _("read benchmark runs")
    BENCHMARK_WRITE = "benchmark:write", _("start benchmark runs")
    DATASETS_READ = "datasets:read", _("export datasets")
    CERTIFICATES_READ = "certificates:read", _("read certificates and alarms")


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        """Keys that are neither revoked nor expired and belong to an active user."""
        lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(lasting, revoked_at=None, user__is_active=True)


class ApiKey(models.Model):
    """A secret that lets a program act as a user. Only a digest of it is stored."""

    name = models.CharField(
        _("name"), max_length=80, help_text=_("What uses the key, so that others know what they revoke.")
    )
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the secret.")
    user = models.ForeignKey(
        User,
        models.CASCADE,
        related_name="api_keys",
        verbose_name=_("acts as"),
        help_text=_(
            "The key has this person's permissions, limited by its scopes. Its actions are recorded under their name."
        ),
    )
    scopes = models.JSONField(_("scopes"), default=list)
    per_minute = models.PositiveIntegerField(
        _("requests per minute"),
        default=PER_MINUTE,
        help_text=_("Further requests are refused until the next minute. 0: no limit."),
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("made by")
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class RateLimitCounter(models.Model):
    """How many requests a key has made in the latest of its windows: one row a key, shared by all web processes."""

    key = models.OneToOneField(ApiKey, models.CASCADE, primary_key=True, related_name="allowance")
    window = models.BigIntegerField(help_text="Number of the window since 1970.")
    used = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.used} in {self.window}"


class StoredReply(models.Model):
    """The reply to a request with an Idempotency-Key; `status` is null while the request runs."""

    key = models.ForeignKey(ApiKey, models.CASCADE, db_index=False, related_name="replies")
    name = models.CharField(max_length=255, help_text="The value of Idempotency-Key.")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, address and body.")
    begun_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    content = models.TextField(blank=True)
    headers = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["key", "name"], name="reply_once_per_key")]

    def __str__(self) -> str:
        return self.name
