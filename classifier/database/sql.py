"""Hand-written SQL for the few statements that every decision waits for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Field, JSONField, Model

M = TypeVar("M", bound=Model)
Values = Sequence[Any] | Mapping[str, Any]


def fetch_rows(sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
    """The rows as the database returns them, so for columns of plain numbers or strings."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(values))
        return list(cursor.fetchall())


def execute(sql: str, values: Values = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(values))


def fetch_objects(model: type[M], sql: str, values: Values = (), *, without: str = "") -> Iterator[tuple[M, list[Any]]]:
    """Objects from a statement that selects their `columns` first, each with whatever else it selects."""
    fields = _fields(model, without)
    names = [field.attname for field in fields]
    for row in fetch_rows(sql, values):
        own = [_python_value(field, value) for field, value in zip(fields, row, strict=False)]
        yield model.from_db(connection.alias, names, own), list(row[len(fields) :])


@cache
def columns(model: type[Model], table: str = "", *, without: str = "") -> str:
    """The columns of a model for `SELECT` or `RETURNING`, as `fetch_objects` expects them, `without` that field."""
    prefix = f"{table}." if table else ""
    return ", ".join(f'{prefix}"{field.column}"' for field in _fields(model, without))


def placeholders(values: Sequence[Any]) -> str:
    """A placeholder for each value, for `IN (...)`."""
    return ", ".join(["%s"] * len(values))


def for_update() -> str:
    """The clause that locks selected rows until the transaction ends. SQLite has already locked the whole database."""
    return " FOR UPDATE" if connection.features.has_select_for_update else ""


@cache
def _fields(model: type[Model], without: str) -> list[Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if field.name != without]


def _python_value(field: Field[Any, Any], value: Any) -> Any:
    """The value as Python has it. SQLite keeps times as text in UTC, without saying so."""
    if isinstance(field, JSONField):
        return json.loads(value) if isinstance(value, str) else value
    value = field.to_python(value)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _parameters(values: Values) -> Values:
    """The values with times as the database stores them."""
    if isinstance(values, Mapping):
        return {name: _adapted(value) for name, value in values.items()}
    return [_adapted(value) for value in values]


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
