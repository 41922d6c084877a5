"""The export formats of datasets. Pure.

A format is a module with a function `stream`, which takes the records in order (training before benchmark), holds one
batch in memory, and yields the same bytes for the same records. `review.datasets.reading` reads all formats back.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from review.datasets.record import Manifest, Record

Stream = Callable[[Iterable[Record], Manifest], Iterator[bytes]]


class Format(NamedTuple):
    """An export format.

    One `for_training` leaves out the benchmark side, unless there is no other, and records that lack a label.
    `package` names an optional dependency.
    """

    name: str
    title: str
    suffix: str
    media_type: str
    stream: Stream
    for_training: bool = False
    package: str = ""

    @property
    def is_available(self) -> bool:
        return not self.package or find_spec(self.package) is not None


def _lazy_stream(module: str) -> Stream:
    """The `stream` of a module imported on demand, since pyarrow is large."""

    def stream(records: Iterable[Record], manifest: Manifest) -> Iterator[bytes]:
        pieces: Iterator[bytes] = import_module(f"review.datasets.formats.{module}").stream(records, manifest)
        yield from pieces

    return stream


_LINES = "application/x-ndjson"

FORMATS: Mapping[str, Format] = {
    format.name: format
    for format in (
        Format("jsonl", "JSON lines", ".jsonl", _LINES, _lazy_stream("jsonl")),
        Format("csv", "CSV", ".csv", "text/csv; charset=utf-8", _lazy_stream("csv_columns")),
        Format(
            "parquet",
            "Parquet",
            ".parquet",
            "application/vnd.apache.parquet",
            _lazy_stream("parquet"),
            package="pyarrow",
        ),
        Format("hf", "Hugging Face dataset", ".zip", "application/zip", _lazy_stream("hf"), package="pyarrow"),
        Format(
            "openai",
            "OpenAI chat fine-tuning",
            ".openai.jsonl",
            _LINES,
            _lazy_stream("openai_chat"),
            for_training=True,
        ),
        Format(
            "labelstudio", "Label Studio tasks", ".labelstudio.json", "application/json", _lazy_stream("labelstudio")
        ),
        Format("spacy", "spaCy text categories", ".spacy.jsonl", _LINES, _lazy_stream("spacy_textcat")),
    )
}
