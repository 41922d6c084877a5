"""Names of labels and contenders as the benchmark pages show them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from review.models import Contender, Run

NO_LABEL = "none"
"""In URLs, stands for answers that name none of the labels."""

AXIS_NAMES = {"category": gettext_lazy("Category"), "sentiment": gettext_lazy("Sentiment")}
_KINDS = {"category": "categories", "sentiment": "sentiments"}


@dataclass(frozen=True, slots=True)
class MacroF1:
    """Macro-F1 over the classes with enough items; `unknown` names the others."""

    value: float | None
    known: int
    unknown: tuple[str, ...]


class LabelNames:
    """Names of labels by key, as of the snapshot, plus those that the contender was offered."""

    def __init__(self, run: Run, contender: Contender | None = None) -> None:
        options = (contender and contender.contract.options) or {}
        self._names = {
            axis: {pk: name for pk, name, *_rest in options.get(kind, []) if pk is not None} | run.snapshot.names(kind)
            for axis, kind in _KINDS.items()
        }

    def for_axis(self, axis: str) -> dict[int, str]:
        return self._names[axis]

    def name(self, axis: str, pk: int | None) -> str:
        if pk is None:
            return _("none of these")
        return self._names[axis].get(pk) or _("label %d") % pk

    def macro(self, axis: str, figures: Mapping[str, Any]) -> MacroF1:
        return MacroF1(figures["value"], figures["known"], tuple(self.name(axis, pk) for pk in figures["unknown"]))


def contenders_with_names(run: Run) -> list[Contender]:
    contenders = list(run.contenders.select_related("language_model__provider", "contract"))
    for contender in contenders:
        contender.run = run
    add_providers_to_equal_names(contenders)
    return contenders


def add_providers_to_equal_names(contenders: Sequence[Contender]) -> None:
    """Make contenders with equal names show their providers too."""
    names = Counter(str(contender) for contender in contenders)
    repeated = [contender for contender in contenders if names[str(contender)] > 1]
    for contender in repeated:
        contender.names_provider = True
