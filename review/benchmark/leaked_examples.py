"""Warn about contracts whose examples are nearly the same as benchmark texts."""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import ContractVersion
from review.benchmark import draft_comparison, runs
from review.models import Snapshot


def leak_warnings(snapshot: Snapshot | None, contracts: Mapping[ContractVersion, str]) -> list[str]:
    """A warning for each contract whose examples contain benchmark texts of the snapshot or of a new one.

    `contracts` gives their names; the contract in force has none.
    """
    warnings = []
    for contract, name in contracts.items():
        shown = draft_comparison.leaked_labels(contract)
        number = runs.benchmark_labels(snapshot).filter(pk__in=[label.pk for label in shown]).count() if shown else 0
        if number:
            warnings.append(_leak_warning(number, name))
    return warnings


def _leak_warning(number: int, contract: str) -> str:
    return ngettext(
        "The examples of %(contract)s give %(number)d item away: it stands in the prompt, or nearly, so that the "
        "figures flatter the models.",
        "The examples of %(contract)s give %(number)d items away: they stand in the prompt, or nearly, so that the "
        "figures flatter the models.",
        number,
    ) % {"number": number, "contract": contract or _("the contract in force")}
