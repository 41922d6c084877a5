"""Signs and sends events to webhooks, and deletes old ones."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from classifier.integrations.outbox import OutboxRoute, OutgoingRequest
from classifier.models import Delivery, Event, Webhook, WriteBack
from classifier.security.secrets_from_env import MissingSecret, require_secret

RETENTION = timedelta(days=30)
"""How long deliveries can be looked at and sent again."""
_DELETED_AT_ONCE = 1_000
GONE = 410


def signed_request(delivery: Delivery) -> OutgoingRequest:
    """The request that delivers the event, signed now. Raises MissingSecret."""
    webhook, body = delivery.destination, delivery.event.body()
    secret = require_secret(webhook.secret_env)
    try:
        signature = _signature(secret, delivery.event.name, body)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise MissingSecret(
            _("%s isn't a signing secret: that is whsec_ followed by base64.") % webhook.secret_env
        ) from error
    headers = {"Content-Type": "application/json", "User-Agent": "ticketclf", **signature}
    return OutgoingRequest(Request(webhook.url, body, headers, method="POST"))  # noqa: S310 - the SSRF guard checks it


def _signature(secret: str, event_id: str, body: bytes) -> dict[str, str]:
    """The Standard Webhooks headers. Raises ValueError or EmptyWebhookSecretError for an invalid secret."""
    # The package ignores characters that are not base64 and would sign with a different key.
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    now = datetime.now(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(key).sign(event_id, now, body.decode()),
    }


def is_gone(delivery: Delivery, status: int) -> bool:
    """Whether the receiver answered 410 Gone; that turns the webhook off."""
    if status == GONE:
        Webhook.objects.filter(pk=delivery.destination_id).update(active=False)
    return status == GONE


ROUTE = OutboxRoute(rows=Delivery, build_request=signed_request, is_permanent_failure=is_gone)


@transaction.atomic(durable=True)
def delete_old() -> None:
    """Delete a bounded number of old events with their deliveries, and of settled write-backs."""
    cutoff = timezone.now() - RETENTION
    _delete(Event.objects.filter(created_at__lt=cutoff).order_by("created_at"))
    _delete(
        WriteBack.objects.filter(settled_at__lt=cutoff).exclude(state=WriteBack.State.WAITING).order_by("settled_at")
    )


def _delete(old: QuerySet[Any]) -> None:
    old.model._default_manager.filter(pk__in=list(old.values_list("pk", flat=True)[:_DELETED_AT_ONCE])).delete()
