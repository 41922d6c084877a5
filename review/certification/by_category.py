"""Which categories keep the promise on their own: each with books of its own, and its part of the risk.

The books of a category count the tickets that were answered with it. They are kept from the first draw of the epoch
on, because a test that may choose where it begins would find what it looks for too often.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.models import Category
from review.benchmark.formatting import Share
from review.certification import bounds
from review.certification.evidence_columns import Evidence
from review.certification.sequential_test import Book, Lot
from review.models import Ledger

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCategory:
    """One category among the tickets that score at least the threshold in force. `needed` are the clean audits that it
    takes at least from here on; None where that cannot be told.
    """

    name: str
    audits: int
    errors: int
    wrong: Share
    certified: bool
    needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCategory:
    """Of the categories that are in use, those with most audits first; `fewest` clean ones it takes at least."""

    rows: list[OfCategory]
    categories: int
    risk: float
    fewest: int

    @property
    def certified(self) -> int:
        return sum(row.certified for row in self.rows)

    @property
    def left_out(self) -> int:
        return self.categories - len(self.rows)


def of(ledger: Ledger, threshold: float) -> ByCategory:
    """What is certified of each category where tickets pass from this threshold on (three queries)."""
    names = dict(Category.objects.active().values_list("pk", "name"))
    risk = ledger.risk / max(len(names), 1)
    evidence = Evidence.earliest(ledger)
    counts = {key: int((evidence.lot.audited & (evidence.categories == key)).sum()) for key in names}
    shown = sorted(names, key=lambda key: (-counts[key], names[key]))[:MOST_SHOWN]
    rows = [_row(names[key], key, ledger, evidence, threshold, risk) for key in shown]
    return ByCategory(rows=rows, categories=len(names), risk=risk, fewest=bounds.fewest_clean(ledger.error, risk))


def book_of(lot: Lot, ledger: Ledger, risk: float) -> Book:
    """The books of some of the tickets, on the grid of all."""
    book = Book.opened(ledger.grid, ledger.error, risk)
    book.add(lot)
    return book


def _row(name: str, key: int, ledger: Ledger, evidence: Evidence, threshold: float, risk: float) -> OfCategory:
    of_it = evidence.categories == key
    book = book_of(evidence.where(of_it), ledger, risk)
    answered = evidence.where(of_it & ~evidence.pending)
    audited = answered.audited & (answered.value >= threshold)
    certified = book.threshold is not None and book.threshold <= threshold
    return OfCategory(
        name=name,
        audits=int(audited.sum()),
        errors=int((audited & answered.wrong).sum()),
        wrong=Share(bounds.share_wrong(answered, threshold)),
        certified=certified,
        needed=None if certified else book_of(answered, ledger, risk).clean_audits_needed(),
    )
