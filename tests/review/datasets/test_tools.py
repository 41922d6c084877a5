"""Files for OpenAI, Label Studio and spaCy: each as its tool documents it, and read back."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from classifier.contract import prompt
from classifier.contract.key_names import KEYS
from classifier.contract.reply import Reply, parse
from review.datasets.formats import labelstudio
from review.datasets.record import Record, Rejected
from tests.review.datasets.samples import (
    CATEGORIES,
    CONTRACT,
    SENTIMENTS,
    elsewhere,
    exported,
    lists_of_records,
    loaded,
    make,
    manifest_of,
)

pytestmark = pytest.mark.once


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.decode().split("\n") if line]


# OpenAI


def faults(example: Any) -> list[str]:
    """What OpenAI's documented checks of chat examples find wrong."""
    if not isinstance(example, dict):
        return ["data_type"]
    messages = example.get("messages")
    if not messages:
        return ["missing_messages_list"]
    errors = []
    for message in messages:
        if "role" not in message or "content" not in message:
            errors.append("message_missing_key")
        if set(message) - {"role", "content", "name", "function_call", "weight"}:
            errors.append("message_unrecognized_key")
        if message.get("role") not in ("system", "user", "assistant", "function"):
            errors.append("unrecognized_role")
        if not message.get("content") or not isinstance(message["content"], str):
            errors.append("missing_content")
    if not any(message.get("role") == "assistant" for message in messages):
        errors.append("example_missing_assistant_message")
    return errors


@settings(max_examples=30)
@given(lists_of_records())
def test_openai_examples_pass_the_documented_checks(records: list[Record]) -> None:
    for example in lines(exported(records, "openai")):
        assert faults(example) == []
        assert list(example) == ["messages"]
        assert [message["role"] for message in example["messages"]] == ["system", "user", "assistant"]


@settings(max_examples=30)
@given(lists_of_records(min_size=1))
def test_openai_examples_follow_the_contract(records: list[Record]) -> None:
    training = [record for record in records if record.side == "training"] or records
    for record, example in zip(training, lines(exported(records, "openai")), strict=True):
        *asked, answered = example["messages"]
        assert asked == prompt.messages(CONTRACT, record.text)
        answer = parse(Reply(content=answered["content"]), CONTRACT).answer
        assert (answer.category, answer.sentiment) == (record.category, record.sentiment)
        assert list(json.loads(answered["content"])) == list(KEYS)


@settings(max_examples=30)
@given(lists_of_records())
def test_openai_keeps_text_and_labels(records: list[Record]) -> None:
    expected = [record for record in records if record.side == "training"] or records
    assert loaded(exported(records, "openai")) == [
        elsewhere(record.text, category=record.category, sentiment=record.sentiment) for record in expected
    ]


def test_openai_examples_exclude_the_benchmark_side() -> None:
    benchmark = make("b", side="benchmark")
    assert len(lines(exported([make("a"), benchmark], "openai"))) == 1
    assert len(lines(exported([benchmark], "openai"))) == 1  # to validate with


def test_openai_examples_shorten_long_texts_like_prompts() -> None:
    text = "word " * 10_000
    [example] = lines(exported([make(text)], "openai"))
    assert example["messages"][:-1] == prompt.messages(CONTRACT, prompt.shorten(text))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no user message"),
        ([{"role": "user", "content": ["Hi"]}], "no user message"),
        ([{"role": "user", "content": "Hi"}], "does not end with an assistant message"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Billing"}], "not a JSON object"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant"}], "not a JSON object"),
    ],
)
def test_other_conversations_are_rejected(messages: list[Any], reason: str) -> None:
    good = exported([make()], "openai")
    [rejected, record] = loaded(json.dumps({"messages": messages}).encode() + b"\n" + good)
    assert isinstance(rejected, Rejected)
    assert reason in rejected.reason
    assert record == elsewhere()


def test_a_user_message_with_other_wording_is_read_whole() -> None:
    answer = json.dumps({"category": "Billing", "sentiment": "neutral"})
    messages = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": answer}]
    assert loaded(json.dumps({"messages": messages}).encode()) == [elsewhere("Hi there")]


# Label Studio


def test_label_studio_tasks_have_their_documented_shape() -> None:
    guess: dict[str, Any] = {"model_category": "Billing", "model_sentiment": "negative", "model_confidence": 0.5}
    record = make(category="Billing > Invoice", side="benchmark", **guess)
    [task, other] = json.loads(exported([record, make("b")], "labelstudio"))
    assert sorted(task) == ["annotations", "data", "id", "predictions"]
    assert (task["id"], other["id"]) == (1, 2)
    assert task["data"]["text"] == record.text
    assert "category" not in task["data"]
    [annotation] = task["annotations"]
    assert annotation["ground_truth"] is True
    assert [result["value"] for result in annotation["result"]] == [
        {"choices": ["Billing > Invoice"]},
        {"choices": ["neutral"]},
    ]
    assert {(result["to_name"], result["type"]) for result in annotation["result"]} == {("text", "choices")}
    [prediction] = task["predictions"]
    assert prediction["score"] == 0.5
    assert [result["from_name"] for result in prediction["result"]] == ["category", "sentiment"]
    assert other["predictions"] == []


def test_the_labelling_interface_matches_the_tasks() -> None:
    records = [make(category=CATEGORIES[-1])]
    view = ET.fromstring(labelstudio.labelling_config(manifest_of(records)))  # noqa: S314
    assert {name: element.get("value") for element in view.iter("Text") if (name := element.get("name"))} == {
        "text": "$text"
    }
    controls = {control.get("name"): control for control in view.iter("Choices")}
    assert [choice.get("value") for choice in controls["category"]] == list(CATEGORIES)
    assert [choice.get("value") for choice in controls["sentiment"]] == list(SENTIMENTS)
    assert {control.get("toName") for control in controls.values()} == {"text"}
    assert {control.get("choice") for control in controls.values()} == {"single"}


def test_label_studios_own_converter_reads_the_tasks(tmp_path: Path) -> None:
    converter = pytest.importorskip("label_studio_converter", reason="Label Studio's converter is not installed")
    records = [make(category="Billing > Invoice"), make("b", category='Ärger, "laut"', side="benchmark")]
    tasks = tmp_path / "tasks.json"
    tasks.write_bytes(exported(records, "labelstudio"))
    interface = labelstudio.labelling_config(manifest_of(records))
    converter.Converter(interface, str(tmp_path)).convert_to_json_min(str(tasks), str(tmp_path), is_dir=False)
    rows = json.loads((tmp_path / "result.json").read_text())
    names = ("key", "text", "category", "sentiment", "side")
    assert [[row[name] for name in names] for row in rows] == [
        [getattr(record, name) for name in names] for record in records
    ]


def choice(name: str, *labels: str) -> dict[str, Any]:
    return {
        "id": "a1B2c3",
        "from_name": name,
        "to_name": "text",
        "type": "choices",
        "origin": "manual",
        "value": {"choices": list(labels)},
    }


def annotated(number: int, *annotations: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A task as Label Studio exports it."""
    defaults = {"completed_by": 1, "was_cancelled": False, "ground_truth": False, "lead_time": 4.2, "task": number}
    return {
        "id": number,
        "annotations": [{**defaults, "id": 10 + at, **annotation} for at, annotation in enumerate(annotations)],
        "file_upload": "tickets.json",
        "drafts": [],
        "predictions": [],
        "data": {"body": f"Ticket {number}"},
        "meta": {},
        "created_at": "2026-01-01T09:00:00.000000Z",
        "updated_at": "2026-01-01T10:00:00.000000Z",
        "project": 1,
        "total_annotations": len(annotations),
        **values,
    }


MAPPING = {"text": "body", "category": "topic", "sentiment": "mood"}


def test_the_latest_annotation_that_is_not_skipped_counts() -> None:
    first = {"result": [choice("topic", "A"), choice("mood", "sad")], "updated_at": "2026-01-01T10:00:00.000000Z"}
    late = {"result": [choice("topic", "B"), choice("mood", "glad")], "updated_at": "2026-01-03T10:00:00.000000Z"}
    skipped = {"result": [choice("topic", "C")], "was_cancelled": True, "updated_at": "2026-01-04T10:00:00.000000Z"}
    tasks = json.dumps([annotated(1, late, first, skipped)]).encode()
    moment = "2026-01-03T10:00:00+00:00"
    assert loaded(tasks, "export.json", MAPPING) == [
        elsewhere("Ticket 1", category="B", sentiment="glad", labelled_at=moment)
    ]


def test_tasks_without_a_single_choice_are_rejected() -> None:
    good = {"result": [choice("topic", "A"), choice("mood", "sad")]}
    several = {"result": [choice("topic", "A", "B"), choice("mood", "sad")]}
    tasks = [annotated(1, good), annotated(2), annotated(3, several), annotated(4, {"result": []}), annotated(5, good)]
    read = loaded(json.dumps(tasks, indent=1).encode(), "export.json", MAPPING)
    assert [row.number for row in read if isinstance(row, Rejected)] == [2, 3, 4]
    assert "has no annotation" in str(read[1])
    assert "single choice for 'topic'" in str(read[2])
    assert "'topic'" in str(read[3])


def test_tasks_with_predictions_only_are_rejected() -> None:
    guess = {"result": [choice("category", "A"), choice("sentiment", "sad")]}
    [rejected] = loaded(json.dumps([{"data": {"text": "Hi"}, "predictions": [guess]}]).encode())
    assert "has no annotation" in str(rejected)


def test_predictions_become_the_models_earlier_answer() -> None:
    good = {"result": [choice("category", "A"), choice("sentiment", "sad")]}
    guess = {"model_version": "m", "score": 0.75, "result": [choice("category", "B"), choice("sentiment", "glad")]}
    [record] = loaded(json.dumps([annotated(1, good, predictions=[guess], data={"text": "Hi"})]).encode())
    assert record == elsewhere(
        "Hi",
        category="A",
        sentiment="sad",
        model_category="B",
        model_sentiment="glad",
        model_confidence=0.75,
    )


def test_labels_corrected_in_label_studio_are_read_back() -> None:
    tasks = json.loads(exported([make(people=2, language="en")], "labelstudio"))
    corrected = [choice("category", "Billing > Invoice"), choice("sentiment", "negative")]
    tasks[0]["annotations"].append({"result": corrected})
    [record] = loaded(json.dumps(tasks).encode())
    assert record == make(category="Billing > Invoice", sentiment="negative", people=2, language="en")


# spaCy


def test_spacy_lines_score_all_categories_and_exactly_one_right() -> None:
    [line] = lines(exported([make(category="Billing > Invoice")], "spacy"))
    assert list(line) == ["text", "cats", "meta"]
    assert line["cats"] == {name: int(name == "Billing > Invoice") for name in CATEGORIES[:-1]} | {
        "Billing > Invoice": 1
    }
    assert line["meta"]["sentiment"] == "neutral"


def test_spacy_lines_with_several_right_categories_are_rejected() -> None:
    scores = ((1, 1), (0.9, 0.9), (0.9, 0))
    written = [{"text": "Hi", "cats": {"A": a, "B": b}, "meta": {"sentiment": "sad"}} for a, b in scores]
    read = loaded("\n".join(map(json.dumps, written)).encode())
    assert [row.number for row in read if isinstance(row, Rejected)] == [1, 2]
    assert read[2] == elsewhere("Hi", category="A", sentiment="sad")
