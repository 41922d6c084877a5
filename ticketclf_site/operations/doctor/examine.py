"""Looking an installation over: what is well, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from ticketclf_site.operations.doctor import database, deployment, service
from ticketclf_site.operations.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]


def examine(*, offline: bool = False) -> Iterator[Finding]:
    """Finding by finding. Where the database cannot be reached, or is behind, what stands in it is not looked at;
    `offline` asks no model.
    """
    yield from deployment.examine()
    usable = True
    for finding in database.examine():
        usable = usable and finding.level != Level.FAIL
        yield finding
    if usable:
        yield from service.examine(offline=offline)
