"""Storing a ticket and enqueueing its classification, compared with storing the row alone."""

import time
from statistics import median

from bench.harness import fresh_installation, messages, table

ROUNDS, SAVES = 5, 200


def main() -> None:
    fresh_installation()
    from django.db.models import Model

    from classifier.models import Ticket

    def timed(save: bool, text: str) -> float:
        ticket = Ticket(text=text)
        begun = time.perf_counter()
        if save:
            ticket.save()
        else:
            Model.save(ticket)
        return (time.perf_counter() - begun) * 1000

    texts = messages(SAVES)
    rows = []
    for _round in range(ROUNDS):
        bare = median(timed(False, text) for text in texts)
        enqueued = median(timed(True, text) for text in texts)
        rows.append([f"{bare:.2f}", f"{enqueued:.2f}", f"{enqueued - bare:.2f}"])
    table(f"Saving, median of {SAVES} in ms", ["without", "with enqueuing", "more (<= 3)"], rows)


if __name__ == "__main__":
    main()
