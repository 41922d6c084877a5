"""Help desks that tickets come from, and write-backs to them."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.models.outbox import Destination, Outgoing
from classifier.models.ticket import Ticket
from classifier.security.secrets_from_env import validate_variable_name


class HelpDeskQuerySet(models.QuerySet["HelpDesk"]):
    def active(self) -> "HelpDeskQuerySet":
        return self.filter(active=True)

    def writing_back(self) -> "HelpDeskQuerySet":
        return self.active().filter(write_back=True)


class HelpDesk(Destination):
    class Kind(models.TextChoices):
        ZENDESK = "zendesk", "Zendesk"
        FRESHDESK = "freshdesk", "Freshdesk"
        INTERCOM = "intercom", "Intercom"
        ZAMMAD = "zammad", "Zammad"
        CHATWOOT = "chatwoot", "Chatwoot"

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    slug = models.SlugField(
        _("short name"),
        unique=True,
        help_text=_("Part of the webhook URL, and the source of the tickets. It can't be changed later."),
    )
    secret_env = models.CharField(
        _("secret variable"),
        max_length=80,
        validators=[validate_variable_name],
        help_text=_("Environment variable with the secret that the help desk signs with or sends."),
    )
    write_back = models.BooleanField(_("write back"), default=False)
    base_url = models.URLField(
        _("base URL"),
        blank=True,
        help_text=_("URL of the help desk's API without a path, as in https://example.zendesk.com."),
    )
    account = models.CharField(
        _("account"),
        max_length=200,
        blank=True,
        help_text=_("Zendesk: the user's e-mail address. Chatwoot: the account number."),
    )
    token_env = models.CharField(
        _("token variable"),
        max_length=80,
        blank=True,
        validators=[validate_variable_name],
        help_text=_("Environment variable with the token for the help desk's API."),
    )
    category_field = models.CharField(_("category field"), max_length=100, blank=True)
    further_categories_field = models.CharField(
        _("field for further categories"),
        max_length=100,
        blank=True,
        db_default="",
        help_text=_("Receives their names, with semicolons between them."),
    )
    sentiment_field = models.CharField(_("sentiment field"), max_length=100, blank=True)
    state_field = models.CharField(
        _("field for the state"),
        max_length=100,
        blank=True,
        help_text=_("Receives needs_review, auto_accepted or settled."),
    )

    objects = HelpDeskQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["paused_until"])

    class Meta(Destination.Meta):
        verbose_name = _("help desk")
        verbose_name_plural = _("help desks")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(write_back=False) | ~models.Q(base_url="") & ~models.Q(token_env=""),
                name="helpdesk_can_be_reached",
                violation_error_message=_("Writing back needs a base URL and a token variable."),
            ),
        ]


class WriteBack(Outgoing):
    """The latest state of a ticket that its help desk should show."""

    destination = models.ForeignKey(
        HelpDesk, models.CASCADE, db_index=False, related_name="write_backs", verbose_name=_("help desk")
    )
    ticket = models.OneToOneField(Ticket, models.CASCADE, related_name="+", verbose_name=_("ticket"))
    written = models.JSONField(_("written"), default=dict, help_text="The state written last.")

    class Meta(Outgoing.Meta):
        verbose_name = _("write-back")
        verbose_name_plural = _("write-backs")
        indexes = [
            *Outgoing.Meta.indexes,
            models.Index(fields=["settled_at"], condition=~models.Q(state="waiting"), name="writeback_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id} -> {self.destination_id}"
