"""Word pairwise comparisons of contenders, for pages and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from review.benchmark.formatting import Share
from review.benchmark.metrics import AXES
from review.stats.intervals import Estimate
from review.stats.paired_tests import Comparison, Verdict


class PairVerdict(NamedTuple):
    """What can be said of two contenders; the better one comes first where one is. Differences are in points."""

    text: str
    is_decided: bool
    one: str
    other: str
    only_one: int
    only_other: int
    p: float
    adjusted: float
    difference: Share
    macro: tuple[Share, ...]


def pair_verdict(kept: Mapping[str, Any], names: Mapping[int, str], number: int) -> PairVerdict:
    """Of two whose names are given by key, as one of so many comparisons."""
    compared = restore_comparison(kept)
    turned = compared.only_other > compared.only_one
    one, other = names[kept["one"]], names[kept["other"]]
    only = (compared.only_one, compared.only_other)
    differences = [kept["difference"], *(kept["macro_f1"][axis] for axis in AXES)]
    if turned:
        one, other, only = other, one, (only[1], only[0])
        differences = [_negate(figures) for figures in differences]
    difference, *macro = (Share.from_list(figures) for figures in differences)
    return PairVerdict(
        text=_sentence(compared, one, other, number),
        is_decided=compared.verdict is not Verdict.INDISTINGUISHABLE,
        one=one,
        other=other,
        only_one=only[0],
        only_other=only[1],
        p=compared.p,
        adjusted=compared.adjusted,
        difference=difference,
        macro=tuple(macro),
    )


def restore_comparison(kept: Mapping[str, Any]) -> Comparison:
    return Comparison(
        n=kept["n"],
        only_one=kept["only_one"],
        only_other=kept["only_other"],
        p=kept["p"],
        adjusted=kept["adjusted"],
        difference=Estimate(*kept["difference"]),
        items_needed=kept["items_needed"],
    )


def _sentence(compared: Comparison, one: str, other: str, number: int) -> str:
    said = {"one": one, "other": other, "n": number_format(compared.n, force_grouping=True)}
    if compared.verdict is not Verdict.INDISTINGUISHABLE:
        return _("%(one)s is better than %(other)s.") % said
    if not compared.items_needed:
        return _("%(one)s and %(other)s are right equally often on these %(n)s items.") % said
    more = compared.items_needed - compared.n
    if more > 0:
        return ngettext(
            "%(one)s and %(other)s cannot be told apart on these %(n)s items: about %(more)s more is needed.",
            "%(one)s and %(other)s cannot be told apart on these %(n)s items: about %(more)s more are needed.",
            more,
        ) % (said | {"more": _about(more)})
    if number == 1:
        return _("%(one)s and %(other)s cannot be told apart on these %(n)s items, by a narrow margin.") % said
    told = _("%(one)s and %(other)s cannot be told apart on these %(n)s items, as one of %(number)d comparisons.")
    return told % (said | {"number": number})


def _about(number: int) -> str:
    """To two digits: more is not known of it."""
    return number_format(round(number, 2 - len(str(number))), force_grouping=True)


def _negate(figures: Sequence[Any]) -> list[Any]:
    estimate, low, high, n = figures
    return [*(None if value is None else -value for value in (estimate, high, low)), n]
