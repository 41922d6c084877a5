import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier import readers
from classifier.contract import Answer
from classifier.management.notices import say_who_answers
from classifier.models import ContractVersion, ModelSpec
from classifier.models.contract import EmptyTaxonomy
from classifier.text import excerpt
from review import benchmark


class Command(BaseCommand):
    help = (
        "Compare models on texts whose labels are known: the benchmark set, or a file with text, category, sentiment."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=argparse.FileType("rb"), help="CSV or JSON lines")
        parser.add_argument(
            "--model", action="append", default=[], help="may be repeated; all that can answer by default"
        )
        parser.add_argument("--quiet", action="store_true", help="only the last line of each model")

    def handle(self, *args: Any, file: Any, model: list[str], quiet: bool, **options: Any) -> None:
        try:
            version = ContractVersion.objects.in_force()
        except EmptyTaxonomy as error:
            raise CommandError(str(error)) from error
        items = self._items_of(file, version) if file else benchmark.stored_items()
        if not items:
            raise CommandError("There is no item to compare on; `manage.py setup` loads the built-in ones.")
        say_who_answers(self)
        summaries = [self._run(spec, items, version, quiet) for spec in self._specs(model)]
        self.stdout.write("\n".join(summaries))

    def _specs(self, names: list[str]) -> list[ModelSpec]:
        specs = list(ModelSpec.objects.select_related("provider"))
        if unknown := set(names) - {spec.name for spec in specs}:
            known = ", ".join(spec.name for spec in specs)
            raise CommandError(f"There is no model {', '.join(sorted(unknown))}; there are {known}.")
        if names:
            return [spec for spec in specs if spec.name in names]
        for spec in specs:
            if spec.provider.missing_key:
                self.stdout.write(f"{spec}: not asked, {spec.provider.missing_key} is not set")
        return ModelSpec.objects.answering()

    def _run(self, spec: ModelSpec, items: list[benchmark.Item], version: ContractVersion, quiet: bool) -> str:
        results = []
        for result in benchmark.run(spec, items, version):
            results.append(result)
            if not quiet:
                self.stdout.write(_line(spec, result))
        summary = benchmark.summary(results)
        errors = f", errors={summary.errors}" if summary.errors else ""
        return f"{spec}: accuracy={summary.accuracy:.3f}, avg_latency={summary.latency_ms:.0f} ms{errors}"

    def _items_of(self, file: Any, version: ContractVersion) -> list[benchmark.Item]:
        try:
            format = readers.sniff_format(file.name, file.peek(4096)[:4096])
            records = list(readers.read(file, format=format))
        except readers.UnreadableFile as error:
            raise CommandError(f"{file.name}: {error}") from error
        return [self._item(file.name, record, version) for record in records]

    def _item(self, name: str, record: readers.Row | readers.Rejection, version: ContractVersion) -> benchmark.Item:
        if isinstance(record, readers.Rejection):
            raise CommandError(f"{name}, record {record.number}: {record.reason}")
        category, sentiment = record.values.get("category"), record.values.get("sentiment")
        for value, known in ((category, version.labels.categories), (sentiment, version.labels.sentiments)):
            if value not in known:
                there_are = f"there are {', '.join(known)}"
                raise CommandError(f"{name}, record {record.number}: {value!r} is no label; {there_are}.")
        return benchmark.Item(record.values["text"] or "", category or "", sentiment or "")


def _line(spec: ModelSpec, result: benchmark.Result) -> str:
    mark = "right" if result.right else "WRONG"
    text, latency = excerpt(result.item.text, 44), result.answer.usage.latency_ms
    if isinstance(result.answer, Answer):
        said = f"{result.answer.category} | {result.answer.sentiment}"
    else:
        said = f"ERROR {result.answer.kind}: {result.answer}"
    expected = "" if result.right else f" (expected {result.item.category} | {result.item.sentiment})"
    return f"{spec}: {mark} {latency:.0f} ms {said}{expected}: {text}"
