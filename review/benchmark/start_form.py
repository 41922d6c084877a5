"""Form that starts a benchmark run: which models, under which contracts, on which snapshot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
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
from review.benchmark.runs import Entry
from review.models import Side, Snapshot

IN_FORCE = "in-force"
NEW_SNAPSHOT = ""
"""The choice that creates a snapshot of the current labels."""

LATEST = 25

USUAL_EXAMPLES = 5
"""Solved tickets offered as examples to an endpoint that is normally shown none."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, and how many solved tickets each prompt shows it."""

    language_model: LanguageModel
    examples: int = 0

    @property
    def label(self) -> SafeString:
        """The model's name with its examples or its provider, and the missing environment variable, if any."""
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
    """Checkboxes of which those for the `disabled` values are greyed out."""

    disabled: frozenset[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        option["attrs"] |= {"disabled": True} if value in self.disabled else {}
        return option


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run before it starts, with the estimated cost of each entry."""

    snapshot: Snapshot | None
    """None for one that is created when the run starts."""
    entries: list[Entry]
    items: int
    costs: list[Decimal]
    leak_warnings: list[str]
    """One sentence for each contract whose examples contain benchmark texts."""

    @property
    def rows(self) -> list[tuple[Entry, Decimal]]:
        return list(zip(self.entries, self.costs, strict=True))

    @property
    def total(self) -> Decimal:
        return sum(self.costs, Decimal(0))


class StartForm(forms.Form):
    """Every chosen model runs under every chosen contract. Creating the form raises EmptyTaxonomy."""

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
        initial = {"snapshot": snapshot, "contracts": [IN_FORCE, f"draft-{draft}"]}
        super().__init__(data, initial=initial, use_required_attribute=False)
        self._drafts = {f"draft-{open_draft.pk}": open_draft for open_draft in Draft.objects.open()[:LATEST]}
        self._models = _model_choices()
        self.initial["models"] = [self._primary_model_key()]
        self._versions = {IN_FORCE: ContractVersion.objects.current()} | _earlier_contracts()
        # The contract in force is listed once, as IN_FORCE.
        self._versions.pop(str(self._versions[IN_FORCE].pk), None)
        self._snapshots = {listed.short: listed for listed in _snapshots_with_benchmark_items(snapshot)}
        self._offer_models()
        self._choices("contracts", self._contract_choices())
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
        """List all models; those whose API key is missing are disabled."""
        labels = [(key, choice.label) for key, choice in self._models.items()]
        disabled = {key for key, choice in self._models.items() if choice.language_model.provider.missing_key}
        boxes = self._choices("models", ((key, label) for key, label in labels if key not in disabled)).widget
        assert isinstance(boxes, CheckboxesWithDisabled)  # noqa: S101 - as declared above
        boxes.choices, boxes.disabled = labels, frozenset(disabled)

    def _primary_model_key(self) -> str:
        """The active primary model with its usual examples."""
        gate = Gate.objects.select_related("primary__provider").first()
        if gate is None:
            return ""
        language_model = gate.active_primary()
        with_examples = f"{language_model.pk}-{few_shot.example_count(language_model)}"
        return with_examples if with_examples in self._models else str(language_model.pk)

    def _contract_choices(self) -> Iterable[tuple[str, SafeString]]:
        for key, version in self._versions.items():
            since = _("since %s") % date_format(localtime(version.created_at), "j M Y, H:i")
            yield key, _with_note(_("in force") if key == IN_FORCE else str(version), since)
        for key, draft in self._drafts.items():
            yield key, _with_note(draft.name, _("draft"))

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The chosen models and contracts, to send along with the confirmation."""
        return [(name, value) for name in ("models", "contracts") for value in self.cleaned_data[name]]

    def plan(self) -> RunPlan | None:
        """The run that would start; None if the form has errors. Changes nothing."""
        if not self.is_valid():
            return None
        values = self.cleaned_data
        try:
            entries = self._entries()
            snapshot = self._snapshots.get(values["snapshot"])
            items = runs.count_items(snapshot, entries)
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
        """Raises ValidationError if a draft cannot be published or two contracts are equal."""
        contracts: dict[ContractVersion, str] = {}
        for key in self.cleaned_data["contracts"]:
            version, label = self._contract(key)
            if version in contracts:
                raise ValidationError(_("%s leads to the same prompt as another chosen contract.") % label)
            contracts[version] = label
        choices = (self._models[key] for key in self.cleaned_data["models"])
        return [
            Entry(choice.language_model, version, label, choice.examples)
            for choice in choices
            for version, label in contracts.items()
        ]

    def _contract(self, key: str) -> tuple[ContractVersion, str]:
        """The contract with this key, and its label in the run."""
        if draft := self._drafts.get(key):
            return drafts.contract_for(draft), draft.name
        version = self._versions[key]
        return version, "" if key == IN_FORCE else str(version)


def _model_choices() -> dict[str, ModelChoice]:
    """Every model, and every endpoint a second time with solved tickets as examples, if there are any."""
    choices, solved = {}, Example.objects.exists()
    for language_model in LanguageModel.objects.select_related("provider"):
        choices[str(language_model.pk)] = ModelChoice(language_model)
        shown = few_shot.example_count(language_model, language_model.examples or USUAL_EXAMPLES)
        if solved and shown and not language_model.provider.missing_key:
            choices[f"{language_model.pk}-{shown}"] = ModelChoice(language_model, shown)
    return choices


def _earlier_contracts() -> dict[str, ContractVersion]:
    """The latest contracts that still have their options, so that models can be asked under them again."""
    versions = ContractVersion.objects.defer("answer_schema")[:LATEST]
    return {str(version.pk): version for version in versions if version.options}


def _snapshots_with_benchmark_items(named: str) -> list[Snapshot]:
    """The latest snapshots that hold benchmark items, and the named one."""
    latest = list(Snapshot.objects.all()[:LATEST])
    if len(named) >= 12 and not any(snapshot.short == named[:12] for snapshot in latest):
        latest += Snapshot.objects.filter(digest__startswith=named)[:1]
    return [snapshot for snapshot in latest if snapshot.counts.get("side", {}).get(Side.BENCHMARK)]


def _snapshot_title(snapshot: Snapshot) -> str:
    return _("%(name)s of %(date)s: %(number)d items") % {
        "name": snapshot.short,
        "date": date_format(localtime(snapshot.created_at), "j M Y, H:i"),
        "number": snapshot.counts["side"][Side.BENCHMARK],
    }
