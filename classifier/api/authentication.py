"""Authenticates API requests by key, and checks the key's scope and its owner's permission."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from classifier.api import keys, rate_limits
from classifier.api.problems import MEDIA_TYPE, SCHEMA, Problem
from classifier.api.rate_limits import RateLimitStatus
from classifier.models import ApiKey
from classifier.models.api_keys import Scope


class ApiRequest(HttpRequest):
    """A request that was authenticated."""

    auth: ApiKey
    user: User
    rate_limit: RateLimitStatus | None


class ApiKeyAuth(HttpBearer):
    """Requires a key with this scope, whose owner has this permission.

    Sessions don't count, so another site cannot make a browser call the API.
    """

    def __init__(self, scope: Scope, permission: str) -> None:
        super().__init__()
        self.scope, self.permission = scope, permission

    def __call__(self, request: HttpRequest) -> ApiKey | None:
        token = request.headers.get("X-API-Key")
        key: ApiKey | None = self.authenticate(request, token) if token else super().__call__(request)
        return key

    def authenticate(self, request: Any, token: str) -> ApiKey | None:
        key = keys.find_by_token(token)
        if key is None:
            return None
        request.auth, request.user = key, key.user
        request.rate_limit = rate_limits.count_request(key)
        _check_rate_limit(request.rate_limit)
        if self.scope.value not in key.scopes:
            raise Problem(403, f"This key lacks the scope {self.scope.value}.", slug="missing-scope")
        if not key.user.has_perm(self.permission):
            raise Problem(403, f"This key's user lacks the permission {self.permission}.", slug="missing-permission")
        return key


def _check_rate_limit(status: RateLimitStatus | None) -> None:
    if status and not status.granted:
        raise Problem(
            429,
            f"This key may make {status.limit} requests a minute. Try again in {status.reset_seconds} seconds.",
            slug="rate-limit",
            headers={"Retry-After": str(status.reset_seconds)},
        )


def requires(scope: Scope, permission: str, **more: Any) -> dict[str, Any]:
    """Keyword arguments for an operation: its authentication, and what the schema says about it and about errors.

    `more` is added to the operation in the schema.
    """
    problem = {"description": "A problem (RFC 9457).", "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
    extra = {"x-scope": scope.value, "x-permission": permission, "responses": {"default": problem}}
    return {"auth": ApiKeyAuth(scope, permission), "openapi_extra": extra | more}
