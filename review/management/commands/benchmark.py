import argparse
from collections.abc import Iterable, Sequence
from decimal import Decimal
from threading import Lock
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.management.notices import warn_of_fallback_model
from classifier.models import ContractVersion, Draft, Gate, LanguageModel
from classifier.models.contract import EmptyTaxonomy
from classifier.text import excerpt
from review.benchmark import (
    baseline,
    draft_comparison,
    execution,
    file_benchmark,
    leaked_examples,
    metrics,
    runs,
    text_report,
)
from review.benchmark.file_benchmark import Item, UnusableFile
from review.benchmark.formatting import LabelNames, add_providers_to_equal_names, contenders_with_names
from review.benchmark.metrics import AXES, GradedItem
from review.benchmark.text_report import ReportContext, ReportRow
from review.gold import snapshots
from review.models import Contender, Result, Run, Snapshot, SnapshotItem


class Command(BaseCommand):
    help = "Compare models on the benchmark labels, or on a file with text, category and sentiment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=argparse.FileType("rb"), help="CSV or JSON lines")
        parser.add_argument(
            "--model", action="append", default=[], help="by default all with an API key; may be repeated"
        )
        parser.add_argument("--contract", help="an earlier contract, by the first characters of its digest")
        parser.add_argument("--draft", metavar="NAME", help="a draft to compare with the contract in force")
        parser.add_argument(
            "--examples",
            action="append",
            type=int,
            choices=range(21),
            metavar="N",
            help="solved tickets to show endpoints in each prompt, by default as configured; may be repeated",
        )
        parser.add_argument("--snapshot", help="a snapshot, by the first characters of its digest; else a new one")
        parser.add_argument("--resume", type=int, metavar="RUN", help="resume a run that was stopped or interrupted")
        parser.add_argument("--estimate", action="store_true", help="show the estimated cost and exit")
        parser.add_argument("--quiet", action="store_true", help="print only the final report")

    def handle(self, *args: Any, file: Any, model: list[str], quiet: bool, **options: Any) -> None:
        self._writing, self._quiet = Lock(), quiet
        self._examples: list[int | None] = options["examples"] or [None]
        if options["draft"] and (file or options["contract"]):
            raise CommandError("--draft works with neither a file nor --contract.")
        try:
            if options["resume"]:
                self._work_off(self._resumed(options["resume"]))
            elif file:
                self._measure_file(file, self._version(options["contract"]), model, only_estimate=options["estimate"])
            else:
                self._measure_snapshot(self._version(options["contract"]), model, **options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (UnusableFile, EmptyTaxonomy, runs.NothingToRun) as error:
            raise CommandError(str(error)) from error

    def _measure_file(self, file: Any, version: ContractVersion, models: list[str], *, only_estimate: bool) -> None:
        items = file_benchmark.read(file, version)
        warn_of_fallback_model(self)
        entries = self._entries(self._language_models(models), version)
        names = self._announced(entries, [file_benchmark.estimate_cost(entry, items) for entry in entries])
        if only_estimate:
            return
        rows = [self._scored(name, entry, items) for name, entry in zip(names, entries, strict=True)]
        board = {key: ReportRow(names[key], metrics.figures(graded)) for key, graded in enumerate(rows)}
        labels = {"category": version.labels.categories, "sentiment": version.labels.sentiments}
        by_key = {axis: {pk: name for name, pk in by_name.items()} for axis, by_name in labels.items()}
        setting = ReportContext(Gate.current().threshold, by_key)
        self._show(board, setting, metrics.compare_contenders(dict(enumerate(rows))))

    def _scored(self, name: str, entry: runs.Entry, items: list[Item]) -> list[GradedItem]:
        def on_result(item: Item, graded: GradedItem, answer: str) -> None:
            self._line(name, graded.right, graded.latency_ms, answer, f"{item.category} | {item.sentiment}", item.text)

        return list(file_benchmark.grade_items(entry, items, on_result))

    def _measure_snapshot(self, version: ContractVersion, models: list[str], **options: Any) -> None:
        chosen = self._snapshot(options["snapshot"]) if options["snapshot"] else None
        warn_of_fallback_model(self)
        language_models = self._language_models(models)
        if options["draft"]:
            entries = self._drafted(options["draft"], language_models)
        else:
            entries = self._entries(language_models, version, options["contract"] or "")
        self._announced(entries, [runs.estimate_cost(chosen, entry) for entry in entries])
        for sentence in leaked_examples.leak_warnings(chosen, {entry.contract: entry.label for entry in entries}):
            self.stderr.write(sentence)
        if not options["estimate"]:
            self._work_off(runs.start_run(chosen or self._new_snapshot(), entries))

    def _announced(self, entries: Sequence[runs.Entry], costs: Sequence[Decimal]) -> list[str]:
        """Print the estimated cost of each entry. Returns their names, which are distinct."""
        contenders = [entry.contender() for entry in entries]
        add_providers_to_equal_names(contenders)
        for contender, cost in zip(contenders, costs, strict=True):
            self.stdout.write(f"{contender}: estimated cost {cost:.4f}")
        return [str(contender) for contender in contenders]

    def _version(self, digest: str | None) -> ContractVersion:
        try:
            if digest is None:
                return ContractVersion.objects.current()
            return ContractVersion.objects.get(digest__startswith=digest).loaded()
        except (ContractVersion.DoesNotExist, ContractVersion.MultipleObjectsReturned) as error:
            raise CommandError(f"No single contract has a digest starting with {digest}.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error

    def _entries(
        self, language_models: list[LanguageModel], version: ContractVersion, label: str = ""
    ) -> list[runs.Entry]:
        return _once(
            runs.Entry(language_model, version, label, number)
            for language_model in language_models
            for number in self._examples
        )

    def _drafted(self, name: str, language_models: list[LanguageModel]) -> list[runs.Entry]:
        try:
            draft = Draft.objects.get(name=name)
            return _once(
                entry for n in self._examples for entry in draft_comparison.entries_for(draft, language_models, n)
            )
        except Draft.DoesNotExist as error:
            known = ", ".join(Draft.objects.open().values_list("name", flat=True)) or "none"
            raise CommandError(f"Unknown draft {name}; open drafts: {known}.") from error

    def _snapshot(self, digest: str) -> Snapshot:
        try:
            return Snapshot.objects.get(digest__startswith=digest)
        except (Snapshot.DoesNotExist, Snapshot.MultipleObjectsReturned) as error:
            raise CommandError(f"No single snapshot has a digest starting with {digest}.") from error

    def _new_snapshot(self) -> Snapshot:
        try:
            return snapshots.create_snapshot()
        except snapshots.EmptySnapshot as error:
            message = "There are no benchmark labels; `manage.py setup` loads the built-in ones."
            raise CommandError(message) from error

    def _language_models(self, names: list[str]) -> list[LanguageModel]:
        language_models = list(LanguageModel.objects.select_related("provider"))
        if unknown := set(names) - {language_model.name for language_model in language_models}:
            known = ", ".join(language_model.name for language_model in language_models)
            raise CommandError(f"Unknown model {', '.join(sorted(unknown))}; known models: {known}.")
        if names:
            return [language_model for language_model in language_models if language_model.name in names]
        for language_model in language_models:
            if language_model.provider.missing_key:
                self.stdout.write(f"{language_model}: not asked, {language_model.provider.missing_key} is not set")
        return LanguageModel.objects.with_keys()

    def _resumed(self, pk: int) -> Run:
        run = Run.objects.filter(pk=pk).exclude(state=Run.State.FINISHED).first()
        if run is None:
            raise CommandError(f"Run {pk} does not exist or has finished.")
        runs.resume_run(run)
        return run

    def _work_off(self, run: Run) -> None:
        self.stdout.write(f"{run} on snapshot {run.snapshot}, {run.items_count} items")
        self._names = {contender.pk: str(contender) for contender in contenders_with_names(run)}
        if not execution.execute_run(run.pk, on_result=self._told):
            raise CommandError(f"{run} is being executed elsewhere; try again later.")
        run.refresh_from_db()
        if run.state != Run.State.FINISHED:
            raise CommandError(f"{run} has stopped: {run.note} Resume it with --resume {run.pk}.")
        contenders, pinned = contenders_with_names(run), baseline.current()
        changes = text_report.describe_changes(contenders, pinned)
        rows = {
            contender.pk: ReportRow(self._names[contender.pk], contender.figures, changes.get(contender.pk, ""))
            for contender in contenders
        }
        setting = ReportContext(
            Gate.current().threshold, _labels(run, contenders), f"{pinned} of {pinned.run}" if pinned else ""
        )
        self._show(rows, setting, run.comparisons)
        for effect in draft_comparison.draft_effects(run):
            self.stdout.write(
                f"{self._names[effect.draft.pk]}: {len(effect.changed)} of {effect.common} answers change,"
                f" {len(effect.fixed)} fixed, {len(effect.broken)} broken"
            )

    def _told(self, contender: Contender, item: SnapshotItem, result: Result) -> None:
        answer = result.answer or f"ERROR {result.failure}: {result.detail}"
        self._line(self._names[contender.pk], result.right, result.latency_ms, answer, item.label, item.gold.text)

    def _line(self, name: str, right: bool, latency_ms: float, answer: str, expected: str, text: str) -> None:
        if self._quiet:
            return
        mark, wanted = ("right", "") if right else ("WRONG", f" (expected {expected})")
        with self._writing:
            self.stdout.write(f"{name}: {mark} {latency_ms:.0f} ms {answer}{wanted}: {excerpt(text, 44)}")

    def _show(self, rows: dict[int, ReportRow], setting: ReportContext, comparisons: Sequence[Any]) -> None:
        for line in text_report.lines(rows, setting, comparisons):
            self.stdout.write(line)
        for row in rows.values():
            failures = row.figures["items"] - row.figures["answered"]
            errors = f", errors={failures}" if failures else ""
            latency = row.figures["latency"]["mean"] or 0
            self.stdout.write(
                f"{row.name}: accuracy={row.figures['both'][0]:.3f}, avg_latency={latency:.0f} ms{errors}"
            )


def _once(entries: Iterable[runs.Entry]) -> list[runs.Entry]:
    """Drop duplicates: a model that cannot be shown any solved tickets is asked once."""
    return list({(entry.language_model, entry.contract, entry.shown): entry for entry in entries}.values())


def _labels(run: Run, contenders: Sequence[Contender]) -> dict[str, dict[int, str]]:
    """The names of labels by axis and key, as any of the contenders knew them."""
    names = [LabelNames(run, contender) for contender in contenders]
    return {
        axis: {pk: name for of_contender in names for pk, name in of_contender.for_axis(axis).items()} for axis in AXES
    }
