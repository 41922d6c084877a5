"""Write and read Label Studio tasks: labels as annotations, the model's earlier answer as a prediction. Pure.

The file is a JSON array of tasks ("Label Studio task format", "Import pre-annotations"). `data` holds the text and the
record's other fields; the annotation makes two single choices, by full names. `labelling_config` is the labelling
interface of the project to import them into.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from typing import Any
from xml.sax.saxutils import quoteattr

from classifier.contract.attributes import NO, YES
from classifier.ingest.readers.columns import InvalidRecord
from review.datasets.formats.batching import in_batches
from review.datasets.formats.jsonl import encode_json
from review.datasets.formats.labels import PREFIX, json_fields, label_numbers
from review.datasets.record import AttributeInfo, Manifest, Record


def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
    """Yield the file in batches of tasks, one per line."""
    before, numbers = "[\n", count(1)
    for batch in in_batches(records):
        tasks = (encode_json(task(record, next(numbers), manifest.attributes)) for record in batch)
        yield (before + ",\n".join(tasks)).encode()
        before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def task(record: Record, number: int, attributes: Iterable[AttributeInfo] = ()) -> dict[str, Any]:
    """The record as a task; Label Studio's converter identifies it by its number."""
    data = json_fields(record)
    labels = {name: data.pop(name) for name in ("category", "sentiment")}
    answers = data.pop("attributes", {})
    # Label Studio compares other annotations and models with ground truth.
    results = _choices(labels) + _answers(answers, attributes)
    annotation = {"result": results, "was_cancelled": False, "ground_truth": record.side == "benchmark"}
    guessed = {"category": record.model_category, "sentiment": record.model_sentiment}
    prediction: dict[str, Any] = {"model_version": "ticketclf", "result": _choices(guessed)}
    if record.model_confidence is not None:
        prediction["score"] = record.model_confidence
    predictions = [prediction] if prediction["result"] else []
    return {"id": number, "data": data, "annotations": [annotation], "predictions": predictions}


def _choices(labels: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"id": name, "from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [label]}}
        for name, label in labels.items()
        if label
    ]


def _answers(answers: Mapping[str, Any], attributes: Iterable[AttributeInfo]) -> list[dict[str, Any]]:
    """The answers to attributes as results of their controls."""
    return [
        {"id": name, "from_name": name, "to_name": "text", **_value(attribute, answers[attribute.key])}
        for attribute in attributes
        if attribute.key in answers
        for name in [f"{PREFIX}{attribute.key}"]
    ]


def _value(attribute: AttributeInfo, answer: Any) -> dict[str, Any]:
    if attribute.kind == "text":
        return {"type": "textarea", "value": {"text": [answer]}}
    if isinstance(answer, bool):
        answer = YES if answer else NO
    return {"type": "choices", "value": {"choices": answer if isinstance(answer, list) else [answer]}}


def labelling_config(manifest: Manifest) -> str:
    """The labelling interface (XML) of the tasks, with the taxonomy's labels as choices."""
    return "\n".join(
        (
            "<View>",
            '  <Text name="text" value="$text"/>',
            *_control("category", manifest, "categories"),
            *_control("sentiment", manifest, "sentiments"),
            *chain.from_iterable(map(_attribute_control, manifest.attributes)),
            "</View>",
            "",
        )
    )


def _control(name: str, manifest: Manifest, axis: str) -> Iterator[str]:
    hints = {label.name: label.description for label in manifest.taxonomy[axis] if label.description}
    yield f'  <Header value="{name.capitalize()}"/>'
    yield f'  <Choices name="{name}" toName="text" choice="single" required="true">'
    for label in label_numbers(manifest, axis):
        hint = f" hint={quoteattr(hints[label])}" if label in hints else ""
        yield f"    <Choice value={quoteattr(label)}{hint}/>"
    yield "  </Choices>"


def _attribute_control(attribute: AttributeInfo) -> Iterator[str]:
    """Optional, since an attribute may be left open."""
    name = quoteattr(f"{PREFIX}{attribute.key}")
    yield f"  <Header value={quoteattr(attribute.name)}/>"
    if attribute.kind == "text":
        yield f'  <TextArea name={name} toName="text" maxSubmissions="1" rows="1"/>'
        return
    choice = "multiple" if attribute.kind == "several_of" else "single"
    yield f'  <Choices name={name} toName="text" choice="{choice}">'
    for option in attribute.options or (YES, NO):
        yield f"    <Choice value={quoteattr(option)}/>"
    yield "  </Choices>"


def parse_row(task: dict[str, Any]) -> dict[str, Any]:
    """The task's data, plus each single choice of its latest annotation under the name of its control.

    Skipped annotations do not count. The last prediction's choices become "model_" fields, its score
    `model_confidence`, and the annotation's time `labelled_at`, unless the data has them. Raises InvalidRecord if there
    is no annotation or a choice is not single.
    """
    done = [annotation for annotation in _objects(task.get("annotations")) if not annotation.get("was_cancelled")]
    if not done:
        raise InvalidRecord("The task has no annotation: label it, or leave it out.")
    latest = max(enumerate(done), key=lambda numbered: (_moment(numbered[1]), numbered[0]))[1]
    guesses = [guess for guess in _objects(task.get("predictions")) if guess.get("result")]
    guessed: dict[str, Any] = {
        f"model_{name}": label for guess in guesses[-1:] for name, label in _chosen(guess).items()
    }
    if guesses and guessed:
        guessed["model_confidence"] = guesses[-1].get("score")
    return {"labelled_at": _moment(latest), **guessed, **task["data"], **_chosen(latest)}


def _objects(values: object) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _moment(annotation: dict[str, Any]) -> str:
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _chosen_values(value: dict[str, Any]) -> Any:
    return next((value[name] for name in ("choices", "taxonomy", "text") if name in value), None)


def _chosen(annotation: dict[str, Any]) -> dict[str, list[Any]]:
    """By control, the list of its one choice, which is a list of names where the control offers nested ones; an
    attribute's control may have any number of choices, or a text.
    """
    chosen: dict[str, list[Any]] = {}
    for result in _objects(annotation.get("result")):
        value, name = result.get("value"), str(result.get("from_name"))
        choices = _chosen_values(value) if isinstance(value, dict) else None
        if not isinstance(choices, list):
            continue
        if name.startswith(PREFIX):
            chosen[name] = choices
            continue
        if len(choices) != 1 or name in chosen:
            raise InvalidRecord(f"The annotation does not give a single choice for {name!r}: choose one.")
        chosen[name] = choices
    return chosen
