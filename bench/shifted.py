"""`manage.py` on a machine whose clock is wrong: `python -m bench.shifted SECONDS COMMAND …`."""

import os
import sys
from datetime import datetime, timedelta

from django.utils import timezone

_right = timezone.now
_wrong_by = timedelta(seconds=float(sys.argv.pop(1)))


def _now() -> datetime:
    return _right() + _wrong_by


# Before any model is loaded, whose fields keep the function.
timezone.now = _now

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ticketclf_site.settings")
    execute_from_command_line(sys.argv)
