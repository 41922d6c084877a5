"""A ticket on which a worker fails or dies takes no other ticket along, and ends with a person."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress

import pytest
from django.db.models.functions import Now

from classifier.contract.types import Contract, IndexedResult, Question
from classifier.inference.backends.embedded import EmbeddedClassifier
from classifier.models import ContractVersion, Failure, Gate, GateMode, LanguageModel, Ticket, Verdict
from classifier.pipeline import claims, injection_check, runner, unstored
from tests.conftest import UseServer
from tests.factories import make_ticket
from tests.servers import OpenAIServer, answer

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

POISON = "poison"
ENOUGH_TURNS = 40


def poisonous(fault: BaseException) -> Callable[..., Iterator[list[IndexedResult]]]:
    """An embedded model that fails on one text. SystemExit stands for a worker that is killed: nothing catches it."""
    answers = EmbeddedClassifier.answers

    def fail(
        model: EmbeddedClassifier, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        asked = list(questions)
        if any(question.text == POISON for question in asked):
            raise fault
        return answers(model, asked, contract, ahead=ahead)

    return fail


def work_until_nothing_waits() -> None:
    turns = 0
    while Ticket.objects.new().exists() and (turns := turns + 1) < ENOUGH_TURNS:
        Ticket.objects.update(available_at=Now())
        with suppress(SystemExit):
            runner.classify_next_batch()


@pytest.fixture
def ten_tickets(catalogue: None) -> Ticket:
    """The poisonous one of ten."""
    tickets = [make_ticket(POISON if number == 4 else f"Where is invoice {number}?") for number in range(10)]
    return tickets[4]


@pytest.mark.parametrize("fault", [MemoryError(), SystemExit()], ids=["error", "killed"])
@pytest.mark.parametrize("role", ["primary", "front", "second opinion"])
def test_nine_of_ten_are_labelled_and_people_get_the_tenth(
    ten_tickets: Ticket,
    primary: UseServer,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    fault: BaseException,
) -> None:
    monkeypatch.setattr(EmbeddedClassifier, "answers", poisonous(fault))
    embedded = LanguageModel.objects.zero_shot()
    with ExitStack() as stack:
        if role == "primary":
            Gate.objects.update(primary=embedded, second_opinion=None)
        else:
            primary(stack.enter_context(OpenAIServer([answer(confidence=0.5)])))
            Gate.objects.update(**{role.replace(" ", "_"): embedded})
        work_until_nothing_waits()
    assert not Ticket.objects.new().exists()
    labelled = Verdict.objects.current().filter(prediction__isnull=False)
    assert labelled.exclude(ticket=ten_tickets).count() == 9
    ten_tickets.refresh_from_db()
    assert ten_tickets.state == Ticket.State.NEEDS_REVIEW
    if role == "primary" or isinstance(fault, SystemExit):
        assert Failure.objects.get(ticket=ten_tickets).kind == "given_up"
    # Where an error shows which ticket it is, the others are not tried again.
    assert Ticket.objects.filter(attempts__gt=claims.MOST_ATTEMPTS + 1).count() == 0
    assert isinstance(fault, SystemExit) or Ticket.objects.filter(attempts__gt=1).count() <= 1


def test_a_ticket_that_cannot_be_checked_or_scored_takes_no_other_along(
    ten_tickets: Ticket, embedded_gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspected = injection_check.suspected_injections

    def check(answers: list[injection_check.LabelledText], *others: object) -> list[bool]:
        if any(answer.text == POISON for answer in answers):
            raise ValueError
        return suspected(answers, *others)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(injection_check, "suspected_injections", check)
    Gate.objects.update(mode=GateMode.SCORE)
    work_until_nothing_waits()
    assert Verdict.objects.current().filter(score__isnull=False).count() == 9
    assert Verdict.objects.current().get(ticket=ten_tickets).failure.kind == "given_up"


def test_a_text_that_fails_without_being_stored_takes_no_other_along(
    embedded_gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedClassifier, "answers", poisonous(RuntimeError("no")))
    verdicts = unstored.classify_texts(["One", POISON, "Three"], Gate.current(), ContractVersion.objects.current())
    assert [verdict.prediction is not None for verdict in verdicts] == [True, False, True]
    assert verdicts[1].failure.kind == "given_up"


def test_tickets_of_a_dead_worker_are_tried_alone_and_others_beside_them(embedded_gate: Gate) -> None:
    interrupted = [make_ticket(f"of a dead worker {number}") for number in range(2)]
    assert claims.claim(2) == interrupted
    Ticket.objects.update(available_at=Now())
    fresh = make_ticket("fresh")
    assert claims.claim(3) == [fresh]
    assert [claims.claim_interrupted() for _turn in range(3)] == [[interrupted[0]], [interrupted[1]], []]
    assert list(Ticket.objects.order_by("pk").values_list("attempts", flat=True)) == [2, 2, 1]
