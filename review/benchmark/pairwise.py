"""Word pairwise comparisons of contenders, for pages and the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from review.benchmark.metrics import AXES
from review.stats.intervals import Estimate
from review.stats.paired_tests import Comparison, Verdict


class PairVerdict(NamedTuple):
    """The comparison of two contenders, the better one first. Differences are in percentage points."""

    text: str
    is_decided: bool
    first: str
    second: str
    only_first: int
    only_second: int
    p: float
    adjusted: float
    difference: Estimate
    macro: tuple[Estimate, ...]


def pair_verdict(figures: Mapping[str, Any], names: Mapping[int, str], number: int) -> PairVerdict:
    """Word one of `number` comparisons; `names` gives the contenders' names by key."""
    compared = restore_comparison(figures)
    turned = (compared.difference.estimate or 0.0) < 0
    first, second = names[figures["first"]], names[figures["second"]]
    only = (compared.only_first, compared.only_second)
    differences = [figures["difference"], *(figures["macro_f1"][axis] for axis in AXES)]
    if turned:
        first, second, only = second, first, (only[1], only[0])
        differences = [_negate(figures) for figures in differences]
    difference, *macro = (Estimate(*figures) for figures in differences)
    return PairVerdict(
        text=_sentence(compared, first, second, number),
        is_decided=compared.verdict is not Verdict.INDISTINGUISHABLE,
        first=first,
        second=second,
        only_first=only[0],
        only_second=only[1],
        p=compared.p,
        adjusted=compared.adjusted,
        difference=difference,
        macro=tuple(macro),
    )


def restore_comparison(figures: Mapping[str, Any]) -> Comparison:
    return Comparison(
        n=figures["n"],
        only_first=figures["only_first"],
        only_second=figures["only_second"],
        p=figures["p"],
        adjusted=figures["adjusted"],
        difference=Estimate(*figures["difference"]),
        items_needed=figures["items_needed"],
    )


def _sentence(compared: Comparison, first: str, second: str, number: int) -> str:
    values = {"one": first, "other": second, "n": number_format(compared.n, force_grouping=True)}
    if compared.verdict is not Verdict.INDISTINGUISHABLE:
        return _("%(one)s is better than %(other)s.") % values
    if not compared.items_needed:
        return _("%(one)s and %(other)s are right equally often on these %(n)s items.") % values
    more = compared.items_needed - compared.n
    if more > 0:
        return ngettext(
            "%(one)s and %(other)s cannot be told apart on these %(n)s items: about %(more)s more is needed.",
            "%(one)s and %(other)s cannot be told apart on these %(n)s items: about %(more)s more are needed.",
            more,
        ) % (values | {"more": _about(more)})
    if number == 1:
        return _("%(one)s and %(other)s cannot be told apart on these %(n)s items, by a narrow margin.") % values
    message = _("%(one)s and %(other)s cannot be told apart on these %(n)s items, as one of %(number)d comparisons.")
    return message % (values | {"number": number})


def _about(number: int) -> str:
    """Rounded to two significant digits."""
    return number_format(round(number, 2 - len(str(number))), force_grouping=True)


def _negate(figures: Sequence[Any]) -> list[Any]:
    estimate, low, high, n = figures
    return [*(None if value is None else -value for value in (estimate, high, low)), n]
