"""The lottery of audits: every ticket that a certified threshold is about is drawn in its verdict's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from classifier.models import AuditDraw, Epoch, GateMode, Verdict


def draw_audits(epoch: Epoch, verdicts: Sequence[Verdict]) -> None:
    """Log the lot of each of these new verdicts, in order; part of a transaction that holds the epoch's row.

    Where the grid of thresholds is not made yet, or the epoch has ended meanwhile, there is nothing to draw for; a
    ticket that has had its turn in the epoch gets no second one.
    """
    if epoch.mode != GateMode.CERTIFIED or epoch.audits_from is None or epoch.ended_at:
        return
    tickets = [verdict.ticket_id for verdict in verdicts]
    earlier = AuditDraw.objects.valid().filter(epoch=epoch, verdict__ticket__in=tickets)
    drawn = set(earlier.values_list("verdict__ticket", flat=True))
    AuditDraw.objects.bulk_create(_draws(epoch, [one for one in verdicts if one.ticket_id not in drawn]))


def _draws(epoch: Epoch, verdicts: Sequence[Verdict]) -> Iterator[AuditDraw]:
    assert epoch.audits_from is not None  # noqa: S101 - whoever draws has seen to it
    for verdict in verdicts:
        if verdict.score is None:
            continue
        value, number = epoch.value(verdict.score), epoch.draw(verdict.ticket_id)
        # What would pass next is looked at all of it: it waits for people anyway.
        share = 1.0 if value >= epoch.audits_from and not verdict.auto_accepted else epoch.audit_share
        yield AuditDraw(
            verdict=verdict,
            epoch=epoch,
            score=verdict.score,
            value=value,
            passes_from=epoch.passes_from,
            audits_from=epoch.audits_from,
            floor=epoch.audit_share,
            share=share,
            number=number,
            audited=number < share,
        )
