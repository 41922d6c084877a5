import argparse
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier import readers
from classifier.contract import Answer, ClassifierError
from classifier.labelling import ask
from classifier.management.notices import say_who_answers
from classifier.models import ContractVersion, Draft, ModelSpec
from classifier.models.contract import EmptyTaxonomy
from classifier.text import excerpt
from review import benchmark, drafting, scoreboard, scores, snapshots
from review.comparing.shown import gate_threshold
from review.judging import Judge
from review.models import Contender, Result, Run, Snapshot, SnapshotItem
from review.scoreboard import Setting
from review.scores import Scored


class Command(BaseCommand):
    help = (
        "Compare models on texts whose labels are known: the benchmark set, or a file with text, category, sentiment."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=argparse.FileType("rb"), help="CSV or JSON lines")
        parser.add_argument(
            "--model", action="append", default=[], help="may be repeated; all that can answer by default"
        )
        parser.add_argument("--contract", help="an earlier contract, by the first characters of its digest")
        parser.add_argument("--draft", metavar="NAME", help="a draft, measured beside the contract in force")
        parser.add_argument(
            "--examples",
            action="append",
            type=int,
            choices=range(21),
            metavar="N",
            help="show endpoints N solved tickets with each question, 0 for none; may be repeated, by default as set",
        )
        parser.add_argument("--snapshot", help="a snapshot, by the first characters of its digest; else a new one")
        parser.add_argument("--resume", type=int, metavar="RUN", help="go on with a run that was stopped or cut off")
        parser.add_argument("--estimate", action="store_true", help="only say what it will cost")
        parser.add_argument("--quiet", action="store_true", help="only what came out at the end")

    def handle(self, *args: Any, file: Any, model: list[str], quiet: bool, **options: Any) -> None:
        self._writing, self._quiet = Lock(), quiet
        self._examples: list[int | None] = options["examples"] or [None]
        if options["resume"]:
            self._work_off(self._resumed(options["resume"]))
            return
        if options["draft"] and (file or options["contract"]):
            raise CommandError("A draft is measured on a snapshot, and beside the contract in force.")
        version = self._version(options["contract"])
        if file:
            items = [self._item(file.name, record, version) for record in self._records(file)]
            if not items:
                raise CommandError("There is no item to compare on in this file.")
            say_who_answers(self)
            entries = self._entries(self._specs(model), version)
            figures = {entry.name: self._figures(entry, items) for entry in entries}
            labels = {"category": version.labels.categories, "sentiment": version.labels.sentiments}
            self._show(figures, {axis: {pk: name for name, pk in by_name.items()} for axis, by_name in labels.items()})
            return
        snapshot = self._snapshot(options["snapshot"])
        say_who_answers(self)
        specs = self._specs(model)
        if options["draft"]:
            entries = self._drafted(options["draft"], specs)
        else:
            entries = self._entries(specs, version, options["contract"] or "")
        for entry in entries:
            self.stdout.write(f"{entry.name}: about {benchmark.estimate(snapshot, entry):.4f} by its prices")
        if not options["estimate"]:
            self._work_off(self._started(snapshot, entries))

    def _version(self, digest: str | None) -> ContractVersion:
        try:
            if digest is None:
                return ContractVersion.objects.in_force()
            return ContractVersion.objects.get(digest__startswith=digest).restored()
        except (ContractVersion.DoesNotExist, ContractVersion.MultipleObjectsReturned) as error:
            raise CommandError(f"There is not one contract whose digest begins with {digest}.") from error
        except (EmptyTaxonomy, ValueError) as error:
            raise CommandError(str(error)) from error

    def _entries(self, specs: list[ModelSpec], version: ContractVersion, label: str = "") -> list[benchmark.Entry]:
        return _once(benchmark.Entry(spec, version, label, number) for spec in specs for number in self._examples)

    def _drafted(self, name: str, specs: list[ModelSpec]) -> list[benchmark.Entry]:
        try:
            draft = Draft.objects.get(name=name)
            entries = _once(one for n in self._examples for one in drafting.entries_for(draft, specs, n))
        except Draft.DoesNotExist as error:
            known = ", ".join(Draft.objects.open().values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no draft {name}; those not published: {known}.") from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except EmptyTaxonomy as error:
            raise CommandError(str(error)) from error
        if given_away := len(drafting.given_away(entries[-1].contract)) if entries else 0:
            self.stderr.write(f"Held-out texts that nearly stand among the examples of the draft: {given_away}")
        return entries

    def _snapshot(self, digest: str | None) -> Snapshot:
        try:
            return Snapshot.objects.get(digest__startswith=digest) if digest else snapshots.take()
        except snapshots.NothingToKeep as error:
            message = "There is no item to compare on; `manage.py setup` loads the built-in ones."
            raise CommandError(message) from error
        except (Snapshot.DoesNotExist, Snapshot.MultipleObjectsReturned) as error:
            raise CommandError(f"There is not one snapshot whose digest begins with {digest}.") from error

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

    def _started(self, snapshot: Snapshot, entries: list[benchmark.Entry]) -> Run:
        try:
            return benchmark.start(snapshot, entries)
        except benchmark.NothingToRun as error:
            raise CommandError(str(error)) from error

    def _resumed(self, pk: int) -> Run:
        run = Run.objects.filter(pk=pk).exclude(state=Run.State.FINISHED).first()
        if run is None:
            raise CommandError(f"There is no unfinished run {pk}.")
        benchmark.resume(run)
        return run

    def _work_off(self, run: Run) -> None:
        self.stdout.write(f"{run} on snapshot {run.snapshot}, {run.items_count} items")
        if not benchmark.work_off(run.pk, told=self._told):
            raise CommandError(f"{run} is being worked on elsewhere; try again when that has ended.")
        run.refresh_from_db()
        if run.state != Run.State.FINISHED:
            raise CommandError(f"{run} has stopped: {run.note} Go on with it by --resume {run.pk}.")
        contenders = {one.pk: str(one) for one in run.contenders.select_related("spec")}
        figures = {str(one): one.figures for one in run.contenders.select_related("spec")}
        names = run.snapshot.names
        labels = {"category": names("categories"), "sentiment": names("sentiments")}
        self._show(figures, labels, comparisons=run.comparisons, names=contenders)
        for found in drafting.what_if(run):
            self.stdout.write(
                f"{contenders[found.draft.pk]}: {len(found.changed)} of {found.common} answers change,"
                f" {len(found.fixed)} right only so, {len(found.broken)} right only now"
            )

    def _told(self, contender: Contender, item: SnapshotItem, result: Result) -> None:
        names = item.snapshot.names
        expected = f"{names('categories')[item.category]} | {names('sentiments')[item.sentiment]}"
        said = result.answer or f"ERROR {result.failure}: {result.detail}"
        self._line(str(contender), result.right, result.latency_ms, said, expected, item.gold.text)

    def _line(self, name: str, right: bool, latency_ms: float, said: str, expected: str, text: str) -> None:
        if self._quiet:
            return
        mark, wanted = ("right", "") if right else ("WRONG", f" (expected {expected})")
        with self._writing:
            self.stdout.write(f"{name}: {mark} {latency_ms:.0f} ms {said}{wanted}: {excerpt(text, 44)}")

    def _show(self, figures: dict[str, Any], labels: dict[str, dict[int, str]], **compared: Any) -> None:
        for line in scoreboard.lines(figures, Setting(gate_threshold(), labels), **compared):
            self.stdout.write(line)
        for name, one in figures.items():
            failures = one["n"] - one["answered"]
            errors = f", errors={failures}" if failures else ""
            latency = one["latency"]["mean"] or 0
            self.stdout.write(f"{name}: accuracy={one['both'][0]:.3f}, avg_latency={latency:.0f} ms{errors}")

    def _records(self, file: Any) -> list[readers.Row | readers.Rejection]:
        try:
            format = readers.sniff_format(file.name, file.peek(4096)[:4096])
            return list(readers.read(file, format=format))
        except readers.UnreadableFile as error:
            raise CommandError(f"{file.name}: {error}") from error

    def _item(self, name: str, record: readers.Row | readers.Rejection, version: ContractVersion) -> "Item":
        if isinstance(record, readers.Rejection):
            raise CommandError(f"{name}, record {record.number}: {record.reason}")
        category, sentiment = record.values.get("category"), record.values.get("sentiment")
        for value, known in ((category, version.labels.categories), (sentiment, version.labels.sentiments)):
            if value not in known:
                there_are = f"there are {', '.join(known)}"
                raise CommandError(f"{name}, record {record.number}: {value!r} is no label; {there_are}.")
        return Item(record.values["text"] or "", category or "", sentiment or "")

    def _figures(self, entry: benchmark.Entry, items: list["Item"]) -> dict[str, Any]:
        return scores.figures(list(self._scored(entry, items)))

    def _scored(self, entry: benchmark.Entry, items: list["Item"]) -> Iterator[Scored]:
        judge, labels = Judge(), entry.contract.labels
        answers = ask([item.text for item in items], entry.spec, entry.contract, examples=entry.shown)
        for item, answer in zip(items, answers, strict=True):
            category, sentiment = labels.categories[item.category], labels.sentiments[item.sentiment]
            said = answer if isinstance(answer, Answer) else None
            one = Scored(
                category=category,
                sentiment=sentiment,
                said_category=labels.categories[said.category] if said else None,
                said_sentiment=labels.sentiments[said.sentiment] if said else None,
                category_right=bool(said and judge.category(said.category, category, labels)),
                sentiment_right=bool(said and judge.sentiment(said.sentiment, sentiment, labels)),
                confidence=said.confidence if said else None,
                failure=answer.kind if isinstance(answer, ClassifierError) else "",
                latency_ms=answer.usage.latency_ms,
                cost=float(entry.spec.cost(answer.usage)),
            )
            words = f"{said.category} | {said.sentiment}" if said else f"ERROR {one.failure}: {answer}"
            expected = f"{item.category} | {item.sentiment}"
            self._line(entry.name, one.right, one.latency_ms, words, expected, item.text)
            yield one


def _once(entries: Iterable[benchmark.Entry]) -> list[benchmark.Entry]:
    """Without those that ask the same: a model that cannot be shown any solved tickets is asked once."""
    return list({(entry.spec, entry.contract, entry.shown): entry for entry in entries}.values())


class Item(NamedTuple):
    """A text out of a file and the labels it should get, by their full names."""

    text: str
    category: str
    sentiment: str
