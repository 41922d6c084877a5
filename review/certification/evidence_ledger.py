"""The evidence ledger: add up draws and audits into the sequential test.

Its content follows from the draws and audits alone, so it can be rebuilt at any time. An unanswered audit counts as an
error, so postponing hard ones cannot help to certify.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.models import AuditDraw, Epoch
from classifier.models.gate import Criterion
from review.certification import second_looks
from review.certification.sequential_test import DrawBatch, SequentialTest, fully_audited_from, risk_for_claim
from review.models import AccuracyTarget, Audit, Ledger

BATCH_SIZE = 20_000
"""Draws read at a time."""
MAX_UNSETTLED = 2_000
"""How many of the latest draws are counted anew on every turn while an audit among them waits for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDraw:
    """One draw as evidence. `wrong` is None if it was not audited or not answered yet."""

    pk: int
    value: float
    share: float
    floor: float
    fully_audited: float
    audited: bool
    wrong: bool | None
    repeat: bool

    def row(self) -> tuple[float, float, float, float, bool, bool, bool]:
        wrong = self.wrong is not False
        return self.value, self.share, self.floor, self.fully_audited, self.audited, wrong, self.repeat


def create_ledger(epoch: Epoch, target: AccuracyTarget, grid: Sequence[float], coverage: Sequence[float]) -> Ledger:
    """Create a ledger, which counts as a claim; part of a transaction that has locked the epoch."""
    claim = AccuracyTarget.next_claim()
    risk, error = risk_for_claim(target.risk, claim), second_looks.error_limit(target, epoch.about)
    test = SequentialTest.start(grid, error, risk)
    return Ledger.objects.create(
        epoch=epoch,
        about=epoch.about,
        target=target.target,
        missed_share=target.missed_share,
        error=error,
        target_risk=target.risk,
        claim=claim,
        risk=risk,
        grid=list(grid),
        coverage=list(coverage),
        wealth=test.wealth.tolist(),
        reached=test.reached.tolist(),
    )


def update_ledger(ledger: Ledger) -> SequentialTest:
    """Add settled draws to the ledger for good. Returns the test with pending draws added as well.

    If second looks prove by now that people overlook fewer errors, the ledger is counted again with a larger error
    limit: wealth under a limit is never above wealth under a larger one, and the bound holds at all times at once. Part
    of a transaction that has locked the ledger.
    """
    error = second_looks.error_limit(AccuracyTarget.current(), ledger.about)
    if error > ledger.error:
        ledger.error, ledger.until = error, 0
    test = settled_test(ledger)
    pending = Audit.objects.pending().filter(epoch=ledger.epoch_id, draw__void=False, draw__held=False).order_by("draw")
    waiting = pending.filter(draw__gt=_last_waited_for(ledger)).values_list("draw", flat=True)
    for part in _batches(ledger, after=ledger.until, before=waiting.first()):
        test.add(DrawBatch.from_rows([draw.row() for draw in part]))
        ledger.until = part[-1].pk
    ledger.wealth, ledger.reached = test.wealth.tolist(), test.reached.tolist()
    ledger.save(update_fields=["error", "wealth", "reached", "until"])
    for part in _batches(ledger, after=ledger.until):
        test.add(DrawBatch.from_rows([draw.row() for draw in part]))
    return test


def _last_waited_for(ledger: Ledger) -> int:
    """The latest draw that is too old to be counted anew on every turn. It counts as it stands, an unanswered audit as
    wrong; a later answer has the whole ledger counted again.
    """
    draws = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id).order_by("-pk").values_list("pk", flat=True)
    return draws[MAX_UNSETTLED : MAX_UNSETTLED + 1].first() or 0


def settled_test(ledger: Ledger) -> SequentialTest:
    """The test up to the settled draws; with carried audits alone if the ledger has yet to be counted."""
    if ledger.until == 0:
        test = SequentialTest.start(ledger.grid, ledger.error, ledger.risk)
        test.add(carried_audits(ledger))
        return test
    wealth, reached = np.array(ledger.wealth, np.float64), np.array(ledger.reached, bool)
    return SequentialTest(np.array(ledger.grid, np.float64), ledger.error, ledger.risk, wealth, reached)


def carried_audits(ledger: Ledger) -> DrawBatch:
    """Audits of earlier epochs, which count first. Their probability does not depend on their present score."""
    earlier = ledger.carried.order_by("audit__draw")
    return DrawBatch.carried(earlier.values_list("value", "wrong", "audit__draw__repeat"))


def ledger_draws(
    ledger: Ledger, after: int = 0, before: int | None = None, *, audited_only: bool = False
) -> Iterator[EvidenceDraw]:
    """The draws of the ledger's epoch, in order."""
    draws = AuditDraw.objects.evidence().filter(epoch=ledger.epoch_id, pk__gt=after).order_by("pk")
    if before is not None:
        draws = draws.filter(pk__lt=before)
    if audited_only:
        draws = draws.filter(audited=True)
    names = ("pk", "value", "share", "floor", "audits_from", "certified_threshold", "audited", "repeat")
    right_names = ("audit__category_right", "audit__sentiment_right")
    for pk, value, share, floor, audits_from, certified_threshold, audited, repeat, *right in draws.values_list(
        *names, *right_names
    ):
        yield EvidenceDraw(
            pk=pk,
            value=value,
            share=share,
            floor=floor,
            fully_audited=fully_audited_from(audits_from, certified_threshold),
            audited=audited,
            wrong=was_wrong(ledger.about, *right) if audited else None,
            repeat=repeat,
        )


def was_wrong(about: str, category_right: bool | None, sentiment_right: bool | None) -> bool | None:
    """Whether an audit found an error that counts; None until it is answered."""
    if category_right is None or sentiment_right is None:
        return None
    return not (category_right and (sentiment_right or about == Criterion.CATEGORY))


def _batches(ledger: Ledger, after: int, before: int | None = None) -> Iterator[list[EvidenceDraw]]:
    part: list[EvidenceDraw] = []
    for draw in ledger_draws(ledger, after, before):
        part.append(draw)
        if len(part) == BATCH_SIZE:
            yield part
            part = []
    if part:
        yield part
