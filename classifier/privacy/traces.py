"""Where a ticket's text is found besides its own tables: in examples of labels, and in what the framework keeps."""

from __future__ import annotations

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


def redact_traces(ticket_pks: Sequence[int], wiping: Redaction) -> None:
    """What was put aside for a while: replies to be given again, input to be taken up, reports of failed tasks."""
    keys = "|".join(map(str, ticket_pks))
    about_them = Q(content__regex=rf'"(id|ticket)": ?({keys})[^0-9]')
    replies = StoredReply.objects.filter(about_them | _containing("content", _as_in_json(wiping)))
    wiping.count("kept replies", replies.update(content="", headers={}))
    wiping.count("sessions", sum(_forget_input(session, wiping) for session in Session.objects.iterator()))
    if apps.is_installed("django_tasks_db"):
        tasks: QuerySet[Model] = apps.get_model("django_tasks_database", "DBTaskResult")._default_manager.all()
        failed = tasks.filter(_containing("traceback", wiping.beginnings))
        wiping.count("tracebacks", failed.update(traceback=""))


def redact_labels(wiping: Redaction) -> None:
    """Examples of labels and drafts that quote one of the texts, in their history and in contracts too."""
    gone: set[str] = set()
    labels: tuple[Any, ...] = (Category.objects, Sentiment.objects, DraftLabel.objects)
    for rows in (*labels, Category.history, Sentiment.history):
        for examples in rows.exclude(examples="").order_by().values_list("examples", flat=True).distinct():
            wiped = wiping.lines(examples)
            if wiped != examples:
                gone.update(set(examples.split("\n")) - set(wiped.split("\n")))
                wiping.count("examples of labels", rows.filter(examples=examples).update(examples=wiped))
    for label in DraftLabel.objects.exclude(base={}) if gone else ():
        if wiping.lines(str(label.base.get("examples", ""))) != label.base.get("examples", ""):
            label.base["examples"] = wiping.lines(label.base["examples"])
            label.save(update_fields=["base"])
    for line in gone:
        _wipe_contracts(line.strip(), wiping)


def redact_admin_log(tickets: Sequence[Model], wiping: Redaction) -> None:
    """The admin's log names rows by what they say."""
    if tickets:
        kind = ContentType.objects.get_for_model(type(tickets[0]))
        entries = LogEntry.objects.filter(content_type=kind, object_id__in=[str(one.pk) for one in tickets])
        for entry in entries:
            entry.object_repr = f"#{entry.object_id}"
        LogEntry.objects.bulk_update(entries, ["object_repr"])
        wiping.count("entries of the log", len(entries))


def compact_search_index() -> None:
    """On SQLite the index of words keeps removed ones until it is written anew; PostgreSQL's vacuum sees to its own."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO classifier_ticket_search(classifier_ticket_search) VALUES ('optimize')")


def _wipe_contracts(line: str, wiping: Redaction) -> None:
    """A contract keeps the digest that it is named by, though its wording is another now; so it is named."""
    quoted, instead = json.dumps(line, ensure_ascii=False), json.dumps(wiping.wiped(line), ensure_ascii=False)
    for version in ContractVersion.objects.filter(system_prompt__contains=quoted):
        version.system_prompt = version.system_prompt.replace(quoted, instead)
        version.options = _replaced(version.options, line, wiping.wiped(line))
        version.save(update_fields=["system_prompt", "options"])
        wiping.remains.add(f"contract {version} was worded with one of them; its digest is of that wording")


def _replaced(value: Any, text: str, instead: str) -> Any:
    """A JSON value with another string in the place of this one."""
    if isinstance(value, dict):
        return {key: _replaced(one, text, instead) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, text, instead) for one in value]
    return instead if value == text else value


def _forget_input(session: Session, wiping: Redaction) -> bool:
    """Whether somebody's form was kept there that quotes one of them."""
    values = session.get_decoded()
    kept = json.dumps(values.get(SESSION_KEY, {}), ensure_ascii=False)
    if not any(piece in kept for piece in _as_in_json(wiping)):
        return False
    del values[SESSION_KEY]
    Session.objects.filter(pk=session.pk).update(session_data=SessionStore().encode(values))
    return True


def _as_in_json(wiping: Redaction) -> list[str]:
    """How the texts begin, as they stand in JSON of either kind."""
    return [json.dumps(one, ensure_ascii=ascii)[1:-1] for one in wiping.beginnings for ascii in (False, True)]


def _containing(column: str, pieces: Sequence[str]) -> Q:
    found = Q(pk__in=[])
    for piece in pieces:
        found |= Q(**{f"{column}__contains": piece})
    return found
