"""Maps the columns of a file to ticket fields. Pure."""

from collections.abc import Iterable, Mapping, Sequence

# Column names to look for if the mapping names none, in this order and in any case.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "message", "body", "description", "content"),
    "subject": ("subject", "title"),
    "external_id": ("external_id", "id", "ticket_id"),
    "customer": ("customer", "email", "requester", "from"),
    "channel": ("channel",),
    "language": ("language", "lang", "locale"),
    "received_at": ("received_at", "created_at", "created", "sim_created_at", "date"),
    "due_at": ("due_at", "due"),
    "category": ("category", "label", "intent"),
    "sentiment": ("sentiment",),
}


class InvalidRecord(Exception):
    """A record can't be read; the message says why."""


def columns_of(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Map columns to ticket fields. Raises InvalidRecord if a mapped column or the text column is missing."""
    by_name = {name.casefold(): name for name in names} | {name: name for name in names}
    columns: dict[str, str] = {}
    for field, usual in COLUMNS.items():
        wanted = mapping.get(field)
        candidates = usual if wanted is None else (wanted, wanted.casefold())
        column = next((by_name[name] for name in candidates if name in by_name), "")
        if wanted and not column:
            raise InvalidRecord(f"No column is called {wanted!r} (for {field}); the columns are {quoted_list(names)}.")
        if column:
            columns[field] = column
    if "text" not in columns:
        raise InvalidRecord(f"No column is known to hold the text; map it to one of {quoted_list(names)}.")
    if columns.get("subject") == columns["text"]:
        del columns["subject"]
    return columns


def quoted_list(names: Iterable[str]) -> str:
    listed = ", ".join(repr(name) for name in names)
    return listed if len(listed) <= 1_000 else f"{listed[:1_000]}…"
