"""Maps the columns of a file to fields. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

# Column names to look for if the mapping names none, in this order; case, spaces, dots and dashes don't matter.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "message", "body", "description", "content"),
    "subject": ("subject", "title", "summary"),
    "external_id": ("external_id", "id", "ticket_id", "issue_key", "ticket_number"),
    "customer": ("customer", "email", "customer_email", "requester_email", "requester", "reporter", "from"),
    "channel": ("channel", "via"),
    "language": ("language", "lang", "locale"),
    "received_at": ("received_at", "created_at", "created", "created_time", "sim_created_at", "date"),
    "due_at": ("due_at", "due", "due_date", "due_by_time"),
    "category": ("category", "label", "intent"),
    "sentiment": ("sentiment",),
}


class InvalidRecord(Exception):
    """A record can't be read; the message says why."""


def match_columns(
    names: Iterable[str], mapping: Mapping[str, str], usual: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """The column of each field: the mapped one, or else the first with a usual name; mapping to "" omits a field.

    Raises InvalidRecord if a mapped column is missing.
    """
    names = list(names)
    by_name = {_folded(name): name for name in reversed(names)} | {name: name for name in names}
    columns: dict[str, str] = {}
    for field, candidates in usual.items():
        wanted = mapping.get(field)
        keys = candidates if wanted is None else (wanted,)
        column = next((by_name[key] for name in keys for key in (name, _folded(name)) if key in by_name), "")
        if wanted and not column:
            raise InvalidRecord(f"No column is called {wanted!r} (for {field}); the columns are {quoted_list(names)}.")
        if column and wanted != "":
            columns[field] = column
    return columns


def ticket_columns(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The column of each field of a ticket. Raises InvalidRecord if a mapped one or the text's is missing."""
    columns = match_columns(names, mapping, COLUMNS)
    if "text" not in columns:
        raise InvalidRecord(f"No column is known to hold the text; map it to one of {quoted_list(names)}.")
    if columns.get("subject") == columns["text"]:
        del columns["subject"]
    return columns


def quoted_list(names: Iterable[str]) -> str:
    listed = ", ".join(repr(name) for name in names)
    return listed if len(listed) <= 1_000 else f"{listed[:1_000]}…"


def _folded(name: str) -> str:
    return re.sub(r"[\s._-]+", "_", name.casefold().strip())
