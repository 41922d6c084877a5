import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.ingest.readers import formats, ticket_records
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.management.label_line import label_line
from classifier.management.notices import warn_of_fallback_model
from classifier.models import ContractVersion, Gate, Verdict
from classifier.models.contract import EmptyTaxonomy
from classifier.pipeline import unstored
from classifier.pipeline.verdict_summary import verdict_summaries


class Command(BaseCommand):
    help = "Classify texts from a file or standard input without storing them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", default="-", help="plain lines, CSV, JSON lines or a spreadsheet; - reads standard input"
        )
        parser.add_argument("--format", choices=[str(format) for format in formats.Format], help="detected by default")
        parser.add_argument("--json", action="store_true", help="print one JSON object per line")

    def handle(self, *args: Any, file: str, format: str | None, json: bool, **options: Any) -> None:
        try:
            settings, version = Gate.current(), ContractVersion.objects.current()
        except (Gate.DoesNotExist, EmptyTaxonomy) as error:
            raise CommandError(f"{error} (`manage.py setup` loads a first taxonomy and the models.)") from error
        warn_of_fallback_model(self)
        with ExitStack() as stack:
            texts = self._texts(_opened(file, stack), file, format)
            while batch := list(islice(texts, settings.active_primary().batch_size)):
                try:
                    verdicts = unstored.classify_texts(batch, settings, version)
                except unstored.PrimaryPaused as error:
                    raise CommandError(str(error)) from error
                for verdict, summary in zip(verdicts, verdict_summaries(verdicts), strict=True):
                    self._print(verdict, summary, as_json=json)

    def _texts(self, stream: BinaryIO, name: str, format: str | None) -> Iterator[str]:
        try:
            chosen = formats.Format(format) if format else formats.sniff_format(name, _head(stream))
            for record in ticket_records.TicketReader(stream, format=chosen):
                if isinstance(record, ticket_records.RejectedRecord):
                    self.stderr.write(self.style.ERROR(f"{name}, record {record.number}: {record.reason}"))
                else:
                    yield record.values["text"] or ""
        except UnreadableFile as error:
            raise CommandError(f"{name}: {error}") from error

    def _print(self, verdict: Verdict, summary: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
            return
        label = summary["category"] or "?", summary["sentiment"] or "?"
        self.stdout.write(label_line(verdict.auto_accepted, *label, verdict.ticket.text))
        if verdict.failure:
            self.stderr.write(self.style.ERROR(f"  {verdict.failure.language_model}: {verdict.failure}"))


def _opened(file: str, stack: ExitStack) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}.") from error


def _head(stream: BinaryIO) -> bytes:
    peek = getattr(stream, "peek", None)
    return bytes(peek(4096))[:4096] if peek else b""
