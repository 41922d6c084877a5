"""Queries put together once per process: for small ones the ORM takes longer to write them than the database to answer.

Only where a decision waits for it; everywhere else querysets are plain.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=models.Model)

_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda number: 987_654_321_000 + number,
    str: lambda number: f"\x1fparameter {number}\x1f",
    UUID: lambda number: UUID(int=number + 1),
    datetime: lambda number: datetime(1999, 9, 9, 9, 9, 9, tzinfo=UTC) + timedelta(microseconds=number + 1),
}


class _Place(NamedTuple):
    """Where in the statement the value of a parameter goes."""

    name: str


class Prepared(Generic[M]):
    """Runs `build(**values)`, a queryset that depends on its parameters by filtering for them alone.

    Its SQL is made at the first call, with stand-ins for the values, and kept. Parameters are given with their types:
    integers, strings, UUIDs or aware datetimes.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M, Any]], **parameters: type) -> None:
        self._build, self._parameters = build, parameters
        self._made: tuple[type[M], str, list[Any]] | None = None

    def __call__(self, **values: Any) -> list[M]:
        """The rows as objects. Locks (`select_for_update`) need a transaction, as they do elsewhere."""
        model, sql, places = self._made = self._made or self._make()
        return list(model._base_manager.raw(sql, _filled(places, values)))

    def tuples(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows as the database gives them, for columns that are plain numbers or strings."""
        _model, sql, places = self._made = self._made or self._make()
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(places, values))
            return list(cursor.fetchall())

    def statement(self, **values: Any) -> tuple[str, list[Any]]:
        """The SQL and its parameters, as part of a larger statement."""
        _model, sql, places = self._made = self._made or self._make()
        return sql, _filled(places, values)

    def _make(self) -> tuple[type[M], str, list[Any]]:
        samples = {name: _STAND_INS[kind](number) for number, (name, kind) in enumerate(self._parameters.items())}
        query = self._query(samples)
        # Outside of a transaction a lock is not even written down.
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            sql, parameters = query.get_compiler(connection=connection).as_sql()
        found = {_adapted(sample): _Place(name) for name, sample in samples.items()}
        return query.model, sql, [found.get(parameter, parameter) for parameter in parameters]

    def _query(self, samples: dict[str, Any]) -> Any:
        return self._build(**samples).query


class PreparedUpdate(Prepared[M]):
    """An update, put together once likewise: `build` gives the rows, and what they are changed to."""

    def __init__(
        self, build: Callable[..., tuple[models.QuerySet[M, Any], dict[str, Any]]], **parameters: type
    ) -> None:
        super().__init__(lambda **samples: build(**samples)[0], **parameters)
        self._changing = build

    def carry_out(self, **values: Any) -> int:
        """How many rows it has changed."""
        sql, parameters = self.statement(**values)
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return int(cursor.rowcount)

    def _query(self, samples: dict[str, Any]) -> Any:
        query = super()._query(samples).chain(UpdateQuery)
        _rows, change = self._changing(**samples)
        query.add_update_values(change)
        return query


def _filled(places: list[Any], values: dict[str, Any]) -> list[Any]:
    adapted = {name: _adapted(value) for name, value in values.items()}
    return [adapted[place.name] if isinstance(place, _Place) else place for place in places]


def _adapted(value: Any) -> Any:
    """As the ORM hands it to the database."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return str(value) if isinstance(value, str) else value
