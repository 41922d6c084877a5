"""Long lists by cursor: found by key, so that the last page costs what the first does."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query, Schema
from pydantic import Field

from classifier.api.problems import Problem

Row = TypeVar("Row", bound=Model)
Out = TypeVar("Out")

MAX_PAGE_SIZE = 200


class PageParams(Schema):
    """Where a list goes on, and how far."""

    cursor: str = Field("", max_length=100, description="`next` of the page before; empty: the first page.")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="Rows on a page.")


PageQuery = Annotated[PageParams, Query()]


class Page(Schema, Generic[Out]):
    """Newest first. `next` is the cursor of the page after this one, null at the end; so says the Link header."""

    items: list[Out]
    next: str | None = None


def paginate(
    request: HttpRequest,
    response: HttpResponse,
    turn: PageParams,
    rows: QuerySet[Row],
    tell: Callable[[Sequence[Row]], list[Any]],
) -> dict[str, Any]:
    """A page of rows as `tell` tells them. Raises Problem for what is no cursor."""
    if turn.cursor:
        rows = rows.filter(pk__lt=_key(turn.cursor))
    found = list(rows.order_by("-pk")[: turn.limit + 1])
    shown = found[: turn.limit]
    following = _cursor(shown[-1].pk) if len(found) > turn.limit else None
    if following:
        query = request.GET.copy()
        query["cursor"] = following
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
    return {"items": tell(shown), "next": following}


def _cursor(key: int) -> str:
    return base64.urlsafe_b64encode(f"before:{key}".encode()).decode().rstrip("=")


def _key(cursor: str) -> int:
    try:
        told = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        told = ""
    key = told.removeprefix("before:")
    if key == told or not (key.isascii() and key.isdecimal()) or len(key) > 18:
        raise Problem(422, "That is no cursor: give `next` of the page before.", slug="invalid")
    return int(key)
