"""Writes the active labels of the taxonomy as CSV, JSON or YAML, to be imported again."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

import yaml

from classifier.ingest.readers.formulas import escape_formula
from classifier.models import Category, Sentiment
from classifier.models.taxonomy import paths

Labels = dict[str, list[dict[str, object]]]
"""The labels by axis, in their order, without empty fields."""


class FileFormat(NamedTuple):
    media_type: str
    write: Callable[[Labels], str]


def export(format: str) -> str:
    """The file in one of FORMATS (two queries)."""
    categories = {category.pk: category for category in Category.objects.active()}
    labels = {
        "categories": [_values(categories[pk], name) for pk, name in paths(categories.values()).items()],
        "sentiments": [_values(sentiment, sentiment.name) for sentiment in Sentiment.objects.active()],
    }
    return FORMATS[format].write(labels)


def _values(label: Category | Sentiment, name: str) -> dict[str, object]:
    option = label.option(name)
    values = {"name": name, "description": option.description, "examples": list(option.examples)}
    return {field: value for field, value in values.items() if value}


def _write_csv(labels: Labels) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["axis", "name", "description", "examples"])
    for axis, plural in (("category", "categories"), ("sentiment", "sentiments")):
        for label in labels[plural]:
            examples = label.get("examples", [])
            lines = "\n".join(examples) if isinstance(examples, list) else ""
            writer.writerow(map(escape_formula, (axis, label["name"], label.get("description", ""), lines)))
    return file.getvalue()


def _write_json(labels: Labels) -> str:
    return json.dumps(labels, ensure_ascii=False, indent=2) + "\n"


def _write_yaml(labels: Labels) -> str:
    return str(yaml.safe_dump(labels, allow_unicode=True, sort_keys=False, width=100))


FORMATS: Mapping[str, FileFormat] = {
    "yaml": FileFormat("application/yaml", _write_yaml),
    "json": FileFormat("application/json", _write_json),
    "csv": FileFormat("text/csv", _write_csv),
}
