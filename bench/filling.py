"""An installation in long use, written by SQL: one ticket in a hundred needs review, one in twenty was settled by
people, all others were auto-accepted.

The product itself classifies and decides three tickets. All others are copies of their rows, so every column is filled
as the product fills it. PostgreSQL only.
"""

import time
from functools import cache
from typing import Any
from uuid import uuid4

from bench.harness import messages

CHUNK = 500_000
AUTO_ACCEPTED, NEEDS_REVIEW, SETTLED = "i % 20 <> 1 AND i % 100 <> 2", "i % 100 = 2", "i % 20 = 1"
_AGO = "now() - ({last} - i) * interval '1 second'"


def fill(tickets: int) -> dict[str, float]:
    """Fill an empty installation up to so many tickets; seconds of each step."""
    from django.db import connection
    from django.utils import timezone

    from classifier.models import Encoding, TallyProgress
    from review.models import ReviewSettings

    kinds = _examples()
    seconds: dict[str, float] = {}
    with connection.cursor() as cursor:
        # Foreign keys and triggers of single rows cost more than the rows; what they would do is done in bulk.
        cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'")
        cursor.execute("SET synchronous_commit = off")
        _labels(cursor)
        indexes = _without_indexes(cursor)
        begun = time.perf_counter()
        for first in range(101, tickets + 1, CHUNK):
            for statement in _statements(kinds, first, min(first + CHUNK - 1, tickets), tickets):
                cursor.execute(statement)
        seconds["rows"] = time.perf_counter() - begun
        begun = time.perf_counter()
        for statement in indexes:
            cursor.execute(statement)
        seconds["indexes"] = time.perf_counter() - begun
        _catch_up(cursor)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
    # Progress that workers would have made meanwhile.
    Encoding.objects.update_or_create(encoder=_encoder(), defaults={"until": tickets})
    ReviewSettings.objects.update(gathered_until=timezone.now())
    for name in ("tickets", "predictions", "verdicts", "decisions"):
        TallyProgress.objects.update_or_create(name=name, defaults={"until": tickets, "seen": tickets})
    return seconds


def _examples() -> dict[str, Any]:
    """An auto-accepted ticket, one that needs review and a settled one, each brought to that state by the product."""
    from django.contrib.auth.models import User

    from classifier.models import Gate, LanguageModel, Ticket
    from classifier.pipeline import runner
    from review.models import Assignment, ReviewSettings
    from review.workflow import decisions
    from review.workflow.decision_records import Label

    ReviewSettings.current()
    ReviewSettings.objects.update(blind_share=0, double_share=0, sample_share=0)
    Gate.objects.update(primary=LanguageModel.objects.zero_shot(), second_opinion=None)
    tickets: dict[str, Any] = {}
    for condition, threshold in ((AUTO_ACCEPTED, 0.0), (NEEDS_REVIEW, 1.0), (SETTLED, 1.0)):
        Gate.objects.update(threshold=threshold)
        ticket = Ticket.objects.create(
            text=f"Where is my invoice? {condition}", external_id=condition, customer=f"{len(tickets)}@example.org"
        )
        runner.classify_next_batch()
        tickets[condition] = ticket
    Gate.objects.update(threshold=0.85)
    assignment = Assignment.objects.select_related("ticket").get(ticket=tickets[SETTLED])
    prediction = tickets[SETTLED].predictions.get()
    person, _created = User.objects.get_or_create(username="settler")
    decisions.decide(assignment, person, Label(prediction.category, prediction.sentiment), key=uuid4())
    return tickets


def _labels(cursor: Any) -> None:
    from classifier.models import Category, Sentiment

    texts = [text.rsplit(" (", 1)[0] for text in messages(150)]
    columns: dict[str, list[Any]] = {
        "text": texts,
        "category": [category.pk for category in Category.objects.active() if not category.children.exists()],
        "sentiment": [sentiment.pk for sentiment in Sentiment.objects.active()],
    }
    for name, values in columns.items():
        kind = "text" if name == "text" else "bigint"
        cursor.execute(f"CREATE TEMPORARY TABLE bench_{name} (id bigint, value {kind})")
        cursor.executemany(f"INSERT INTO bench_{name} VALUES (%s, %s)", list(enumerate(values)))  # noqa: S608 - ours
    cursor.execute(
        "CREATE TEMPORARY TABLE bench_label AS SELECT c.id * (SELECT count(*) FROM bench_sentiment) + s.id AS id,"
        " c.value AS category, s.value AS sentiment, NULL::text AS text FROM bench_category c, bench_sentiment s"
    )


def _without_indexes(cursor: Any) -> list[str]:
    """Drop the indexes that no constraint needs, because creating them afterwards is far faster; return their SQL."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN"
        " (SELECT conname FROM pg_constraint)",
        [["classifier_ticket", "classifier_prediction", "classifier_verdict", "classifier_ticket_search"]],
    )
    indexes = cursor.fetchall()
    for name, _definition in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _name, definition in indexes]


def _statements(kinds: dict[str, Any], first: int, last: int, most: int) -> list[str]:
    from classifier.models import Prediction, Ticket, Verdict
    from review.models import Assignment, Decision

    ago = _AGO.format(last=most)
    text = "(SELECT value FROM bench_text WHERE id = i % 150) || ' (' || i || ')'"
    label = {
        "category_id": "(SELECT category FROM bench_label WHERE id = i % (SELECT count(*) FROM bench_label))",
        "sentiment_id": "(SELECT sentiment FROM bench_label WHERE id = i % (SELECT count(*) FROM bench_label))",
    }
    confidence = "(i % 8500) * 7919 % 8500 / 10000.0"
    statements = []
    for condition, ticket in kinds.items():
        series = f"generate_series({first}, {last}) i WHERE {condition}"
        bands = series.replace(" WHERE ", ", generate_series(1, 4) WHERE ")
        predicted = label | {"confidence": confidence if condition == NEEDS_REVIEW else f"0.85 + {confidence} / 10"}
        own = {"id": "i", "text": text, "customer": "'c' || (i % 50000) || '@example.org'", "external_id": "i::text"}
        own |= {"received_at": ago, "available_at": ago} | (label if condition == SETTLED else {})
        statements += [
            _copied(Ticket, ticket, own, series),
            _copied(Prediction, ticket, {"id": "i", "ticket_id": "i", "created_at": ago} | predicted, series),
            _copied(
                Verdict,
                ticket,
                {"id": "i", "ticket_id": "i", "prediction_id": "i", "created_at": ago},
                series,
            ),
        ]
        if condition == AUTO_ACCEPTED:
            continue
        assignment = {"id": "i", "ticket_id": "i", "group_id": "10000000 + i", "value": f"0.5 * (1 - {confidence})"}
        assignment |= {"received_at": ago, "created_at": ago} | predicted
        statements += [
            f"INSERT INTO review_duplicategroup (id, side) SELECT 10000000 + i, '' FROM {series}",  # noqa: S608 - ours
            f"INSERT INTO review_band (value, group_id, ticket_id) SELECT i, 10000000 + i, i FROM {bands}",  # noqa: S608 - ours
            _copied(Assignment, ticket, assignment, series),
        ]
        if condition == SETTLED:
            decided = {
                "id": "i",
                "ticket_id": "i",
                "assignment_id": "i",
                "prediction_id": "i",
                "key": "gen_random_uuid()",
            }
            statements.append(_copied(Decision, ticket, decided | {"created_at": ago} | label, series))
    words = "INSERT INTO classifier_ticket_search SELECT id, classifier_ticket_words(text) FROM classifier_ticket"
    return [*statements, f"{words} WHERE id BETWEEN {first} AND {last}"]


@cache
def _key_of(model: Any, ticket: Any) -> int:
    """Of the row that belongs to an example."""
    from classifier.models import Ticket

    return int(ticket.pk if model is Ticket else model.objects.get(ticket=ticket).pk)


def _copied(model: Any, ticket: Any, own: dict[str, str], series: str) -> str:
    """SQL that copies the row of one ticket; `own` has SQL for the columns that differ by row."""
    from django.db import connection

    columns = [connection.ops.quote_name(field.column) for field in model._meta.concrete_fields]
    values = [own.get(name, own.get(name.strip('"'), f"original.{name}")) for name in columns]
    table, key = model._meta.db_table, connection.ops.quote_name(model._meta.pk.column)
    source = series.replace(" WHERE ", f", {table} original WHERE original.{key} = {_key_of(model, ticket)} AND ")
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {source}"  # noqa: S608 - ours


def _catch_up(cursor: Any) -> None:
    """Keys go on after those that were given here."""
    from classifier.models import Prediction, Ticket, Verdict
    from review.models import Assignment, Decision

    for model in (Ticket, Prediction, Verdict, Assignment, Decision):
        table = model._meta.db_table
        latest = f"SELECT max(id) FROM {table}"  # noqa: S608 - a table of ours
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), ({latest}))")


def _encoder() -> str:

    from classifier.embeddings.sources import encoder_sources

    return encoder_sources()[0].name
