"""Tickets per second of workers on PostgreSQL with a model that takes 2 s, compared with the ideal.

Each worker gets `rounds` times what it may have in flight. The first column of figures counts from the first ticket's
arrival to the last verdict, so the end is in it, when not all that is free has work; the second leaves out the first
and the last tenth. The workers have classified some before, so that what they load once is loaded.
"""

import argparse
import os
import time
from contextlib import ExitStack
from typing import NamedTuple

from bench.harness import fresh_installation, messages, model_server, table, use_server, worker
from bench.postgresql_server import cluster

IN_FLIGHT, DELAY = 16, 2.0


class ThroughputResult(NamedTuple):
    """Seconds in all; tickets a second, over all and in the middle; tickets lost, and given to a model twice."""

    seconds: float
    over_all: float
    in_the_middle: float
    lost: int
    twice: int


def main(workers: list[int], rounds: int, threads: int) -> None:
    with cluster() as server:
        os.environ["DATABASE_URL"] = server.url
        fresh_installation()
        rows = []
        for number in workers:
            tickets = IN_FLIGHT * rounds * number
            with model_server(delay=DELAY) as base_url:
                use_server(base_url, in_flight=IN_FLIGHT, timeout=30.0)
                result = _measure(number, tickets, threads)
            ideal = IN_FLIGHT / DELAY * number
            speeds = [f"{speed:.2f} ({speed / ideal:.2f})" for speed in (result.over_all, result.in_the_middle)]
            rows.append([number, tickets, f"{result.seconds:.1f}", f"{ideal:.0f}", *speeds, result.twice, result.lost])
        header = ["workers", "tickets", "seconds", "ideal", "a second (ratio, >= 0.90)", "in the middle"]
        table(f"{IN_FLIGHT} in flight each, answers in {DELAY:.0f} s", [*header, "twice", "lost"], rows)


def _measure(workers: int, tickets: int, threads: int) -> ThroughputResult:
    from django.db.models import Count, Sum

    from classifier.models import Failure, Prediction, Ticket, Verdict

    for model in (Verdict, Prediction, Failure, Ticket):
        model._default_manager.all().delete()
    with ExitStack() as stack:
        for _number in range(workers):
            stack.enter_context(worker(threads))
        _classified(IN_FLIGHT * 4 * workers)
        for model in (Verdict, Prediction, Ticket):
            model._default_manager.all().delete()
        seconds = _classified(tickets)
    moments = sorted(at.timestamp() for at in Verdict.objects.values_list("created_at", flat=True))
    middle = moments[tickets // 10 : -(tickets // 10)]
    asked = Prediction.objects.aggregate(sum=Sum("requests"))["sum"]
    doubled = Verdict.objects.values("ticket").annotate(n=Count("pk")).filter(n__gt=1).count()
    return ThroughputResult(
        seconds=seconds,
        over_all=tickets / seconds,
        in_the_middle=(len(middle) - 1) / (middle[-1] - middle[0]),
        lost=tickets - Verdict.objects.values("ticket").distinct().count(),
        twice=max(doubled, asked - tickets),
    )


def _classified(tickets: int) -> float:
    """Seconds until so many new tickets have a verdict."""
    from classifier.models import Ticket

    begun = time.time()
    Ticket.objects.bulk_create([Ticket(text=text) for text in messages(tickets)], batch_size=500)
    while Ticket.objects.new().exists():
        time.sleep(0.1)
    return time.time() - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=4)
    main(**vars(parser.parse_args()))
