"""Shares and their intervals, as pages show them."""

from typing import Any

from django import template

from review.stats import agreement
from review.stats.intervals import Estimate

register = template.Library()


@register.filter
def percent(share: float | None) -> int | str:
    """In whole hundredths, without a sign for the unit; empty where it is unknown."""
    return "" if share is None else round(100 * share)


@register.filter
def hundredfold(share: float | None) -> float | None:
    """In hundredths; None where it is unknown."""
    return None if share is None else 100 * share


@register.inclusion_tag("review/worklist/_lead_interval.html")
def interval(figure: Estimate) -> dict[str, Any]:
    """A drawing of an interval between 0 and 1 beside the limits from which on labels are relied on."""
    ends = [percent(min(max(value, 0.0), 1.0)) for value in (figure.low or 0.0, figure.high or 0.0)]
    return {
        "known": figure.low is not None and figure.high is not None,
        "low": ends[0],
        "width": max(int(ends[1]) - int(ends[0]), 1),
        "at": percent(min(max(figure.estimate or 0.0, 0.0), 1.0)),
        "limits": [percent(limit) for limit in (agreement.TENTATIVE, agreement.RELIABLE)],
    }
