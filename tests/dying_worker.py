"""A worker whose embedded model kills its process at one text, each turn in a process of its own:
`python -m tests.dying_worker`. Prints how many turns died, once nothing waits.
"""

import os
import signal
from collections.abc import Iterable, Iterator

import django

POISON = "This ticket kills whoever reads it."
MOST_TURNS = 40


def main() -> None:
    from django.db import connection
    from django.db.models.functions import Now

    from classifier.models import Ticket

    died = turns = 0
    while Ticket.objects.new().exists() and turns < MOST_TURNS:
        # The leases of dead workers expire, and pauses end.
        Ticket.objects.new().update(available_at=Now())
        connection.close()
        child = os.fork()
        if not child:
            _work()
            os._exit(0)
        _pid, status = os.waitpid(child, 0)
        turns, died = turns + 1, died + os.WIFSIGNALED(status)
    print(died)


def _work() -> None:
    from classifier.contract.types import Contract, IndexedResult, Question
    from classifier.inference.backends.embedded import EmbeddedClassifier
    from classifier.pipeline import runner

    answers = EmbeddedClassifier.answers

    def die(
        model: EmbeddedClassifier, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        asked = list(questions)
        for question in asked:
            if question.text == POISON:
                os.kill(os.getpid(), signal.SIGKILL)
        return answers(model, asked, contract, ahead=ahead)

    setattr(EmbeddedClassifier, "answers", die)  # noqa: B010 - mypy refuses an assignment to a method
    while runner.classify_next_batch():
        pass


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ticketclf_site.settings")
    django.setup()
    main()
