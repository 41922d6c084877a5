"""What became of the latest tickets: who looked at them, and why."""

from collections import Counter
from datetime import datetime
from typing import NamedTuple

from classifier.models import Reason, Verdict
from review.stats.intervals import Estimate, share

RECENT = 1_000
"""Verdicts that the present shares are estimated from."""


class RecentTraffic(NamedTuple):
    """Numbers of the latest tickets. `passed` were auto-accepted without an audit; people review all others: `audits`
    of what would have passed, what a guard holds (`in_bursts`, `suspected` prompt injections), and the `unsure` rest.
    `scored` counts those with a score, without which none can pass.
    """

    tickets: int
    passed: int
    audits: int
    in_bursts: int
    suspected: int
    scored: int

    @classmethod
    def latest(cls, since: datetime | None) -> "RecentTraffic":
        """The latest verdicts, none before `since` (one query)."""
        latest = Verdict.objects.current().order_by("-pk")
        names = ("auto_accepted", "reason", "audit_draw__audited", "score", "created_at")
        rows = [row for row in latest.values_list(*names)[:RECENT] if since is None or row[4] >= since]
        counts = Counter(
            (accepted, bool(audited) if accepted else reason) for accepted, reason, audited, *_rest in rows
        )
        return cls(
            tickets=len(rows),
            passed=counts[True, False],
            audits=counts[True, True],
            in_bursts=counts[False, Reason.INCIDENT],
            suspected=counts[False, Reason.PROMPT_INJECTION],
            scored=sum(score is not None for *_verdict, score, _at in rows),
        )

    @property
    def unsure(self) -> int:
        return self.tickets - self.passed - self.audits - self.in_bursts - self.suspected

    @property
    def auto_accepted(self) -> Estimate:
        return share(self.passed, self.tickets)

    @property
    def looked_at(self) -> Estimate:
        return self.auto_accepted.complement()

    @property
    def scored_share(self) -> float:
        return self.scored / self.tickets if self.tickets else 1.0
