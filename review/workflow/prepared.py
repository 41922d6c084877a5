"""Statements put together once per process: for small ones the ORM takes longer to write them than the database to
answer. PostgreSQL plans them once per connection, too.

Only where a decision waits for it; everywhere else querysets are plain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import psycopg
from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=models.Model)

_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda number: 987_654_321_000 + number,
    str: lambda number: f"\x1fparameter {number}\x1f",
    UUID: lambda number: UUID(int=number + 1),
    datetime: lambda number: datetime(1999, 9, 9, 9, 9, 9, tzinfo=UTC) + timedelta(microseconds=number + 1),
}


def rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement gives, as the database has it, so for columns that are plain numbers or strings."""
    with _executed(sql, values) as cursor:
        return list(cursor.fetchall())


def changed(sql: str, values: Sequence[Any]) -> int:
    """How many rows a statement has changed."""
    with _executed(sql, values) as cursor:
        return int(cursor.rowcount)


class _PlanningCursor(psycopg.Cursor[Any]):
    """Sends values beside the statement, unlike Django's own: only so is it the same each time, and stays planned."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        # Here Django looks for what it logs.
        self._query = super()._convert_query(query, params)
        return self._query


def _executed(sql: str, values: Sequence[Any]) -> CursorWrapper:
    cursor = connection.cursor()
    if connection.vendor == "postgresql":
        cursor.cursor = _PlanningCursor(cursor.cursor.connection)
    cursor.execute(sql, [_adapted(value) for value in values])
    return cursor


def _adapted(value: Any) -> Any:
    """As the ORM hands it to the database."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return str(value) if isinstance(value, str) else value


class Columns(Generic[M]):
    """Rows as objects of a model whose fields, those named or all, are the first columns.

    A statement names each column: one that stays planned fails where a migration adds to what `*` stands for.
    """

    def __init__(self, model: type[M], *names: str) -> None:
        self._model, self._given = model, names

    def of(self, table: str) -> str:
        """The columns of this table or alias, as a statement lists them."""
        return ", ".join(f'{table}."{field.column}"' for field in self._fields)

    def objects(self, sql: str, values: Sequence[Any]) -> list[M]:
        return [found for found, _beside in self.objects_and_more(sql, values)]

    def objects_and_more(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[M, tuple[Any, ...]]]:
        """With each object the columns beside its own, as the database gives them."""
        for row in rows(sql, values):
            own, beside = list(row[: len(self._fields)]), row[len(self._fields) :]
            for position, converters, column in self._converted:
                for convert in converters:
                    own[position] = convert(own[position], column, connection)
            yield self._model.from_db(connection.alias, self._names, own), beside

    def insert(self, made: M) -> None:
        """Write one new object, which gets its key by that."""
        sql, fields = self._insertion
        values = [field.get_db_prep_save(field.pre_save(made, True), connection) for field in fields]
        ((made.pk,),) = rows(sql, values)
        made._state.adding, made._state.db = False, connection.alias

    @cached_property
    def _insertion(self) -> tuple[str, list[models.Field[Any, Any]]]:
        fields = [field for field in self._fields if not field.primary_key]
        quoted = ", ".join(f'"{field.column}"' for field in fields)
        into = f"INSERT INTO {self._model._meta.db_table} ({quoted})"  # noqa: S608 - a table of ours
        return f"{into} VALUES ({', '.join(['%s'] * len(fields))}) RETURNING {self._model._meta.pk.column}", fields

    @cached_property
    def _fields(self) -> list[models.Field[Any, Any]]:
        every = self._model._meta.concrete_fields
        return [field for field in every if not self._given or field.name in self._given]

    @cached_property
    def _names(self) -> set[str]:
        return {field.attname for field in self._fields}

    @cached_property
    def _converted(self) -> list[tuple[int, list[Callable[..., Any]], Any]]:
        """Where the database's value is not yet Python's, and what makes it so."""
        columns = [field.get_col(self._model._meta.db_table) for field in self._fields]
        compiler = self._model._base_manager.all().query.get_compiler(connection=connection)
        return [(position, *conversion) for position, conversion in compiler.get_converters(columns).items()]


class _Made(NamedTuple):
    """A statement, and the names of the parameters whose values it takes, in its order."""

    sql: str
    places: list[str]
    columns: Columns[Any]


class Prepared(Generic[M]):
    """Runs `build(**values)`, a queryset that depends on its parameters by filtering for them alone.

    Its SQL is made at the first call, with stand-ins for the values, and kept. Parameters are given with their types:
    integers, strings, UUIDs or aware datetimes.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M, Any]], **parameters: type) -> None:
        self._build, self._parameters = build, parameters

    def __call__(self, **values: Any) -> list[M]:
        """The rows as objects. Locks (`select_for_update`) need a transaction, as they do elsewhere."""
        return self._made.columns.objects(*self.statement(**values))

    def tuples(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows as the database gives them, for columns that are plain numbers or strings."""
        return rows(*self.statement(**values))

    def statement(self, **values: Any) -> tuple[str, list[Any]]:
        """The SQL and its parameters, as part of a larger statement."""
        return self._made.sql, [values[name] for name in self._made.places]

    @cached_property
    def _made(self) -> _Made:
        samples = {name: _STAND_INS[kind](number) for number, (name, kind) in enumerate(self._parameters.items())}
        query = self._query(samples)
        compiler = query.get_compiler(connection=connection)
        # Outside of a transaction a lock is not even written down.
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            sql, parameters = compiler.as_sql()
        names = {_adapted(sample): name for name, sample in samples.items()}
        written = ["%s" if parameter in names else _literal(parameter) for parameter in parameters]
        return _Made(
            sql.replace("%%", "%%%%") % tuple(written),
            [names[parameter] for parameter in parameters if parameter in names],
            Columns(query.model, *(column.target.name for column, _sql, _alias in compiler.select or [])),
        )

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
        return changed(*self.statement(**values))

    def _query(self, samples: dict[str, Any]) -> Any:
        query = super()._query(samples).chain(UpdateQuery)
        _rows, change = self._changing(**samples)
        query.add_update_values(change)
        return query


def _literal(value: str | float) -> str:
    """A constant, written into the statement: what PostgreSQL plans for any value uses no index for this one alone."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''").replace("%", "%%") + "'"
    return str(value)
