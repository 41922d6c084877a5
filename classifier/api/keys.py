"""Creates, finds and revokes API keys. The token is shown once; only a digest of its secret is stored."""

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

_TOKEN = re.compile(r"tclf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_UNKNOWN_DIGEST = hashlib.sha256(b"").hexdigest()
_USE_RECORDED_EVERY = timedelta(minutes=1)


def create_key(
    name: str,
    user: User,
    scopes: Iterable[str],
    *,
    by: User | None = None,
    expires_at: datetime | None = None,
    per_minute: int = PER_MINUTE,
) -> tuple[ApiKey, str]:
    """Create a key; returns it with its token, which cannot be shown again."""
    key = ApiKey(name=name, user=user, scopes=list(scopes), expires_at=expires_at, per_minute=per_minute, created_by=by)
    token = assign_secret(key)
    key.save(force_insert=True)
    return key, token


def assign_secret(key: ApiKey) -> str:
    """Give an unsaved key its prefix and digest; returns its token."""
    secret = secrets.token_urlsafe(32)
    key.prefix, key.digest = secrets.token_hex(6), _digest(secret)
    return f"tclf_{key.prefix}_{secret}"


def find_by_token(token: str) -> ApiKey | None:
    """The usable key with this token, and its user (one query, and once a minute a second that records its use)."""
    parts = _TOKEN.fullmatch(token)
    prefix, secret = parts.groups() if parts else ("", "")
    key = ApiKey.objects.usable().select_related("user").filter(prefix=prefix).first()
    matches = hmac.compare_digest(_digest(secret), key.digest if key else _UNKNOWN_DIGEST)
    if key is None or not matches:
        return None
    _record_use(key)
    return key


def revoke(keys: Iterable[ApiKey]) -> int:
    """Revoke these keys with immediate effect. Returns how many were not revoked yet."""
    active = ApiKey.objects.filter(pk__in=[key.pk for key in keys], revoked_at=None)
    return active.update(revoked_at=timezone.now())


def _record_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - _USE_RECORDED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_RECORDED_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
