"""Stores replies to requests with an Idempotency-Key for a day."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import ApiKey, StoredReply

RETENTION = timedelta(days=1)
MAX_REQUEST_TIME = timedelta(minutes=5)
"""A request still unanswered after this was left by a process that died."""
_DELETED_AT_ONCE = 1_000
_TRIES = 3


class KeyReused(Exception):
    """The Idempotency-Key was used for a different request."""


class RequestInProgress(Exception):
    """The first request with this Idempotency-Key has no reply yet."""


def begin(key: ApiKey, name: str, fingerprint: str) -> StoredReply:
    """Return the stored reply, or a new row without a status for the caller to complete or discard.

    A unique constraint lets one of two simultaneous requests begin; the other raises RequestInProgress. Raises
    KeyReused if the fingerprint differs.
    """
    for _try in range(_TRIES):
        try:
            with transaction.atomic():
                return StoredReply.objects.create(key=key, name=name, fingerprint=fingerprint)
        except IntegrityError:
            stored = StoredReply.objects.filter(key=key, name=name).first()
        if stored is None or StoredReply.objects.filter(_expired(), pk=stored.pk).delete()[0]:
            continue
        if stored.fingerprint != fingerprint:
            raise KeyReused
        if stored.status is not None:
            return stored
        break
    raise RequestInProgress


def complete(reply: StoredReply, status: int, content: str, headers: Mapping[str, str]) -> None:

    StoredReply.objects.filter(pk=reply.pk, status=None).update(status=status, content=content, headers=dict(headers))


def discard(reply: StoredReply) -> None:
    """Let the request be sent again, since it did nothing."""
    StoredReply.objects.filter(pk=reply.pk, status=None).delete()


def delete_expired() -> None:
    """Delete a bounded number of expired replies."""
    expired = StoredReply.objects.filter(_expired()).order_by("begun_at").values("pk")[:_DELETED_AT_ONCE]
    StoredReply.objects.filter(pk__in=list(expired.values_list("pk", flat=True))).delete()


def _expired() -> Q:
    now = timezone.now()
    return Q(begun_at__lt=now - RETENTION) | Q(begun_at__lt=now - MAX_REQUEST_TIME, status=None)
