"""Room on disks."""

import shutil
from pathlib import Path

from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn

LITTLE, HARDLY_ANY = 5 * 2**30, 500 * 2**20
"""Bytes; with less than the second the next write may fail."""


def on_disk(about: str, folder: Path) -> Finding:
    """How much there is where this folder stands."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return fail(about, f"{folder}: {error.strerror}.", "Make the folder, or name another in TICKETCLF_VAR.")
    said = f"{free / 2**30:.1f} GiB free in {folder}."
    if free < HARDLY_ANY:
        return fail(about, said, "Make room now: nothing can be written without.")
    return warn(about, said, "Make room, or set TICKETCLF_RETENTION_DAYS.") if free < LITTLE else ok(about, said)
