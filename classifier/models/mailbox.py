"""Mailboxes whose messages become tickets. `available_at` says when a worker may check one."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.models.lease import Leasable, LeasableQuerySet
from classifier.security.secrets_from_env import validate_variable_name


class MailboxQuerySet(LeasableQuerySet["Mailbox"]):
    def due(self) -> "MailboxQuerySet":
        """Active mailboxes that a worker may check now."""
        return self.filter(active=True).free()


class Mailbox(Leasable):
    class Security(models.TextChoices):
        TLS = "tls", _("TLS from the start")
        STARTTLS = "starttls", _("STARTTLS")
        NONE = "none", _("none: the password is sent unencrypted")

    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(
        _("short name"),
        max_length=40,
        unique=True,
        help_text=_("The source of the tickets is “mail:” and this name. It can't be changed later."),
    )
    host = models.CharField(_("host"), max_length=200)
    port = models.PositiveIntegerField(
        _("port"), default=993, validators=[MinValueValidator(1), MaxValueValidator(65_535)]
    )
    security = models.CharField(_("security"), max_length=8, choices=Security, default=Security.TLS)
    user = models.CharField(_("user"), max_length=200)
    password_env = models.CharField(
        _("password variable"),
        max_length=80,
        validators=[validate_variable_name],
        help_text=_("Environment variable that holds the password. The password itself is never stored."),
    )
    folder = models.CharField(_("folder"), max_length=200, default="INBOX")
    skip_bulk = models.BooleanField(
        _("skip bulk mail"),
        default=False,
        help_text=_("Mail that a list or a newsletter sends. Leave it off if the support address is a group."),
    )
    active = models.BooleanField(_("active"), default=True)
    checked_at = models.DateTimeField(_("last checked"), null=True, editable=False)
    error = models.CharField(_("error"), max_length=300, blank=True, editable=False)
    stored = models.PositiveBigIntegerField(_("messages stored"), default=0, editable=False)
    skipped = models.PositiveBigIntegerField(
        _("messages skipped"),
        default=0,
        editable=False,
        help_text=_("Automatic replies, bounces and empty messages. They are flagged in the mailbox."),
    )

    objects = MailboxQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["available_at", "owner", "checked_at", "error", "stored", "skipped"])

    class Meta:
        ordering = ["name"]
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")

    def __str__(self) -> str:
        return self.name

    @property
    def source(self) -> str:
        return f"mail:{self.slug}"
