"""Webhooks, help desks, mailboxes and the outbox in the admin."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from classifier.admin.editing import EditForm
from classifier.admin.history import HistoryAdmin
from classifier.admin.tickets import ReadOnlyAdmin
from classifier.ingest import mailboxes
from classifier.integrations.webhooks import events
from classifier.models import Delivery, Event, HelpDesk, Mailbox, Webhook, WriteBack
from classifier.models.outbox import EventKind, all_event_kinds
from classifier.security import ssrf
from classifier.security.secrets_from_env import secret_or_empty


def _secret_status(variable: str) -> str:
    """Whether the secret is set in this process's environment."""
    if not variable:
        return gettext("none needed")
    return gettext("set") if secret_or_empty(variable) else gettext("missing %s") % variable


def _checked_url(form: forms.ModelForm, name: str) -> str:
    url: str = form.cleaned_data[name]
    try:
        if url and name in form.changed_data:
            ssrf.check_url(url)
    except ssrf.ForbiddenAddress as error:
        raise forms.ValidationError(str(error)) from error
    return url


class WebhookForm(EditForm):
    kinds = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(kind.value, kind.label) for kind in EventKind if kind != EventKind.TEST],
        widget=forms.CheckboxSelectMultiple,
        initial=all_event_kinds,
    )

    def clean_url(self) -> str:
        return _checked_url(self, "url")


@admin.register(Webhook)
class WebhookAdmin(HistoryAdmin):
    form = WebhookForm
    list_display = ("name", "active", "secret", "paused_until")
    fields = ("name", "url", "secret_env", "kinds", "active")
    actions = ("send_test",)

    @admin.display(description=_("secret"))
    def secret(self, webhook: Webhook) -> str:
        return _secret_status(webhook.secret_env)

    @admin.action(description=_("Send a test event"), permissions=["change"])
    def send_test(self, request: HttpRequest, webhooks: QuerySet[Webhook]) -> None:
        for webhook in webhooks:
            events.send_test(webhook)
        self.message_user(request, gettext("Test event queued. See Deliveries for the result."))


class HelpDeskForm(EditForm):
    def clean_base_url(self) -> str:
        return _checked_url(self, "base_url")


@admin.register(HelpDesk)
class HelpDeskAdmin(HistoryAdmin):
    form = HelpDeskForm
    list_display = ("name", "kind", "active", "secret", "write_back", "token", "paused_until")
    fieldsets = (
        (None, {"fields": ("name", "kind", "slug", "address", "secret_env", "active")}),
        (
            _("Write-back"),
            {
                "fields": (
                    *("write_back", "base_url", "account", "token_env"),
                    *("category_field", "further_categories_field", "sentiment_field", "state_field"),
                )
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: HelpDesk | None = None) -> tuple[str, ...]:
        # The short name identifies its tickets.
        return ("address", "slug") if obj else ("address",)

    @admin.display(description=_("webhook URL"))
    def address(self, help_desk: HelpDesk) -> str:
        return (
            settings.SITE_URL + reverse("classifier:helpdesk_event", args=[help_desk.slug]) if help_desk.slug else "–"
        )

    @admin.display(description=_("secret"))
    def secret(self, help_desk: HelpDesk) -> str:
        return _secret_status(help_desk.secret_env)

    @admin.display(description=_("token"))
    def token(self, help_desk: HelpDesk) -> str:
        return _secret_status(help_desk.token_env)


class MailboxForm(EditForm):
    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        try:
            if values.get("host") and values.get("port") and {"host", "port"}.intersection(self.changed_data):
                ssrf.check_host(values["host"], values["port"])
        except ssrf.ForbiddenAddress as error:
            self.add_error("host", str(error))
        return values


@admin.register(Mailbox)
class MailboxAdmin(HistoryAdmin):
    form = MailboxForm
    list_display = ("name", "active", "password", "checked_at", "error", "stored", "skipped")
    fields = ("name", "slug", "host", "port", "security", "user", "password_env", "folder", "skip_bulk", "active")
    actions = ("check_now",)

    def get_readonly_fields(self, request: HttpRequest, obj: Mailbox | None = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    @admin.display(description=_("password"))
    def password(self, mailbox: Mailbox) -> str:
        return _secret_status(mailbox.password_env)

    @admin.action(description=_("Check now"), permissions=["change"])
    def check_now(self, request: HttpRequest, chosen: QuerySet[Mailbox]) -> None:
        mailboxes.fetch_soon([mailbox.pk for mailbox in chosen])
        self.message_user(request, gettext("A worker checks the mailbox within 15 seconds."))


class OutgoingAdmin(ReadOnlyAdmin):
    """Outgoing requests can be viewed and sent again."""

    list_filter = ("state", "destination")
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    @admin.action(description=_("Send again"), permissions=["replay"])
    def replay(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        number = events.resend(rows.model.objects.filter(pk__in=list(rows.values_list("pk", flat=True))))
        self.message_user(request, ngettext("%d is sent again.", "%d are sent again.", number) % number)


@admin.register(Delivery)
class DeliveryAdmin(OutgoingAdmin):
    list_display = ("pk", "destination", "kind", "state", "attempts", "status", "error", "available_at", "created_at")
    list_select_related = ("destination", "event")
    raw_id_fields = ("event",)

    @admin.display(description=_("event"))
    def kind(self, delivery: Delivery) -> str:
        return delivery.event.kind


@admin.register(WriteBack)
class WriteBackAdmin(OutgoingAdmin):
    list_display = ("ticket_id", "destination", "state", "attempts", "status", "error", "available_at", "written")
    list_select_related = ("destination",)
    raw_id_fields = ("ticket",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "ticket_id", "created_at")
    list_filter = ("kind",)
    raw_id_fields = ("ticket",)
