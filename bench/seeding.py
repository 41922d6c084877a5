"""Fill the review queue with very many waiting tickets by SQL, as if the embedded model had been unsure of each."""

from typing import Any

from bench.harness import messages

_SERIES = {
    "sqlite": "WITH RECURSIVE series(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM series WHERE i < {last})",
    "postgresql": "WITH series(i) AS (SELECT generate_series({first}, {last}))",
}
_TICKETS = """
INSERT INTO classifier_ticket (id, source, text, customer, channel, language, received_at, due_at, state, available_at,
    attempts, sealed)
{series} SELECT i, 'bench', t.text || ' (' || i || ')', 'c' || (i % 50000) || '@example.org', 'email', 'en',
    '2026-01-01 00:00:00+00:00', CASE WHEN i % 50 = 0 THEN {due} END, 'needs_review', '2026-01-01 00:00:00+00:00', 1,
    {no}
FROM series JOIN bench_text t ON t.id = i % {texts}"""
_PREDICTIONS = """
INSERT INTO classifier_prediction (id, ticket_id, language_model_id, contract_id, category_id, sentiment_id, confidence,
    reasoning, words, probabilities, near, requests, input_tokens, output_tokens, latency_ms, cost, shortened, repaired,
    created_at)
{series} SELECT i, i, {language_model}, {contract}, c.label, s.label, (i % 8500) * 7919 % 8500 / 10000.0,
    'Closest to it by a word.', '[]', '{{}}', '[]',
    1, 0, 0, 2.0, 0, {no}, {no}, '2026-01-01 00:00:00+00:00'
FROM series JOIN bench_category c ON c.id = i % {categories} JOIN bench_sentiment s ON s.id = i % {sentiments}"""
_VERDICTS = """
INSERT INTO classifier_verdict (ticket_id, epoch_id, prediction_id, auto_accepted, reason, current, created_at)
{series} SELECT i, {epoch}, i, {no}, 'below_threshold', {yes}, '2026-01-01 00:00:00+00:00' FROM series"""
_GROUPS = "INSERT INTO review_duplicategroup (id, side) {series} SELECT 10000000 + i, '' FROM series"
_SEATS = """
INSERT INTO review_assignment (ticket_id, number, round, purpose, lane, state, blind, share, created_at, due_at, value,
    group_id, received_at, language, reason, category_id, sentiment_id, confidence, language_model_id)
{series} SELECT t.id, 1, 1, 'review', 'agents', 'open', {no}, 0.9, t.received_at, t.due_at,
    0.5 * (1 - p.confidence), 10000000 + t.id, t.received_at, 'en', 'below_threshold', p.category_id, p.sentiment_id,
    p.confidence, p.language_model_id
FROM series JOIN classifier_ticket t ON t.id = i JOIN classifier_prediction p ON p.ticket_id = i"""
CHUNK = 100_000


def fill_queue(tickets: int) -> None:
    """Fill up to so many tickets, each new one with a prediction, a verdict and an open assignment."""
    from django.db import connection, transaction

    from classifier.models import Ticket

    with transaction.atomic():
        values = _values()
        for first in range(Ticket.objects.count() + 1, tickets + 1, CHUNK):
            series = _SERIES[connection.vendor].format(first=first, last=min(first + CHUNK - 1, tickets))
            with connection.cursor() as cursor:
                for statement in (_TICKETS, _PREDICTIONS, _VERDICTS, _GROUPS, _SEATS):
                    cursor.execute(statement.format(series=series, **values))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def set_attributes(number: int) -> None:
    """Have exactly so many active attributes, at most four, one of each kind, each answered by the model."""
    from classifier.models import Attribute, AttributeOption, Prediction

    kinds = {"priority": "one_of", "refund": "yes_no", "products": "several_of", "order": "text"}
    answers: dict[str, object] = {}
    for place, (key, kind) in enumerate(kinds.items()):
        attribute, _created = Attribute.objects.get_or_create(key=key, defaults={"name": key, "kind": kind})
        Attribute.objects.filter(pk=attribute.pk).update(retired=place >= number)
        options: list[object] = []
        for step in range(5 if attribute.has_options else 0):
            options.append(AttributeOption.objects.get_or_create(attribute=attribute, name=f"Option {step}")[0].pk)
        values: dict[str, list[object]] = {
            "one_of": options[:1],
            "yes_no": [True],
            "several_of": [options[:2]],
            "text": ["A-12345"],
        }
        answers[str(attribute.pk)] = values[kind][0]
    Prediction.objects.update(attributes=answers if number else {})


def _values() -> dict[str, object]:
    """What the statements refer to: the labels of the taxonomy, the embedded model, the contract in force."""
    from django.db import connection

    from classifier.models import Category, ContractVersion, LanguageModel, Sentiment
    from classifier.pipeline import gate

    language_model, version = LanguageModel.objects.zero_shot(), ContractVersion.objects.current()
    texts = [text.rsplit(" (", 1)[0] for text in messages(150)]
    labels = {"category": Category.objects.active(), "sentiment": Sentiment.objects.active()}
    with connection.cursor() as cursor:
        _table(cursor, "bench_text", "text", texts)
        for axis, rows in labels.items():
            _table(cursor, f"bench_{axis}", "label", list(rows.values_list("pk", flat=True)))
    postgres = connection.vendor == "postgresql"
    return {
        "language_model": language_model.pk,
        "contract": version.pk,
        "epoch": gate.confidence_epoch(language_model, version, 0.85).pk,
        "texts": len(texts),
        "categories": len(labels["category"]),
        "sentiments": len(labels["sentiment"]),
        "yes": "true" if postgres else "1",
        "no": "false" if postgres else "0",
        "due": "timestamptz '2026-01-01' + i * interval '1 minute'"
        if postgres
        else "datetime('2026-01-01', '+' || i || ' minutes')",
    }


def _table(cursor: Any, name: str, column: str, values: list[object] | list[str]) -> None:
    kind = "bigint" if column == "label" else "text"
    cursor.execute(f"DROP TABLE IF EXISTS {name}")
    cursor.execute(f"CREATE TEMPORARY TABLE {name} (id bigint PRIMARY KEY, {column} {kind})")
    rows = list(enumerate(values))
    cursor.executemany(f"INSERT INTO {name} VALUES (%s, %s)", rows)  # noqa: S608 - names from this file
