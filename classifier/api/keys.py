"""Keys of the HTTP API: made, found by what a request shows, revoked. A secret is told once and stored nowhere."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from classifier.models import ApiKey
from classifier.models.api_keys import PER_MINUTE

_SHOWN = re.compile(r"tclf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODYS = hashlib.sha256(b"").hexdigest()
_NOTED = timedelta(minutes=1)
"""The use of a key is written down at most so often."""


def create_key(
    name: str,
    user: User,
    scopes: Iterable[str],
    *,
    by: User | None = None,
    expires_at: datetime | None = None,
    per_minute: int = PER_MINUTE,
) -> tuple[ApiKey, str]:
    """A new key, and what to send along with requests: it cannot be had again."""
    key = ApiKey(name=name, user=user, scopes=list(scopes), expires_at=expires_at, per_minute=per_minute, created_by=by)
    shown = assign_secret(key)
    key.save(force_insert=True)
    return key, shown


def assign_secret(key: ApiKey) -> str:
    """Give a key that is not stored yet its prefix and digest; returns what to send along with requests."""
    secret = secrets.token_urlsafe(32)
    key.prefix, key.digest = secrets.token_hex(6), _digest(secret)
    return f"tclf_{key.prefix}_{secret}"


def find_by_token(shown: str) -> ApiKey | None:
    """The usable key that this is, with its person; notes that it was used (a second query at most once a minute)."""
    parts = _SHOWN.fullmatch(shown)
    prefix, secret = parts.groups() if parts else ("", "")
    key = ApiKey.objects.usable().select_related("user").filter(prefix=prefix).first()
    same = hmac.compare_digest(_digest(secret), key.digest if key else _NOBODYS)
    if key is None or not same:
        return None
    _note_use(key)
    return key


def revoke(keys: Iterable[ApiKey]) -> int:
    """End these keys, from the next request on. Returns how many were not revoked yet."""
    living = ApiKey.objects.filter(pk__in=[key.pk for key in keys], revoked_at=None)
    return living.update(revoked_at=timezone.now())


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - _NOTED:
        long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - _NOTED)
        ApiKey.objects.filter(long_ago, pk=key.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
