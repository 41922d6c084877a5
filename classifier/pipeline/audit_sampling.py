"""Draws the random audits of certified auto-accept, in the transaction that saves the verdicts."""

from collections.abc import Iterator, Mapping, Sequence

from classifier.models import AuditDraw, Epoch, GateMode, Reason, Verdict
from classifier.pipeline.cluster import Cluster


def draw_audits(epoch: Epoch, verdicts: Sequence[Verdict], clusters: Mapping[int, Cluster]) -> None:
    """Log one draw per new verdict, in order; `clusters` are what came before each ticket. The caller's transaction
    holds the epoch's row.

    Draws nothing before the threshold grid exists or after the epoch ended. A ticket is drawn once per epoch.
    """
    if epoch.mode != GateMode.CERTIFIED or epoch.audits_from is None or epoch.ended_at:
        return
    tickets = [verdict.ticket_id for verdict in verdicts]
    earlier = AuditDraw.objects.valid().filter(epoch=epoch, verdict__ticket__in=tickets)
    drawn = set(earlier.values_list("verdict__ticket", flat=True))
    undrawn = [verdict for verdict in verdicts if verdict.ticket_id not in drawn]
    AuditDraw.objects.bulk_create(_draws(epoch, undrawn, clusters))


def _draws(epoch: Epoch, verdicts: Sequence[Verdict], clusters: Mapping[int, Cluster]) -> Iterator[AuditDraw]:
    assert epoch.audits_from is not None  # noqa: S101 - checked by the caller
    for verdict in verdicts:
        if verdict.score is None:
            continue
        value, number = epoch.value(verdict.score), epoch.draw(verdict.ticket_id)
        cluster = clusters.get(verdict.ticket_id, Cluster())
        # All candidates for the next threshold are audited: they need review anyway.
        share = 1.0 if value >= epoch.audits_from and not verdict.auto_accepted else epoch.audit_share
        if verdict.auto_accepted or verdict.reason == Reason.INCIDENT:
            share = cluster.audit_share(epoch.audit_share)
        yield AuditDraw(
            verdict=verdict,
            epoch=epoch,
            score=verdict.score,
            value=value,
            certified_threshold=epoch.certified_threshold,
            audits_from=epoch.audits_from,
            floor=epoch.audit_share,
            share=share,
            number=number,
            audited=number < share,
            repeat=cluster.tickets > 0,
            held=cluster.hold,
        )
