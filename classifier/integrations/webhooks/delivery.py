"""Events on their way to webhooks, and the end of what is long done."""

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
"""What was delivered, or given up, can be looked at and sent once more for so long."""
MOST_FORGOTTEN = 1_000
GONE = 410


def signed_request(delivery: Delivery) -> OutgoingRequest:
    """The event, signed now. Raises Missing."""
    webhook, body = delivery.destination, delivery.event.body()
    secret = require_secret(webhook.secret_env)
    try:
        signature = _signature(secret, delivery.event.name, body)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise MissingSecret(
            _("%s holds no signing secret: it is whsec_ and then base64.") % webhook.secret_env
        ) from error
    headers = {"Content-Type": "application/json", "User-Agent": "ticketclf", **signature}
    return OutgoingRequest(Request(webhook.url, body, headers, method="POST"))  # noqa: S310 - the way out looks at it


def _signature(secret: str, event_id: str, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks. Raises ValueError or EmptyWebhookSecretError for a secret that is no key."""
    # The package skips what is not base64, and would sign with a key that nobody else has.
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    now = datetime.now(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(key).sign(event_id, now, body.decode()),
    }


def is_gone(delivery: Delivery, status: int) -> bool:
    """A receiver that is gone for good is told nothing any more."""
    if status == GONE:
        Webhook.objects.filter(pk=delivery.destination_id).update(active=False)
    return status == GONE


ROUTE = OutboxRoute(rows=Delivery, going=signed_request, is_final=is_gone)


@transaction.atomic(durable=True)
def delete_old() -> None:
    """Remove what is that old, a bounded number at a time: events with their deliveries, and settled write-backs."""
    then = timezone.now() - RETENTION
    _remove(Event.objects.filter(created_at__lt=then).order_by("created_at"))
    _remove(WriteBack.objects.filter(settled_at__lt=then).exclude(state=WriteBack.State.WAITING).order_by("settled_at"))


def _remove(old: QuerySet[Any]) -> None:
    old.model._default_manager.filter(pk__in=list(old.values_list("pk", flat=True)[:MOST_FORGOTTEN])).delete()
