"""Check an installation and say what to do about each problem."""

from collections.abc import Iterator

from ticketclf_site.operations.doctor import database, deployment, service
from ticketclf_site.operations.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "run_checks"]


def run_checks(*, offline: bool = False) -> Iterator[Finding]:
    """Yield each finding; the service is checked only if the database is usable. `offline` calls no model."""
    yield from deployment.check_deployment()
    usable = True
    for finding in database.check_database():
        usable = usable and finding.level != Level.FAIL
        yield finding
    if usable:
        yield from service.check_service(offline=offline)
