"""Maps the columns of a file to fields. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

# Column names to look for if the mapping names none, in this order; case, spaces, dots and dashes don't matter.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": (
        *("text", "message", "body", "description", "content", "ticket_description", "case_description"),
        *("first_message", "article_body", "text_body", "texto", "texte", "testo", "nachricht", "beschreibung"),
        *("anliegen", "contenu", "mensaje", "descripción", "mensagem", "descrição", "messaggio", "descrizione"),
        *("bericht", "omschrijving", "本文", "内容"),
    ),
    "subject": (
        *("subject", "title", "summary", "ticket_subject", "ticket_name", "short_description", "betreff", "titel"),
        *("objet", "asunto", "assunto", "oggetto", "onderwerp", "件名", "主题"),
    ),
    "external_id": (
        *("external_id", "id", "ticket_id", "issue_key", "key", "ticket_number", "ticket#", "case_number"),
        *("conversation_id", "number", "ticketnummer", "nummer", "numéro", "número", "numero"),
    ),
    "customer": (
        *("customer", "email", "customer_email", "requester_email", "user_email", "contact_email", "requester"),
        *("reporter", "from", "caller_id", "kunde", "client", "cliente", "klant"),
    ),
    "channel": ("channel", "via", "kanal", "canal"),
    "language": ("language", "lang", "locale", "sprache", "langue", "idioma", "lingua"),
    "received_at": (
        *("received_at", "created_at", "created", "created_time", "sim_created_at", "date", "create_date"),
        *("created_datetime", "created_on", "opened_at", "erstellt_am", "erstellt", "date_de_création"),
        *("fecha_de_creación", "data_de_criação"),
    ),
    "due_at": ("due_at", "due", "due_date", "due_by_time", "fällig_am"),
    "category": (
        *("category", "label", "intent", "given_label", "class", "kategorie", "catégorie", "categoría", "categoria"),
        *("categorie",),
    ),
    "sentiment": ("sentiment", "stimmung", "sentimiento", "sentimento"),
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
    plain = re.sub(r"\s*\([^()]{1,20}\)$", "", name.casefold().strip())  # "Created at (UTC)"
    return re.sub(r"[\s._-]+", "_", plain)
