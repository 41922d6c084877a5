"""Forms of the benchmark pages: start a run, filter answers, set a threshold, dispute a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from classifier.inference import few_shot
from classifier.models import ContractVersion, Draft, Example, Gate, LanguageModel
from classifier.taxonomy import drafts
from review.benchmark import leaked_examples, runs
from review.benchmark.formatting import NO_LABEL, LabelNames
from review.benchmark.model_answers import AnswerFilter
from review.benchmark.runs import Entry
from review.gold import snapshots
from review.models import Side, Snapshot

IN_FORCE = "in-force"
NEW_SNAPSHOT = ""
"""The value of the snapshot that is yet to be taken."""

LATEST = 25

USUAL_EXAMPLES = 5
"""So many solved tickets are offered to be shown to an endpoint that is usually shown none."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, and how many solved tickets it is shown with each question."""

    language_model: LanguageModel
    examples: int = 0

    @property
    def label(self) -> SafeString:
        """Its name, and what it is shown or where it is; and which variable is missing, if it cannot be asked."""
        provider = self.language_model.provider
        note = str(provider)
        if self.examples:
            note = ngettext("with %d solved ticket", "with %d solved tickets", self.examples) % self.examples
        if provider.missing_key:
            note += ": " + _("%s is missing") % provider.missing_key
        return _with_note(str(self.language_model), note)


def _with_note(name: str, note: str) -> SafeString:
    return format_html('<bdi>{}</bdi> <span class="faint">{}</span>', name, note)


class CheckboxesWithDisabled(forms.CheckboxSelectMultiple):
    """Boxes to tick; those of `disabled` values cannot be."""

    disabled: frozenset[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        option["attrs"] |= {"disabled": True} if value in self.disabled else {}
        return option


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run before it starts: what each entry will cost by its prices, about."""

    snapshot: Snapshot
    entries: list[Entry]
    items: int
    costs: list[Decimal]
    leak_warnings: list[str]
    """Which contracts show models what they are measured by, in sentences."""

    @property
    def rows(self) -> list[tuple[Entry, Decimal]]:
        return list(zip(self.entries, self.costs, strict=True))

    @property
    def total(self) -> Decimal:
        return sum(self.costs, Decimal(0))


class StartForm(forms.Form):
    """Models and contracts, each under each, and what to measure with. Making it raises EmptyTaxonomy."""

    models = forms.MultipleChoiceField(
        label=gettext_lazy("Models"),
        error_messages={"required": gettext_lazy("Choose at least one model.")},
        widget=CheckboxesWithDisabled,
    )
    contracts = forms.MultipleChoiceField(
        label=gettext_lazy("Contracts"),
        error_messages={"required": gettext_lazy("Choose at least one contract.")},
        widget=CheckboxesWithDisabled,
    )
    snapshot = forms.ChoiceField(label=gettext_lazy("Labels to measure with"), required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, snapshot: str = NEW_SNAPSHOT, draft: str = "") -> None:
        usual = {"snapshot": snapshot, "contracts": [IN_FORCE, f"draft-{draft}"]}
        super().__init__(data, initial=usual, use_required_attribute=False)
        self._drafts = {f"draft-{one.pk}": one for one in Draft.objects.open()[:LATEST]}
        self._runners = _model_choices()
        self.initial["models"] = [self._usual()]
        self._versions = {IN_FORCE: ContractVersion.objects.current()} | _earlier_contracts()
        # The one in force stands there once, by its own name.
        self._versions.pop(str(self._versions[IN_FORCE].pk), None)
        self._snapshots = {one.short: one for one in _snapshots_with_benchmark_items(snapshot)}
        self._offer_models()
        self._choices("contracts", self._contracts_to_choose())
        self._choices(
            "snapshot",
            [
                (NEW_SNAPSHOT, _("current labels (new snapshot)")),
                *((k, _snapshot_title(v)) for k, v in self._snapshots.items()),
            ],
        )

    def _choices(self, name: str, choices: Iterable[tuple[str, Any]]) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
        field.choices = list(choices)
        return field

    def _offer_models(self) -> None:
        """Those whose key is missing are shown, and cannot be chosen."""
        lacking = {key: one.language_model.provider.missing_key for key, one in self._runners.items()}
        named = [(key, one.label) for key, one in self._runners.items()]
        boxes = self._choices("models", ((key, label) for key, label in named if not lacking[key])).widget
        assert isinstance(boxes, CheckboxesWithDisabled)  # noqa: S101 - as declared above
        boxes.choices, boxes.disabled = named, frozenset(key for key, variable in lacking.items() if variable)

    def _usual(self) -> str:
        """The model in charge, shown what it is shown every day."""
        gate = Gate.objects.select_related("primary__provider").first()
        if gate is None:
            return ""
        language_model = gate.active_primary()
        shown = f"{language_model.pk}-{few_shot.example_count(language_model)}"
        return shown if shown in self._runners else str(language_model.pk)

    def _contracts_to_choose(self) -> Iterable[tuple[str, SafeString]]:
        for key, version in self._versions.items():
            since = _("since %s") % date_format(localtime(version.created_at), "j M Y, H:i")
            yield key, _with_note(_("in force") if key == IN_FORCE else str(version), since)
        for key, draft in self._drafts.items():
            yield key, _with_note(draft.name, _("draft"))

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What was chosen, to be sent along with the confirmation; of the snapshot that was taken by its name."""
        return [(name, value) for name in ("models", "contracts") for value in self.cleaned_data[name]]

    def plan(self, by: User) -> RunPlan | None:
        """What would be run; None where something is wrong, which the form then says. Takes the snapshot if need be."""
        if not self.is_valid():
            return None
        values = self.cleaned_data
        try:
            entries = self._entries()
            snapshot = self._snapshots.get(values["snapshot"]) or snapshots.create_snapshot(by=by)
            items = runs.count_items(snapshot, entries)
        except snapshots.EmptySnapshot:
            self.add_error(None, _("No benchmark labels yet: review some tickets or import labels."))
        except runs.NothingToRun as error:
            self.add_error(None, str(error))
        except ValidationError as error:
            self.add_error("contracts", error)
        else:
            costs = [runs.estimate_cost(snapshot, entry) for entry in entries]
            leak_warnings = leaked_examples.leak_warnings(snapshot, {entry.contract: entry.label for entry in entries})
            return RunPlan(snapshot, entries, items, costs, leak_warnings)
        return None

    def _entries(self) -> list[Entry]:
        """Raises ValidationError where a draft cannot be published, or two of the contracts are one."""
        contracts: dict[ContractVersion, str] = {}
        for key in self.cleaned_data["contracts"]:
            version, label = self._contract(key)
            if version in contracts:
                raise ValidationError(_("Under %s models would be asked what they are asked already.") % label)
            contracts[version] = label
        runners = (self._runners[key] for key in self.cleaned_data["models"])
        return [
            Entry(one.language_model, version, label, one.examples)
            for one in runners
            for version, label in contracts.items()
        ]

    def _contract(self, key: str) -> tuple[ContractVersion, str]:
        """By its key, and how a run names it."""
        if draft := self._drafts.get(key):
            return drafts.contract_for(draft), draft.name
        version = self._versions[key]
        return version, "" if key == IN_FORCE else str(version)


def _model_choices() -> dict[str, ModelChoice]:
    """The models, and where tickets are solved each endpoint that can be asked once more, with some of them."""
    runners, solved = {}, Example.objects.exists()
    for language_model in LanguageModel.objects.select_related("provider"):
        runners[str(language_model.pk)] = ModelChoice(language_model)
        shown = few_shot.example_count(language_model, language_model.examples or USUAL_EXAMPLES)
        if solved and shown and not language_model.provider.missing_key:
            runners[f"{language_model.pk}-{shown}"] = ModelChoice(language_model, shown)
    return runners


def _earlier_contracts() -> dict[str, ContractVersion]:
    """The latest contracts of which enough is known to ask under them again."""
    versions = ContractVersion.objects.defer("answer_schema")[:LATEST]
    return {str(version.pk): version for version in versions if version.options}


def _snapshots_with_benchmark_items(named: str) -> list[Snapshot]:
    """The latest snapshots that something can be measured with, and the one named."""
    latest = list(Snapshot.objects.all()[:LATEST])
    if len(named) >= 12 and not any(one.short == named[:12] for one in latest):
        latest += Snapshot.objects.filter(digest__startswith=named)[:1]
    return [one for one in latest if one.counts.get("side", {}).get(Side.BENCHMARK)]


def _snapshot_title(snapshot: Snapshot) -> str:
    return _("%(name)s of %(date)s: %(number)d items") % {
        "name": snapshot.short,
        "date": date_format(localtime(snapshot.created_at), "j M Y, H:i"),
        "number": snapshot.counts["side"][Side.BENCHMARK],
    }


class AnswersForm(forms.Form):
    """Which answers to look at. What makes no sense in an address narrows nothing."""

    show = forms.ChoiceField(label=gettext_lazy("answers"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("expected category"), required=False)
    predicted_category = forms.ChoiceField(label=gettext_lazy("answered category"), required=False)
    sentiment = forms.ChoiceField(label=gettext_lazy("expected sentiment"), required=False)
    predicted_sentiment = forms.ChoiceField(label=gettext_lazy("answered sentiment"), required=False)
    change = forms.ChoiceField(label=gettext_lazy("against the baseline"), required=False)
    failure = forms.ChoiceField(label=gettext_lazy("failure"), required=False)

    def __init__(self, data: Mapping[str, Any], *, names: LabelNames, failures: Sequence[str], compared: bool) -> None:
        super().__init__(data)
        for axis in ("category", "sentiment"):
            labels = [(str(pk), name) for pk, name in names.for_axis(axis).items()]
            self._choices(axis, labels)
            self._choices(f"predicted_{axis}", [*labels, (NO_LABEL, _("none of these"))])
        self._choices(
            "show",
            [
                ("wrong", _("wrong")),
                ("wrong_category", _("wrong category")),
                ("wrong_sentiment", _("wrong sentiment")),
                ("right", _("right")),
            ],
            _("all"),
        )
        self._offered("change", [("fixed", _("fixed since")), ("broken", _("broken since"))] if compared else [])
        self._offered("failure", [(kind, kind) for kind in failures])

    def _offered(self, name: str, choices: list[tuple[str, str]]) -> None:
        """Not where there is nothing to choose from."""
        if choices:
            self._choices(name, choices)
        else:
            del self.fields[name]

    def _choices(self, name: str, choices: list[tuple[str, str]], empty: str = "") -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
        field.choices = [("", empty or _("any")), *choices]

    @property
    def wanted(self) -> AnswerFilter:
        self.is_valid()
        return AnswerFilter(**self.cleaned_data)

    @property
    def active(self) -> bool:
        return any(self.wanted_values())

    def wanted_values(self) -> list[str]:
        self.is_valid()
        return list(self.cleaned_data.values())


class ThresholdForm(forms.Form):
    threshold = forms.FloatField(min_value=0, max_value=1)

    @classmethod
    def stated(cls, data: Mapping[str, Any]) -> float | None:
        """What was sent, where it is a threshold."""
        form = cls(data)
        return form.cleaned_data["threshold"] if form.is_valid() else None


class DisputeForm(forms.Form):
    reason = forms.CharField(max_length=300)
