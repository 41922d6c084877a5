"""Full-text search of tickets, in a separate table that triggers maintain.

SQLite uses FTS5, PostgreSQL a tsvector per ticket. It is not a column of the ticket, whose row is rewritten at every
step together with its indexes.
"""

import string
from functools import reduce
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

from classifier.text import storable

MOST_MATCHES = 10_000
"""So many of the latest tickets with the words are found; a word that every ticket has costs no more."""

MOST_WORDS, LONGEST_WORD = 12, 60

_MARKS = string.punctuation
_SPACES = str.maketrans(dict.fromkeys([*_MARKS, *map(chr, range(32))], " "))


def search_words(typed: str) -> list[str]:
    """The words to search for, without any character that a database's query syntax knows."""
    words = storable(typed).translate(_SPACES).split()
    return [word[:LONGEST_WORD] for word in words if any(map(str.isalnum, word))][:MOST_WORDS]


def matching_tickets(wanted: list[str], using: str) -> RawSQL:
    """Keys of the latest tickets that contain all these words or words that begin with them, for `pk__in`."""
    if connections[using].vendor == "sqlite":
        query = " ".join(f'"{word}"*' for word in wanted)
        return RawSQL(_FIND_SQLITE, [query, MOST_MATCHES])  # noqa: S611 - all input is bound
    query = " & ".join(f"'{word}':*" for word in wanted)
    return RawSQL(_FIND_POSTGRESQL, [query, MOST_MATCHES])  # noqa: S611 - all input is bound


def create_index(connection: BaseDatabaseWrapper) -> None:
    """Create table and triggers (on SQLite those that are missing) and index every ticket."""
    _run(connection, _CREATE[connection.vendor])


def drop_index(connection: BaseDatabaseWrapper) -> None:
    _run(connection, _DROP[connection.vendor])


def mend_index(using: str, **_signal: Any) -> None:
    """Restore SQLite's triggers after migrations, which lose them when they rebuild the table (one query)."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(_THERE_SQLITE)
        there = [name for (name,) in cursor.fetchall()]
    if "classifier_ticket_search" in there and len(there) <= len(_SQLITE_TRIGGERS):
        create_index(connection)


def _run(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


_FIND_SQLITE = """
SELECT rowid FROM classifier_ticket_search WHERE classifier_ticket_search MATCH %s ORDER BY rowid DESC LIMIT %s"""

_THERE_SQLITE = """
SELECT name FROM sqlite_master
WHERE name = 'classifier_ticket_search' OR type = 'trigger' AND name LIKE 'classifier_ticket_search%'"""

_SQLITE_TRIGGERS = [
    """
CREATE TRIGGER IF NOT EXISTS classifier_ticket_search_added AFTER INSERT ON classifier_ticket BEGIN
    INSERT INTO classifier_ticket_search(rowid, text) VALUES (new.id, new.text);
END""",
    """
CREATE TRIGGER IF NOT EXISTS classifier_ticket_search_removed AFTER DELETE ON classifier_ticket BEGIN
    INSERT INTO classifier_ticket_search(classifier_ticket_search, rowid, text) VALUES ('delete', old.id, old.text);
END""",
    """
CREATE TRIGGER IF NOT EXISTS classifier_ticket_search_changed AFTER UPDATE OF text ON classifier_ticket
WHEN old.text IS NOT new.text BEGIN
    INSERT INTO classifier_ticket_search(classifier_ticket_search, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO classifier_ticket_search(rowid, text) VALUES (new.id, new.text);
END""",
]

_FIND_POSTGRESQL = """
SELECT ticket_id FROM classifier_ticket_search WHERE words @@ to_tsquery('simple', %s)
ORDER BY ticket_id DESC LIMIT %s"""

# As in search words, marks become spaces, so parts of addresses and numbers are found. Nested calls are used because
# `translate` takes twice as long as the rest. A tsvector holds at most a megabyte, which 50,000 characters never fill.
_SPACED = reduce(
    lambda text, mark: f"replace({text}, '{mark}', ' ')", ["''", *_MARKS.replace("'", "")], "left(text, 50000)"
)
_VECTOR = """
CREATE FUNCTION classifier_ticket_words(text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple', SPACED)
$$""".replace("SPACED", _SPACED)

_POSTGRESQL_FUNCTIONS = {
    "classifier_ticket_search_added": """
INSERT INTO classifier_ticket_search SELECT id, classifier_ticket_words(added.text) FROM added;""",
    "classifier_ticket_search_removed": """
DELETE FROM classifier_ticket_search USING removed WHERE ticket_id = removed.id;""",
    "classifier_ticket_search_changed": """
UPDATE classifier_ticket_search SET words = classifier_ticket_words(NEW.text) WHERE ticket_id = NEW.id;""",
    "classifier_ticket_search_emptied": """
TRUNCATE classifier_ticket_search;""",
}
_POSTGRESQL_TRIGGERS = [
    """
CREATE TRIGGER search_added AFTER INSERT ON classifier_ticket REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION classifier_ticket_search_added()""",
    """
CREATE TRIGGER search_removed AFTER DELETE ON classifier_ticket REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION classifier_ticket_search_removed()""",
    """
CREATE TRIGGER search_changed AFTER UPDATE OF text ON classifier_ticket
FOR EACH ROW WHEN (OLD.text IS DISTINCT FROM NEW.text) EXECUTE FUNCTION classifier_ticket_search_changed()""",
    """
CREATE TRIGGER search_emptied AFTER TRUNCATE ON classifier_ticket
FOR EACH STATEMENT EXECUTE FUNCTION classifier_ticket_search_emptied()""",
]

_CREATE = {
    "sqlite": [
        """
CREATE VIRTUAL TABLE IF NOT EXISTS classifier_ticket_search USING fts5(
    text, content='classifier_ticket', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
)""",
        *_SQLITE_TRIGGERS,
        "INSERT INTO classifier_ticket_search(classifier_ticket_search) VALUES ('rebuild')",
    ],
    "postgresql": [
        "CREATE TABLE classifier_ticket_search (ticket_id bigint PRIMARY KEY, words tsvector NOT NULL)",
        _VECTOR,
        "INSERT INTO classifier_ticket_search SELECT id, classifier_ticket_words(text) FROM classifier_ticket",
        "CREATE INDEX classifier_ticket_search_words ON classifier_ticket_search USING gin (words)",
        *(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
            for name, body in _POSTGRESQL_FUNCTIONS.items()
        ),
        *_POSTGRESQL_TRIGGERS,
    ],
}
_DROP = {
    "sqlite": [
        "DROP TRIGGER classifier_ticket_search_added",
        "DROP TRIGGER classifier_ticket_search_removed",
        "DROP TRIGGER classifier_ticket_search_changed",
        "DROP TABLE classifier_ticket_search",
    ],
    "postgresql": [
        *(f"DROP FUNCTION {name}() CASCADE" for name in _POSTGRESQL_FUNCTIONS),
        "DROP TABLE classifier_ticket_search",
        "DROP FUNCTION classifier_ticket_words(text)",
    ],
}
