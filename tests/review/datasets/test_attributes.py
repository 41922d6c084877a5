"""Answers to attributes from decisions to gold labels, snapshots and files, and back."""

import io
import json
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from django.contrib.auth.models import User

from classifier.integrations.webhooks.payloads import ticket_payloads
from classifier.models import Attribute, AttributeOption, Ticket
from classifier.privacy import erasure
from classifier.taxonomy import label_changes
from classifier.tickets.attribute_values import AttributeReader
from review.datasets import exporting
from review.datasets.formats import labelstudio
from review.datasets.formats.registry import FORMATS
from review.datasets.importing import import_labels
from review.datasets.reading import RecordReader
from review.gold import gold_labels, snapshots
from review.models import GoldLabel, Snapshot, SnapshotItem
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.factories import configure_review, make_attribute, make_ticket, send_to_review

pytestmark = pytest.mark.usefixtures("catalogue")

VALUES = {"priority": "Low, or [none]", "refund": False, "products": ["=Lamp", "Desk"], "order": "A-12345"}


@pytest.fixture
def snapshot(ana: User) -> Snapshot:
    """Two decided tickets, one with an answer of every kind."""
    attributes = [
        make_attribute("priority", "one_of", "Low, or [none]", "High"),
        make_attribute("refund", "yes_no"),
        make_attribute("products", "several_of", "=Lamp", "Desk", "Sofa"),
        make_attribute("order", "text"),
    ]
    keys = [str(attribute.pk) for attribute in attributes]
    lamp, desk = (AttributeOption.objects.get(name=name).pk for name in ("=Lamp", "Desk"))
    low = AttributeOption.objects.get(name="Low, or [none]").pk
    answers = dict(zip(keys, [low, False, [lamp, desk], "A-12345"], strict=True))
    configure_review(benchmark_share=0)
    for text, given in {"Order A-12345 is lost.": answers, "Hello there, a question!": {}}.items():
        [assignment] = send_to_review(make_ticket(text), attributes=given)
        prediction = assignment.ticket.predictions.get()
        decisions.decide(assignment, ana, Label(prediction.category, prediction.sentiment, given), key=_key(text))
    return snapshots.create_snapshot()


def _key(text: str) -> UUID:
    return uuid5(NAMESPACE_URL, text)


def exported(snapshot: Snapshot, name: str, *, masked: bool = False) -> bytes:
    return b"".join(exporting.stream(snapshot, FORMATS[name], masked=masked))


def typed(row: Any) -> dict[str, Any]:
    return AttributeReader([row.attributes]).typed(row.attributes)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "hf"])
def test_every_format_brings_the_answers_back(snapshot: Snapshot, name: str) -> None:
    content = exported(snapshot, name)
    SnapshotItem.objects.all().delete()
    GoldLabel.objects.all().delete()
    extension = {"csv": "csv", "parquet": "parquet"}.get(name, "json")
    report = import_labels(RecordReader(io.BytesIO(content), f"labels.{extension}"))
    assert (report.added, report.rejected, dict(report.refused_answers)) == (2, 0, {})
    assert {label.text: typed(label) for label in GoldLabel.objects.all()} == {
        "Order A-12345 is lost.": VALUES,
        "Hello there, a question!": {},
    }


def test_a_hugging_face_folder_has_a_column_for_each_attribute(snapshot: Snapshot) -> None:
    content = exported(snapshot, "hf")
    assert b"attribute_products" in content
    assert b"sequence: string" in content


def test_label_studio_gets_a_control_for_each_attribute(snapshot: Snapshot) -> None:
    config = labelstudio.labelling_config(exporting.build_manifest(snapshot))
    assert '<Choices name="attribute_products" toName="text" choice="multiple">' in config
    assert '<Choice value="=Lamp"/>' in config
    assert '<TextArea name="attribute_order" toName="text" maxSubmissions="1" rows="1"/>' in config


def test_an_answer_that_no_attribute_takes_costs_no_label_and_is_counted(snapshot: Snapshot) -> None:
    line = {"text": "A new one.", "category": "Billing", "sentiment": "Neutral", "attributes": {"priority": "Now"}}
    report = import_labels(RecordReader(io.BytesIO(json.dumps(line).encode() + b"\n"), "labels.jsonl"))
    assert (report.added, dict(report.refused_answers)) == (1, {"priority": 1})
    assert GoldLabel.objects.get(text="A new one.").attributes == {}


def test_a_known_text_gets_the_answers_that_it_lacks(snapshot: Snapshot) -> None:
    known = GoldLabel.objects.get(text="Hello there, a question!")
    line = {"text": known.text, "category": str(known.category), "attributes": {"priority": "High"}}
    report = import_labels(RecordReader(io.BytesIO(json.dumps(line).encode() + b"\n"), "labels.jsonl"))
    known.refresh_from_db()
    assert (report.known, typed(known)) == (1, {"priority": "High"})


def test_a_snapshot_keeps_its_answers_and_digest_when_options_change(snapshot: Snapshot) -> None:
    label_changes.merge(AttributeOption.objects.get(name="=Lamp"), AttributeOption.objects.get(name="Sofa"))
    [first, _second] = sorted(exporting.snapshot_records(snapshot), key=lambda record: -len(record.attributes))
    assert first.attributes == VALUES
    assert snapshots.create_snapshot() != snapshot


def test_without_attributes_a_snapshot_and_its_files_are_what_they_were(ana: User) -> None:
    configure_review(benchmark_share=0)
    [assignment] = send_to_review(make_ticket("Hello!"))
    prediction = assignment.ticket.predictions.get()
    decisions.decide(assignment, ana, Label(prediction.category, prediction.sentiment), key=_key("a"))
    plain = snapshots.create_snapshot()
    assert "attributes" not in plain.labels
    for name in ("jsonl", "csv", "labelstudio", "openai", "spacy"):
        assert b"attribute" not in exported(plain, name)
    make_attribute("refund", "yes_no", retired=True)
    assert b"attribute" not in exported(plain, "jsonl")


def test_masked_exports_mask_texts_and_erasure_removes_them(snapshot: Snapshot) -> None:
    order = str(Attribute.objects.get(key="order").pk)
    for row in (*GoldLabel.objects.exclude(attributes={}), *SnapshotItem.objects.exclude(attributes={})):
        row.attributes |= {order: "ana@example.org"}
        row.save(update_fields=["attributes"])
    assert b"ana@" not in exported(snapshot, "jsonl", masked=True)
    erasure.erase(Ticket.objects.all())
    for row in (*GoldLabel.objects.exclude(attributes={}), *SnapshotItem.objects.exclude(attributes={})):
        assert "order" not in typed(row)


def test_undoing_a_decision_and_deciding_again_updates_the_gold_label(snapshot: Snapshot, ana: User) -> None:
    label = GoldLabel.objects.exclude(attributes={}).get()
    decision = decisions.latest_decision(ana)
    assert decision
    decisions.undo(decision, ana, key=_key("undo"))
    gold_labels.collect_from_decisions()
    assert typed(label) == VALUES


def test_webhooks_get_choices_but_no_text_of_the_message(snapshot: Snapshot) -> None:
    payloads = ticket_payloads(list(Ticket.objects.values_list("pk", flat=True)))
    answers = [payload.event_data().get("attributes") for payload in payloads]
    assert {key: value for key, value in VALUES.items() if key != "order"} in answers
    assert None in answers
