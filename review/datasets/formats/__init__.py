"""The files a dataset can be exported as. Pure: records in, bytes out, the same bytes for the same records.

Each format is a module with a `stream`, which takes the records in order (training before benchmark) and holds no more
than one batch of them in memory. `review.datasets.reading` reads every one of them back.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from review.datasets.record import Manifest, Record

from . import csv_columns, hf, jsonl, labelstudio, openai_chat, parquet, spacy_textcat

Stream = Callable[[Iterable[Record], Manifest], Iterator[bytes]]


class Format(NamedTuple):
    """A kind of file: its short name, what people call it, the end of its file names, and what writes it."""

    name: str
    title: str
    suffix: str
    media_type: str
    stream: Stream


_LINES = "application/x-ndjson"

FORMATS: Mapping[str, Format] = {
    format.name: format
    for format in (
        Format("jsonl", "JSON lines", ".jsonl", _LINES, jsonl.stream),
        Format("csv", "CSV", ".csv", "text/csv; charset=utf-8", csv_columns.stream),
        Format("parquet", "Parquet", ".parquet", "application/vnd.apache.parquet", parquet.stream),
        Format("hf", "Hugging Face dataset", ".zip", "application/zip", hf.stream),
        Format("openai", "OpenAI chat fine-tuning", ".openai.jsonl", _LINES, openai_chat.stream),
        Format("labelstudio", "Label Studio tasks", ".labelstudio.json", "application/json", labelstudio.stream),
        Format("spacy", "spaCy text categories", ".spacy.jsonl", _LINES, spacy_textcat.stream),
    )
}
