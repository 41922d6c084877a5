"""Answers to requests that may be sent again: the first is kept for a day and given again, nothing is done twice."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import ApiKey, StoredReply

RETENTION = timedelta(days=1)
MAX_REQUEST_TIME = timedelta(minutes=5)
"""No request takes longer: one that is still under way then was left by a process that died."""
_SWEPT_AT_ONCE = 1_000
_TRIES = 3


class KeyReused(Exception):
    """Something else was sent under this name before."""


class RequestInProgress(Exception):
    """The first request of this name has not been answered yet."""


def begin(key: ApiKey, name: str, fingerprint: str) -> StoredReply:
    """The reply that was kept, or a row without a status, to be answered and kept by the caller.

    Of two requests at once a constraint lets one begin. Raises UnderWay for the other one, and OtherRequest.
    """
    for _try in range(_TRIES):
        try:
            with transaction.atomic():
                return StoredReply.objects.create(key=key, name=name, fingerprint=fingerprint)
        except IntegrityError:
            kept = StoredReply.objects.filter(key=key, name=name).first()
        if kept is None or StoredReply.objects.filter(_over(), pk=kept.pk).delete()[0]:
            continue
        if kept.fingerprint != fingerprint:
            raise KeyReused
        if kept.status is not None:
            return kept
        break
    raise RequestInProgress


def complete(reply: StoredReply, status: int, content: str, headers: Mapping[str, str]) -> None:
    """Keep what was answered."""
    StoredReply.objects.filter(pk=reply.pk, status=None).update(status=status, content=content, headers=dict(headers))


def discard(reply: StoredReply) -> None:
    """The request came to nothing and may be sent again."""
    StoredReply.objects.filter(pk=reply.pk, status=None).delete()


def delete_expired() -> None:
    """Delete what nobody will ask for any more, so many at once."""
    over = StoredReply.objects.filter(_over()).order_by("begun_at").values("pk")[:_SWEPT_AT_ONCE]
    StoredReply.objects.filter(pk__in=list(over.values_list("pk", flat=True))).delete()


def _over() -> Q:
    now = timezone.now()
    return Q(begun_at__lt=now - RETENTION) | Q(begun_at__lt=now - MAX_REQUEST_TIME, status=None)
