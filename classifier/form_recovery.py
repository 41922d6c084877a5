"""What somebody typed is kept while they sign in again, for a session may end while a form is open.

A form says with `{% form_token %}` to whom it was given. Where it comes back without a session, to a view that
`keeps_input`, its fields wait for that person; the page that signing in leads to takes them.
"""

from __future__ import annotations

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
    """Marks a view whose posted fields are kept, with the name of the page that takes them after signing in, or with
    what tells that name from the fields.
    """

    def mark(view: V) -> V:
        view.recovery_page = page  # type: ignore[attr-defined]  # a mark for the middleware
        return view

    return mark


def form_token(user: Any) -> str:
    """Says that this server gave a form to this person; good for as long as a session may last."""
    return _signer().sign(str(user.pk))


def save_form(request: HttpRequest) -> bool:
    """Put the fields of a form aside for the person it was given to. Returns whether there is such a person, who may
    not be another than the one signed in, and whether the fields are not too long.
    """
    fields = {name: values for name, values in request.POST.lists() if name not in (TOKEN_FIELD, "csrfmiddlewaretoken")}
    person = _person(request.POST.get(TOKEN_FIELD, ""))
    theirs = request.user.pk is None or str(request.user.pk) == person
    if not person or not theirs or _size(fields) > MAX_CHARACTERS or not request.resolver_match:
        return False
    request.session[SESSION_KEY] = {"view": request.resolver_match.view_name, "person": person, "fields": fields}
    return True


def restore_form(request: HttpRequest, view_name: str) -> QueryDict | None:
    """The fields that the person now signed in had posted to this view, once; those of another are thrown away."""
    kept = request.session.get(SESSION_KEY)
    if not kept:
        return None
    mine = kept["person"] == str(request.user.pk)
    if mine and kept["view"] != view_name:
        return None
    del request.session[SESSION_KEY]
    return _fields(kept["fields"]) if mine else None


def _person(token: str) -> str:
    """The key of whom a form was given to; empty where this server gave none, or too long ago, or who has left."""
    try:
        person = _signer().unsign(token, max_age=settings.SESSION_COOKIE_AGE)
    except BadSignature:
        return ""
    return person if User.objects.filter(pk=person, is_active=True).exists() else ""


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="classifier.form_recovery")


def _size(fields: dict[str, list[str]]) -> int:
    return sum(len(name) + sum(map(len, values)) for name, values in fields.items())


def _fields(kept: dict[str, list[str]]) -> QueryDict:
    fields = QueryDict(mutable=True)
    for name, values in kept.items():
        fields.setlist(name, values)
    return fields
