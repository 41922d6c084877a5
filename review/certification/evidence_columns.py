"""The evidence of one epoch as columns, for the certification page."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.models import AuditDraw
from review.certification.bounds import most_overlooked
from review.certification.evidence_ledger import was_wrong
from review.certification.sequential_test import DrawBatch, SequentialTest, fully_audited_from
from review.models import Ledger

MAX_DRAWS = 20_000
"""The most draws read, which bounds the time that a page takes."""

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_DRAW_FIELDS = ("pk", "value", "share", "floor", "audits_from", "certified_threshold", "audited", "repeat")
_AUDIT_FIELDS = ("audit__category_right", "audit__sentiment_right", "verdict__prediction__category")


class RealisedErrors(NamedTuple):
    """How many tickets passed that nobody looked at, and how many of them are wrong at most."""

    passed: int
    most_wrong: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvidenceColumns:
    """Draws in order; the first `carried` are audits of earlier epochs. In `batch` an unanswered audit counts as wrong,
    as it does in the ledger.
    """

    batch: DrawBatch
    draws: Ints
    """Their keys; 0 for carried audits."""
    categories: Ints
    pending: Bools
    category_wrong: Bools
    sentiment_wrong: Bools
    accepted: Bools
    """Whether the ticket was auto-accepted, audited or not."""
    carried: int
    more: bool
    """Whether there are more draws than were read."""

    @classmethod
    def latest(cls, ledger: Ledger) -> "EvidenceColumns":
        """The latest draws (two queries)."""
        return cls._load(ledger, "-pk")

    @classmethod
    def earliest(cls, ledger: Ledger) -> "EvidenceColumns":
        """The earliest draws, so that what they certify stays certified (two queries)."""
        return cls._load(ledger, "pk")

    @classmethod
    def _load(cls, ledger: Ledger, order: str) -> "EvidenceColumns":
        draws = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id).order_by(order)
        read = list(draws.values_list(*_DRAW_FIELDS, *_AUDIT_FIELDS)[: MAX_DRAWS + 1])
        earlier = list(
            ledger.carried.order_by("audit__draw").values_list("value", "wrong", "audit__draw__repeat", "category")
        )
        rows = [_carried_row(*row) for row in earlier] + [
            _draw_row(ledger.about, *row) for row in sorted(read[:MAX_DRAWS])
        ]
        columns = np.array(rows, np.float64).reshape(len(rows), 13).T
        audited, wrong, repeat, pending, category_wrong, sentiment_wrong, accepted = columns[6:].astype(bool)
        return cls(
            batch=DrawBatch(*columns[2:6], audited, wrong, repeat),  # type: ignore[call-arg]  # four columns
            draws=columns[0].astype(np.int64),
            categories=columns[1].astype(np.int64),
            pending=pending,
            category_wrong=category_wrong,
            sentiment_wrong=sentiment_wrong,
            accepted=accepted,
            carried=len(earlier),
            more=len(read) > MAX_DRAWS,
        )

    def answered(self) -> DrawBatch:
        """The draws without unanswered audits."""
        return self.batch.select(~self.pending)

    def realised_errors(self, risk: float) -> RealisedErrors:
        """What holds whatever has happened, bursts and changes included, except with the probability `risk`: only the
        draws have to be random.
        """
        accepted = self.batch.select(self.accepted)
        passed = int((~accepted.audited).sum())
        most = most_overlooked(accepted.share, accepted.audited & accepted.wrong, risk)
        return RealisedErrors(passed, min(int(most), passed))

    def with_errors(self, wrong: Bools) -> DrawBatch:
        """This epoch's draws without unanswered audits, with `wrong` in place of their own."""
        own = ~self.pending
        own[: self.carried] = False
        return self.batch.select(own)._replace(wrong=wrong[own])

    def replay(self, ledger: Ledger) -> SequentialTest:
        """The ledger's test without its unanswered audits: an outlook, not what is certified."""
        test = SequentialTest.start(ledger.grid, ledger.error, ledger.risk)
        if ledger.until:
            test.wealth, test.reached = np.array(ledger.wealth, np.float64), np.array(ledger.reached, bool)
        # At 0 nothing has been counted yet, not even carried audits.
        test.add(self.batch.select(~self.pending & ((self.draws > ledger.until) | (ledger.until == 0))))
        return test


def _carried_row(value: float, wrong: bool, repeat: bool, category: int | None) -> list[Any]:
    return [0, category or 0, value, 1.0, 1.0, -np.inf, True, wrong, repeat, False, False, False, False]


def _draw_row(about: str, pk: int, value: float, share: float, floor: float, *rest: Any) -> list[Any]:
    audits_from, certified_threshold, audited, repeat, category_right, sentiment_right, category = rest
    is_wrong = was_wrong(about, category_right, sentiment_right)
    pending, wrong = audited and is_wrong is None, audited and is_wrong is not False
    fully_audited = fully_audited_from(audits_from, certified_threshold)
    return [
        *(pk, category or 0, value, share, floor, fully_audited, audited, wrong, repeat, pending),
        *(audited and not category_right, audited and not sentiment_right),
        certified_threshold is not None and value >= certified_threshold,
    ]
