"""Write the dataset card of the Hugging Face hub: a README with YAML metadata. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from review.datasets.formats.labels import label_numbers
from review.datasets.formats.parquet import schema_for
from review.datasets.record import LabelInfo, Manifest

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_TYPES = {pa.string(): "string", pa.bool_(): "bool", pa.int32(): "int32", pa.int64(): "int64", pa.float64(): "float64"}


def card(manifest: Manifest, paths: Mapping[str, str]) -> str:
    """The README; `paths` gives the file of each split."""
    return "\n".join(("---", *_front_matter(manifest, paths), "---", "", *_body(manifest), ""))


def _front_matter(manifest: Manifest, paths: Mapping[str, str]) -> Iterator[str]:
    """The lines of YAML; strings are quoted as in JSON, which YAML understands."""
    if manifest.licence:
        yield f"license: {_quoted(manifest.licence)}"
    yield from ("task_categories:", "- text-classification")
    size = next((name for limit, name in _SIZES if manifest.records < limit), "1M<n<10M")
    yield from ("size_categories:", f"- {size}")
    yield from ("configs:", "- config_name: default", "  data_files:" if paths else "  data_files: []")
    for split, path in paths.items():
        yield from (f"  - split: {split}", f"    path: {path}")
    yield from ("dataset_info:", "  config_name: default", "  features:")
    numbered = {
        "category_id": label_numbers(manifest, "categories"),
        "sentiment_id": label_numbers(manifest, "sentiments"),
    }
    for column in schema_for(manifest):
        yield f"  - name: {column.name}"
        if names := numbered.get(column.name):
            yield from ("    dtype:", "      class_label:", "        names:")
            yield from (f"          '{number}': {_quoted(name)}" for name, number in names.items())
        elif pa.types.is_list(column.type):
            yield "    sequence: string"
        else:
            yield f"    dtype: {_TYPES[column.type]}"


def _body(manifest: Manifest) -> Iterator[str]:
    yield from ("# Labelled support tickets", "")
    yield f"{manifest.records:,} tickets with the category and sentiment that people gave them."
    yield from ("", f"- Snapshot: `{manifest.snapshot}`", f"- Created: {manifest.created_at}")
    yield f"- Contract of the model: `{manifest.contract}`"
    yield from (f"- Filter {_code(name)}: {_code(value)}" for name, value in sorted(manifest.filters.items()))
    masked = "are replaced by placeholders" if manifest.masked else "are not masked"
    yield f"- Addresses, telephone numbers and account numbers {masked}."
    yield "- `train` is the training side; `test` is the benchmark, which no model may be trained on."
    yield "- Most labels are of tickets that needed review, held tickets only, which are harder than the rest."
    yield "- Records with the `origin` `sample` or `audit` were drawn at random from all arrivals:"
    yield "  figures for all tickets come from these alone, each weighted by 1 / `share`, the probability of its draw."
    for title, labels, counts in (
        ("Categories", manifest.taxonomy["categories"], manifest.categories),
        ("Sentiments", manifest.taxonomy["sentiments"], manifest.sentiments),
    ):
        yield from ("", f"## {title}", "", "| Name | Records | Meaning |", "| --- | ---: | --- |")
        yield from _table(labels, counts)


def _table(labels: Iterable[LabelInfo], counts: Mapping[str, int]) -> Iterator[str]:
    meanings = {label.name: label.description for label in labels}
    for name in [*meanings, *sorted(counts.keys() - meanings.keys())]:
        yield f"| {_cell(name)} | {counts.get(name, 0):,} | {_cell(meanings.get(name, '(no longer chosen)'))} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', ' ').split())}`"


def _quoted(text: str) -> str:
    return json.dumps(text)
