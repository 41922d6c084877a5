"""The outbox: events, webhooks, and requests to send to other servers.

The rows are the queue: `available_at` says when a worker may take a waiting request.
"""

import json
from typing import Any, Self
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.models.lease import Leasable, LeasableQuerySet
from classifier.models.ticket import Ticket
from classifier.security.secrets_from_env import validate_variable_name

delivery_queued = Signal()
"""Sent after the commit that left something to be sent."""


class Destination(models.Model):
    """Another server that requests are sent to."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    active = models.BooleanField(_("active"), default=True)
    paused_until = models.DateTimeField(
        _("paused until"), null=True, editable=False, help_text=_("The server failed recently or asked for a pause.")
    )

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OutgoingQuerySet(LeasableQuerySet[Any]):
    def waiting(self) -> Self:
        return self.filter(state=Outgoing.State.WAITING)

    def due(self) -> Self:
        """Waiting requests that a worker may take."""
        return self.waiting().free()

    def requeue(self) -> int:
        """Send these again, whatever their state; requests in progress are sent again afterwards. Returns how many."""
        fresh: dict[str, Any] = {"state": Outgoing.State.WAITING, "attempts": 0, "settled_at": None}
        revision = F("revision") + 1
        waiting = self.waiting().update(revision=revision)
        return waiting + self.exclude(state=Outgoing.State.WAITING).release(revision=revision, **fresh)


class Outgoing(Leasable):
    """A request to a destination, and its state."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        GIVEN_UP = "given_up", _("given up")

    destination: models.ForeignKey[Any, Any]
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    revision = models.PositiveIntegerField(default=1, help_text="Increases each time it is queued again.")
    status = models.PositiveSmallIntegerField(
        _("status"), null=True, help_text=_("HTTP status of the latest response.")
    )
    error = models.CharField(_("error"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled"), null=True)

    objects = OutgoingQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", settled_at=None)
                | Q(state__in=["delivered", "given_up"], settled_at__isnull=False),
                name="%(class)s_settled_or_waiting",
            ),
        ]
        indexes = [
            models.Index(
                fields=["destination", "available_at"], condition=Q(state="waiting"), name="%(class)s_waiting"
            ),
            models.Index(fields=["-id"], condition=Q(state="given_up"), name="%(class)s_given_up"),
        ]


class EventKind(models.TextChoices):
    """What events there are."""

    CLASSIFIED = "ticket.classified", _("a ticket was classified")
    DECIDED = "ticket.decided", _("people decided on a label")
    REOPENED = "ticket.reopened", _("a ticket was reopened for review")
    GRANTED = "certificate.granted", _("a certificate was granted")
    REVOKED = "certificate.revoked", _("a certificate ended")
    ALARM = "alarm.raised", _("an alarm stopped auto-accept")
    TEST = "webhook.test", _("a test")


def all_event_kinds() -> list[str]:
    """Event kinds that a webhook can subscribe to; test events are sent on demand."""
    return [kind.value for kind in EventKind if kind != EventKind.TEST]


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def active(self) -> "WebhookQuerySet":
        return self.filter(active=True)

    def wanting(self, kind: str) -> "list[Webhook]":
        """Active webhooks that subscribe to this kind of event (one query)."""
        return [webhook for webhook in self.active() if kind in webhook.kinds]


class Webhook(Destination):
    """A URL that events are sent to."""

    url = models.URLField(_("URL"), max_length=500)
    secret_env = models.CharField(
        _("secret variable"),
        max_length=80,
        validators=[validate_variable_name],
        help_text=_("Environment variable that holds the signing secret: whsec_ followed by base64."),
    )
    kinds = models.JSONField(_("events"), default=all_event_kinds)

    objects = WebhookQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["paused_until"])

    class Meta(Destination.Meta):
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")


class Event(models.Model):
    """Something that happened, as its payload; written in the same transaction."""

    uid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=30, choices=EventKind)
    created_at = models.DateTimeField(_("when"), default=timezone.now, db_index=True)
    data = models.JSONField(_("data"))
    ticket = models.ForeignKey(Ticket, models.CASCADE, null=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The event's ID, the same for every attempt and receiver."""
        return f"evt_{self.uid.hex}"

    def body(self) -> bytes:
        """The payload; the same bytes every time."""
        payload = {"id": self.name, "type": self.kind, "created_at": self.created_at.isoformat(), "data": self.data}
        return json.dumps(payload, ensure_ascii=False).encode()


class Delivery(Outgoing):
    """An event on its way to one webhook."""

    destination = models.ForeignKey(
        Webhook, models.CASCADE, db_index=False, related_name="deliveries", verbose_name=_("webhook")
    )
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", verbose_name=_("event"))

    class Meta(Outgoing.Meta):
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            *Outgoing.Meta.constraints,
            models.UniqueConstraint(fields=["event", "destination"], name="delivery_once_per_webhook"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} -> {self.destination_id}"
