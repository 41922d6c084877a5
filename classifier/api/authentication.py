"""Who is calling, and what they may: a key, its scope, and the permission of the person whom it acts as."""

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
    """One that has come past the doorkeeper."""

    auth: ApiKey
    user: User
    allowed: RateLimitStatus | None


class ApiKeyAuth(HttpBearer):
    """Lets a request through that shows a key of this scope, of a person with this permission.

    A session does not count, so that no page elsewhere can have a browser call the API.
    """

    def __init__(self, scope: Scope, permission: str) -> None:
        super().__init__()
        self.scope, self.permission = scope, permission

    def __call__(self, request: HttpRequest) -> ApiKey | None:
        shown = request.headers.get("X-API-Key")
        found: ApiKey | None = self.authenticate(request, shown) if shown else super().__call__(request)
        return found

    def authenticate(self, request: Any, token: str) -> ApiKey | None:
        key = keys.find_by_token(token)
        if key is None:
            return None
        request.auth, request.user = key, key.user
        request.allowed = rate_limits.count_request(key)
        _check_allowance(request.allowed)
        if self.scope.value not in key.scopes:
            raise Problem(403, f"This key lacks the scope {self.scope.value}.", slug="missing-scope")
        if not key.user.has_perm(self.permission):
            lacking = f"The person whom this key acts as lacks the permission {self.permission}."
            raise Problem(403, lacking, slug="missing-permission")
        return key


def _check_allowance(allowed: RateLimitStatus | None) -> None:
    if allowed and not allowed.granted:
        raise Problem(
            429,
            f"This key may make {allowed.limit} requests a minute; go on in {allowed.seconds} seconds.",
            slug="rate-limit",
            headers={"Retry-After": str(allowed.seconds)},
        )


def requires(scope: Scope, permission: str, **more: Any) -> dict[str, Any]:
    """Arguments of an operation: who may call it, as the schema says too, and that any error is a problem.

    `more` goes into the schema as well.
    """
    problem = {"description": "A problem.", "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
    told = {"x-scope": scope.value, "x-permission": permission, "responses": {"default": problem}}
    return {"auth": ApiKeyAuth(scope, permission), "openapi_extra": told | more}
