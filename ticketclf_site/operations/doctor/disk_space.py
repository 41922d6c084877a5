"""Check free disk space."""

import shutil
from pathlib import Path

from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn

LOW_BYTES, CRITICAL_BYTES = 5 * 2**30, 500 * 2**20
"""Below the second the next write may fail."""


def check_disk_space(check: str, folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return fail(check, f"{folder}: {error.strerror}.", "Create the folder, or set TICKETCLF_VAR to another.")
    summary = f"{free / 2**30:.1f} GiB free in {folder}."
    if free < CRITICAL_BYTES:
        return fail(check, summary, "Free up space now: writes are about to fail.")
    return (
        warn(check, summary, "Free up space, or set TICKETCLF_RETENTION_DAYS.")
        if free < LOW_BYTES
        else ok(check, summary)
    )
