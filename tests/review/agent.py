"""An agent in a separate process: `python -m tests.review.agent NAME [hold]`.

Answers one ticket after the other and prints the keys of their assignments, or takes one and keeps it until it is
killed.
"""

import os
import sys
import time

import django


def work(name: str, *, hold: bool) -> None:
    from django.contrib.auth.models import User

    from review.workflow import leases
    from tests.review.actions import answer

    person = User.objects.get(username=name)
    while assignment := leases.lease_next(person):
        print(assignment.pk, flush=True)
        if hold:
            time.sleep(600)
        answer(assignment, person)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ticketclf_site.settings")
    django.setup()
    work(sys.argv[1], hold="hold" in sys.argv)
