"""Cursor pagination by primary key, so the last page costs as much as the first."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query, Schema
from pydantic import Field

from classifier.api.problems import Problem

Item = TypeVar("Item", bound=Model)
Out = TypeVar("Out")

MAX_PAGE_SIZE = 200


class PageParams(Schema):
    """Which page of a list."""

    cursor: str = Field("", max_length=100, description="`next` of the previous page. Empty: the first page.")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="Items per page.")


PageQuery = Annotated[PageParams, Query()]


class Page(Schema, Generic[Out]):
    """Newest first. `next` is the cursor of the next page, null on the last one; the Link header has its address."""

    items: list[Out]
    next: str | None = None


def paginate(
    request: HttpRequest,
    response: HttpResponse,
    params: PageParams,
    queryset: QuerySet[Item],
    serialize: Callable[[Sequence[Item]], list[Any]],
) -> dict[str, Any]:
    """One page of the queryset. Raises Problem for an invalid cursor."""
    if params.cursor:
        queryset = queryset.filter(pk__lt=_key(params.cursor))
    fetched = list(queryset.order_by("-pk")[: params.limit + 1])
    items = fetched[: params.limit]
    next_cursor = _cursor(items[-1].pk) if len(fetched) > params.limit else None
    if next_cursor:
        query = request.GET.copy()
        query["cursor"] = next_cursor
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
    return {"items": serialize(items), "next": next_cursor}


def _cursor(key: int) -> str:
    return base64.urlsafe_b64encode(f"before:{key}".encode()).decode().rstrip("=")


def _key(cursor: str) -> int:
    try:
        decoded = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    key = decoded.removeprefix("before:")
    if key == decoded or not (key.isascii() and key.isdecimal()) or len(key) > 18:
        raise Problem(422, "The cursor is invalid. Use `next` of the previous page.", slug="invalid")
    return int(key)
