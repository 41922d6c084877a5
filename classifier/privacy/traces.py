"""Redacts copies of a ticket's text outside its own tables: label examples, stored replies, sessions and logs."""

import json
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Model, Q, QuerySet

from classifier.form_recovery import SESSION_KEY
from classifier.models import Category, ContractVersion, DraftLabel, Sentiment, StoredReply
from classifier.privacy.redaction import Redaction


def redact_traces(ticket_pks: Sequence[int], redaction: Redaction) -> None:
    """Redact stored API replies, saved forms and tracebacks of failed tasks."""
    keys = "|".join(map(str, ticket_pks))
    about_them = Q(content__regex=rf'"(id|ticket)": ?({keys})[^0-9]')
    replies = StoredReply.objects.filter(about_them | _containing("content", _as_in_json(redaction)))
    redaction.count("stored replies", replies.update(content="", headers={}))
    redaction.count("sessions", sum(_delete_saved_form(session, redaction) for session in Session.objects.iterator()))
    if apps.is_installed("django_tasks_db"):
        tasks: QuerySet[Model] = apps.get_model("django_tasks_database", "DBTaskResult")._default_manager.all()
        failed = tasks.filter(_containing("traceback", redaction.prefixes))
        redaction.count("tracebacks", failed.update(traceback=""))


def redact_labels(redaction: Redaction) -> None:
    """Redact label examples that quote one of the texts, in drafts, histories and prompt versions too."""
    gone: set[str] = set()
    labels: tuple[Any, ...] = (Category.objects, Sentiment.objects, DraftLabel.objects)
    for rows in (*labels, Category.history, Sentiment.history):
        for examples in rows.exclude(examples="").order_by().values_list("examples", flat=True).distinct():
            redacted = redaction.redact_lines(examples)
            if redacted != examples:
                gone.update(set(examples.split("\n")) - set(redacted.split("\n")))
                redaction.count("examples of labels", rows.filter(examples=examples).update(examples=redacted))
    for label in DraftLabel.objects.exclude(base={}) if gone else ():
        if redaction.redact_lines(str(label.base.get("examples", ""))) != label.base.get("examples", ""):
            label.base["examples"] = redaction.redact_lines(label.base["examples"])
            label.save(update_fields=["base"])
    for line in gone:
        _redact_contracts(line.strip(), redaction)


def redact_admin_log(tickets: Sequence[Model], redaction: Redaction) -> None:
    """Redact the admin log, which names tickets by their texts."""
    if tickets:
        kind = ContentType.objects.get_for_model(type(tickets[0]))
        entries = LogEntry.objects.filter(content_type=kind, object_id__in=[str(ticket.pk) for ticket in tickets])
        for entry in entries:
            entry.object_repr = f"#{entry.object_id}"
        LogEntry.objects.bulk_update(entries, ["object_repr"])
        redaction.count("entries of the log", len(entries))


def compact_search_index() -> None:
    """Rewrite SQLite's search index, which keeps deleted words until then; PostgreSQL's vacuum does it by itself."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO classifier_ticket_search(classifier_ticket_search) VALUES ('optimize')")


def _redact_contracts(line: str, redaction: Redaction) -> None:
    """Redact prompt versions. Their digests still belong to the original wording, so they are reported."""
    quoted, instead = json.dumps(line, ensure_ascii=False), json.dumps(redaction.redacted(line), ensure_ascii=False)
    for version in ContractVersion.objects.filter(system_prompt__contains=quoted):
        version.system_prompt = version.system_prompt.replace(quoted, instead)
        version.options = _replaced(version.options, line, redaction.redacted(line))
        version.save(update_fields=["system_prompt", "options"])
        redaction.remains.add(f"contract {version} quoted one of them; its digest belongs to the original wording")


def _replaced(value: Any, text: str, instead: str) -> Any:
    """A JSON value with each string that equals `text` replaced."""
    if isinstance(value, dict):
        return {key: _replaced(item, text, instead) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, text, instead) for item in value]
    return instead if value == text else value


def _delete_saved_form(session: Session, redaction: Redaction) -> bool:
    """Delete a saved form that quotes one of the texts. Returns whether there was one."""
    values = session.get_decoded()
    saved = json.dumps(values.get(SESSION_KEY, {}), ensure_ascii=False)
    if not any(piece in saved for piece in _as_in_json(redaction)):
        return False
    del values[SESSION_KEY]
    Session.objects.filter(pk=session.pk).update(session_data=SessionStore().encode(values))
    return True


def _as_in_json(redaction: Redaction) -> list[str]:
    """The starts of the texts as JSON strings, escaped to ASCII and not."""
    return [json.dumps(start, ensure_ascii=ascii)[1:-1] for start in redaction.prefixes for ascii in (False, True)]


def _containing(column: str, pieces: Sequence[str]) -> Q:
    condition = Q(pk__in=[])
    for piece in pieces:
        condition |= Q(**{f"{column}__contains": piece})
    return condition
