"""Saves a form that was submitted after the session ended, and restores it once its user has signed in again.

`{% form_token %}` in a form identifies the user it was rendered for. A view that is `recoverable` names the page that
restores its fields.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, QueryDict

from classifier.text import LONGEST_TICKET

V = TypeVar("V", bound=Callable[..., Any])

TOKEN_FIELD = "form_token"  # noqa: S105 - the name of the hidden field
MAX_CHARACTERS = LONGEST_TICKET + 20_000
SESSION_KEY = "recovered_form"


def recoverable(page: str | Callable[[HttpRequest], str]) -> Callable[[V], V]:
    """Decorate a view whose submitted fields are saved; `page` names the page that restores them, or a function of the
    request does.
    """

    def mark(view: V) -> V:
        view.recovery_page = page  # type: ignore[attr-defined]  # a mark for the middleware
        return view

    return mark


def form_token(user: Any) -> str:
    """Proves that this server rendered a form for this user; valid as long as a session."""
    return _signer().sign(str(user.pk))


def save_form(request: HttpRequest) -> bool:
    """Save the submitted fields for the user they belong to. Returns False if the token is invalid, another user is
    signed in, or the fields are too long.
    """
    fields = {name: values for name, values in request.POST.lists() if name not in (TOKEN_FIELD, "csrfmiddlewaretoken")}
    user_pk = _user_pk(request.POST.get(TOKEN_FIELD, ""))
    same_user = request.user.pk is None or str(request.user.pk) == user_pk
    if not user_pk or not same_user or _size(fields) > MAX_CHARACTERS or not request.resolver_match:
        return False
    request.session[SESSION_KEY] = {"view": request.resolver_match.view_name, "user": user_pk, "fields": fields}
    return True


def restore_form(request: HttpRequest, view_name: str) -> QueryDict | None:
    """The fields that this user submitted to this view, once; another user's are discarded."""
    saved = request.session.get(SESSION_KEY)
    if not saved:
        return None
    same_user = saved["user"] == str(request.user.pk)
    if same_user and saved["view"] != view_name:
        return None
    del request.session[SESSION_KEY]
    return _fields(saved["fields"]) if same_user else None


def _user_pk(token: str) -> str:
    """The user that the token was issued for; empty if it is invalid or expired, or the user is inactive."""
    try:
        user_pk = _signer().unsign(token, max_age=settings.SESSION_COOKIE_AGE)
    except BadSignature:
        return ""
    return user_pk if User.objects.filter(pk=user_pk, is_active=True).exists() else ""


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="classifier.form_recovery")


def _size(fields: dict[str, list[str]]) -> int:
    return sum(len(name) + sum(map(len, values)) for name, values in fields.items())


def _fields(saved: dict[str, list[str]]) -> QueryDict:
    fields = QueryDict(mutable=True)
    for name, values in saved.items():
        fields.setlist(name, values)
    return fields
