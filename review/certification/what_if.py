"""What another promise would take: the books of what is recorded, done again for other targets."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy, ngettext

from review.certification import epoch_opening
from review.certification.formatting import percent
from review.certification.sequential_test import Book, risk_left
from review.certification.status import Books
from review.models import AccuracyTarget

TARGETS = (0.95, 0.96, 0.97, 0.98, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What would be certified of a target, if the audits that wait for an answer were not there. Without a threshold
    nothing is; `needed` are the clean audits until then, or until more may pass; None where that is too far to tell.
    """

    target: float
    chosen: bool
    in_force: bool
    threshold: float | None
    coverage: float
    effort: float
    needed: int | None
    is_complete: bool
    """Whether every threshold is certified."""

    @property
    def percent(self) -> str:
        return percent(self.target)

    @property
    def coverage_percent(self) -> float:
        return 100 * self.coverage

    @property
    def effort_percent(self) -> float:
        return 100 * self.effort


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """One row for each target. `spendable` is what of the chosen risk is left where audits are used again."""

    target: float
    risk: float
    spendable: float
    rows: list[Outcome]
    turns: int
    more: bool

    @property
    def chosen(self) -> Outcome:
        return next(row for row in self.rows if row.chosen)

    @property
    def spendable_percent(self) -> str:
        return percent(self.spendable, 2)

    @property
    def said(self) -> str:
        """What would come of the chosen target, in a sentence."""
        row = self.chosen
        figures = {
            "target": percent(row.target),
            "risk": percent(self.risk),
            "threshold": "" if row.threshold is None else number_format(row.threshold, 3),
            "coverage": percent(row.coverage, 0),
            "effort": percent(row.effort, 0),
            "needed": number_format(row.needed or 0, force_grouping=True),
        }
        if row.threshold is not None:
            return _CERTIFIED % figures
        if row.needed is None:
            return _FAR % figures
        return _not_yet(row.needed) % figures


def try_out(books: Books, accuracy_target: AccuracyTarget, target: float, risk: float) -> WhatIf:
    """What these targets would give (two queries)."""
    spendable = risk_left(risk, epoch_opening.attempts() + 1)
    rows = []
    for one in sorted({*TARGETS, target, accuracy_target.target}):
        in_force = (one, risk) == (accuracy_target.target, accuracy_target.risk)
        book = _book(books, 1 - one, books.ledger.risk if in_force else spendable)
        rows.append(_outcome(books, book, accuracy_target, target=one, chosen=one == target, in_force=in_force))
    evidence = books.evidence
    return WhatIf(
        target=target, risk=risk, spendable=spendable, rows=rows, turns=len(evidence.draws), more=evidence.more
    )


def _book(books: Books, error: float, risk: float) -> Book:
    book = Book.opened(books.ledger.grid, error, risk)
    book.add(books.evidence.answered())
    return book


def _outcome(
    books: Books, book: Book, accuracy_target: AccuracyTarget, *, target: float, chosen: bool, in_force: bool
) -> Outcome:
    coverage = books.ledger.coverage[book.certified - 1] if book.certified else 0.0
    return Outcome(
        target=target,
        chosen=chosen,
        in_force=in_force,
        threshold=book.threshold,
        coverage=coverage,
        effort=effort(coverage, accuracy_target.late_share),
        needed=book.clean_audits_needed(accuracy_target.late_share if book.certified else 1.0),
        is_complete=book.certified == len(book.grid),
    )


def effort(coverage: float, audited: float) -> float:
    """The share of tickets that people look at where so many may pass, and so many of these are audited."""
    return 1 - coverage * (1 - audited)


_CERTIFIED = gettext_lazy(
    "At least %(target)s%% right at a risk of %(risk)s%% would be certified now: tickets would pass from a score of "
    "%(threshold)s on, about %(coverage)s%% of all, and people would look at about %(effort)s%%."
)
_FAR = gettext_lazy(
    "At least %(target)s%% right at a risk of %(risk)s%% would not be certified, and it is too far away to tell how "
    "many audits it would take: they find too many errors."
)


def _not_yet(needed: int) -> str:
    return ngettext(
        "At least %(target)s%% right at a risk of %(risk)s%% would not be certified yet: it would take about "
        "%(needed)s more clean audit.",
        "At least %(target)s%% right at a risk of %(risk)s%% would not be certified yet: it would take about "
        "%(needed)s more clean audits.",
        needed,
    )
