"""A front model answers for the primary where it is confident, and never blocks a ticket."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from classifier.inference.backends.embedded import EmbeddedClassifier
from classifier.models import Epoch, Failure, Gate, LanguageModel, Reason, Ticket, Verdict
from classifier.models.verdict import current_verdict, with_current_verdicts
from classifier.pipeline import gate, runner
from classifier.pipeline.gate import ScoredOutcome
from tests.factories import make_language_model, make_ticket, make_user
from tests.servers import CUT, OpenAIServer, Reply, Request, answer, error, say

pytestmark = pytest.mark.django_db
Use = Callable[..., LanguageModel]


@pytest.fixture
def front(catalogue: None) -> Use:
    """Makes a model behind a local server the front model, with a threshold of 0.95 and its own family."""

    def use(server: OpenAIServer, *, family: str = "front", threshold: float = 0.95, **values: Any) -> LanguageModel:
        language_model = make_language_model(server, name="quick", family=family, **values)
        Gate.objects.update(front=language_model, front_threshold=threshold)
        return language_model

    return use


def verdict_of(ticket: Ticket) -> Verdict:
    verdict = current_verdict(with_current_verdicts(Ticket.objects.all()).get(pk=ticket.pk))
    assert verdict
    return verdict


def states() -> list[str]:
    return list(Ticket.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_a_confident_front_model_auto_accepts_without_asking_the_primary(
    primary: Use, front: Use, confidence: float
) -> None:
    ticket = make_ticket()
    with OpenAIServer([answer("Account", confidence=confidence)]) as quick, OpenAIServer() as slow:
        language_model = front(quick)
        primary(slow)
        runner.classify_next_batch()
    verdict = verdict_of(ticket)
    assert (states(), slow.requests) == (["auto_accepted"], [])
    assert (verdict.prediction.language_model, str(verdict.prediction.category)) == (language_model, "Account")
    assert (verdict.epoch.language_model, verdict.epoch.threshold, verdict.reason) == (
        language_model,
        0.95,
        Reason.CONFIDENT,
    )
    assert verdict.explanation == f"quick is {confidence:.0%} confident; auto-accept starts at 95%."


def test_tickets_the_front_model_is_unsure_about_go_to_the_primary(primary: Use, front: Use) -> None:
    def by_length(request: Request) -> Reply:
        return answer("Billing", confidence=0.99 if len(request.ticket) < 10 else 0.94)

    for text in ("short", "one that is longer", "brief", "another that is longer"):
        make_ticket(text)
    with OpenAIServer(by_length) as quick, OpenAIServer([answer("Technical", confidence=0.86)]) as slow:
        in_front, behind = front(quick), primary(slow)
        runner.classify_next_batch()
    assert states() == ["auto_accepted"] * 4
    assert sorted(request.ticket for request in slow.requests) == ["another that is longer", "one that is longer"]
    passed = Verdict.objects.order_by("ticket_id").values_list(
        "epoch__language_model", "epoch__threshold", "prediction__language_model"
    )
    assert list(passed) == 2 * [(in_front.pk, 0.95, in_front.pk), (behind.pk, 0.85, behind.pk)]


def test_an_unsure_front_answer_serves_as_second_opinion_without_another_request(primary: Use, front: Use) -> None:
    ticket = make_ticket()
    with OpenAIServer([answer("Billing", confidence=0.9)]) as quick, OpenAIServer([answer(confidence=0.5)]) as slow:
        in_front = front(quick)
        primary(slow)
        runner.classify_next_batch()
    verdict = verdict_of(ticket)
    assert (states(), len(quick.requests), len(slow.requests)) == (["needs_review"], 1, 1)
    assert (verdict.reason, verdict.second_opinion.language_model) == (Reason.DISAGREEMENT, in_front)
    assert verdict.explanation == "first is only 50% confident, and quick says Billing | Negative (0.90)."


def test_a_front_model_of_the_primarys_family_gives_no_second_opinion(primary: Use, front: Use) -> None:
    ticket = make_ticket()
    with OpenAIServer([answer("Billing", confidence=0.9)]) as quick, OpenAIServer([answer(confidence=0.5)]) as slow:
        front(quick, family="first")
        primary(slow)
        runner.classify_next_batch()
    assert (verdict_of(ticket).reason, verdict_of(ticket).second_opinion) == (Reason.BELOW_THRESHOLD, None)


def test_the_chosen_second_opinion_is_asked_despite_a_front_model(
    primary: Use, second_opinion: Use, front: Use
) -> None:
    ticket = make_ticket()
    with (
        OpenAIServer([answer("Billing", confidence=0.9)]) as quick,
        OpenAIServer([answer(confidence=0.5)]) as slow,
        OpenAIServer([answer("Account")]) as other,
    ):
        front(quick)
        primary(slow)
        chosen = second_opinion(other)
        runner.classify_next_batch()
    assert verdict_of(ticket).second_opinion.language_model == chosen


def test_a_front_model_that_is_also_second_opinion_is_asked_once(primary: Use, front: Use) -> None:
    ticket = make_ticket()
    with OpenAIServer([answer(confidence=0.9)]) as quick, OpenAIServer([answer(confidence=0.5)]) as slow:
        primary(slow)
        in_front = front(quick)
        Gate.objects.update(second_opinion=in_front)
        runner.classify_next_batch()
    assert len(quick.requests) == 1
    assert (verdict_of(ticket).reason, verdict_of(ticket).second_opinion.language_model) == (
        Reason.BELOW_THRESHOLD,
        in_front,
    )


@pytest.mark.parametrize(
    "fault",
    [error(401), error(404), error(429, retry_after="3600"), error(500), CUT, say("no"), answer("Sales", "Furious", 1)],
)
def test_a_failing_front_model_holds_nothing_up(primary: Use, front: Use, fault: Reply) -> None:
    ticket = make_ticket()
    with OpenAIServer([fault]) as quick, OpenAIServer() as slow:
        in_front = front(quick)
        behind = primary(slow)
        runner.classify_next_batch()
    assert states() == ["auto_accepted"]
    assert verdict_of(ticket).prediction.language_model == behind
    assert Failure.objects.get().language_model == in_front
    assert Ticket.objects.get().attempts <= 1


def test_a_crashing_front_model_holds_nothing_up(primary: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(EmbeddedClassifier, "answers", broken)
    ticket = make_ticket()
    with OpenAIServer() as slow:
        behind = primary(slow)
        Gate.objects.update(front=LanguageModel.objects.zero_shot(), front_threshold=0)
        runner.classify_next_batch()
    assert verdict_of(ticket).prediction.language_model == behind


def test_the_primary_is_asked_once_the_front_models_budget_is_spent(primary: Use, front: Use) -> None:
    for _number in range(3):
        make_ticket()
    with OpenAIServer([answer(confidence=0.99)]) as quick, OpenAIServer() as slow:
        front(quick, price_per_request=1, daily_budget=2)
        primary(slow)
        runner.classify_next_batch()
    assert states() == ["auto_accepted"] * 3
    assert (len(quick.requests), len(slow.requests)) == (1, 2)


def test_the_front_answer_is_kept_while_the_ticket_waits_for_the_primary(primary: Use, front: Use) -> None:
    ticket = make_ticket()
    with (
        OpenAIServer([answer("Billing", confidence=0.9)]) as quick,
        OpenAIServer([error(429, retry_after="60"), answer(confidence=0.5)]) as slow,
    ):
        in_front = front(quick)
        primary(slow)
        runner.classify_next_batch()
        assert states() == ["new"]
        Ticket.objects.update(available_at=Now())
        runner.classify_next_batch()
    assert (len(quick.requests), verdict_of(ticket).second_opinion.language_model) == (1, in_front)


def test_the_embedded_model_can_be_the_front_model(primary: Use) -> None:
    ticket = make_ticket()
    with OpenAIServer() as slow:
        primary(slow)
        embedded = LanguageModel.objects.zero_shot()
        Gate.objects.update(front=embedded, front_threshold=0)
        runner.classify_next_batch()
    assert (slow.requests, verdict_of(ticket).epoch.language_model) == ([], embedded)


def test_a_front_model_that_cannot_answer_is_not_asked(primary: Use, front: Use) -> None:
    with OpenAIServer() as quick, OpenAIServer() as slow:
        behind = primary(slow)
        front(quick, api_key_env="OPENAI_API_KEY")
        nobody = [Gate.objects.get(pk=1).active_front()]
        for language_model in (LanguageModel.objects.get(name="specialist"), behind):
            Gate.objects.update(front=language_model)
            nobody.append(Gate.current().active_front())
        make_ticket()
        runner.classify_next_batch()
    assert nobody == [None, None, None], "for want of a key, of anything learned, and for being the primary"
    assert (len(slow.requests), quick.requests, Failure.objects.count()) == (1, [], 0)


@pytest.mark.parametrize("role", ["front", "primary", "second"])
def test_a_slow_answer_holds_back_no_other_ticket(
    primary: Use, second_opinion: Use, front: Use, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    recorded: list[set[str]] = []
    record = gate.record_verdicts

    def spy(epoch: Epoch, outcomes: Sequence[ScoredOutcome], *others: Any) -> None:
        recorded.append({outcome.ticket.text for outcome in outcomes})
        record(epoch, outcomes, *others)

    def reply(place: str) -> Callable[[Request], Reply]:
        return lambda request: replace(
            answer(confidence=0.5), delay=2.0 if place == role and request.ticket == "slow" else 0.0
        )

    monkeypatch.setattr(gate, "record_verdicts", spy)
    for text in ("one", "slow", "three", "four"):
        make_ticket(text)
    with OpenAIServer(reply("front")) as quick, OpenAIServer(reply("primary")) as slow:
        front(quick, json_mode="json_schema")
        primary(slow, json_mode="json_schema")
        with OpenAIServer(reply("second")) as other:
            second_opinion(other, json_mode="json_schema")
            runner.classify_next_batch()
    assert recorded[-1] == {"slow"}
    assert set().union(*recorded[:-1]) == {"one", "three", "four"}


# The classify command


def test_the_classify_command_asks_the_same_models_in_the_same_order(primary: Use, front: Use, tmp_path: Path) -> None:
    def sure_of_some(request: Request) -> Reply:
        return answer("Billing", confidence=0.97 if request.ticket == "easy" else 0.6)

    path = tmp_path / "texts.csv"
    path.write_text("text\neasy\nhard\neasy\n")
    printed = io.StringIO()
    with OpenAIServer(sure_of_some) as quick, OpenAIServer([answer(confidence=0.7)]) as slow:
        front(quick)
        primary(slow)
        call_command("classify", str(path), json=True, stdout=printed)
    easy, hard, again = [json.loads(line) for line in printed.getvalue().splitlines()]
    assert (easy["model"], easy["category"], easy["review_flag"], easy["fallback_review"]) == (
        *("quick", "Billing", False, None),
    )
    assert (hard["model"], hard["category"], hard["review_flag"]) == ("first", "Technical", True)
    assert (hard["fallback_review"]["model"], hard["fallback_review"]["category"]) == ("quick", "Billing")
    assert again["model"] == "quick"
    assert (len(quick.requests), len(slow.requests)) == (3, 1)


def test_the_classify_command_goes_on_if_the_front_model_fails(primary: Use, front: Use, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text\nhello\n")
    printed = io.StringIO()
    with OpenAIServer([error(401)]) as quick, OpenAIServer() as slow:
        front(quick)
        primary(slow)
        call_command("classify", str(path), json=True, stdout=printed)
    result = json.loads(printed.getvalue())
    assert (result["model"], result["review_flag"]) == ("first", False)


# The models page


def classified(primary: Use, front: Use, *, easy: int, hard: int) -> None:
    """Tickets that the front model answers, and tickets that it leaves to the primary."""
    for number in range(easy + hard):
        make_ticket("easy" if number < easy else f"hard {number}")
    sure = lambda request: answer(confidence=0.97 if request.ticket == "easy" else 0.6)  # noqa: E731 - it is short
    with OpenAIServer(sure) as quick, OpenAIServer() as slow:
        front(quick)
        primary(slow)
        while runner.classify_next_batch():
            pass


@pytest.fixture
def models_page(client: Client, catalogue: None) -> Callable[[], str]:
    client.force_login(make_user("ada", "Agent"))
    return lambda: client.get(reverse("classifier:models")).content.decode()


def test_the_models_page_shows_the_front_models_share_of_tickets(
    primary: Use, front: Use, models_page: Callable[[], str]
) -> None:
    classified(primary, front, easy=3, hard=2)
    sentence = "quick answered 3 of the latest 5 tickets, without a call to the primary."
    assert sentence in models_page()
    Ticket.objects.update(state="new", available_at=Now())
    runner.classify_next_batch()
    assert sentence in models_page()


def test_the_models_page_omits_the_front_model_if_there_is_none(primary: Use, models_page: Callable[[], str]) -> None:
    make_ticket()
    with OpenAIServer() as slow:
        primary(slow)
        runner.classify_next_batch()
    assert "without a call to the primary" not in models_page()


def test_the_models_page_names_the_front_model_and_why_it_is_inactive(
    primary: Use, front: Use, models_page: Callable[[], str]
) -> None:
    with OpenAIServer() as quick, OpenAIServer() as slow:
        primary(slow)
        front(quick, threshold=0.97)
    content = models_page()
    assert "answers instead of the primary at 0.97 confidence or more" in content
    Gate.objects.update(front=LanguageModel.objects.get(name="specialist"))
    assert "not asked: it has not learned anything yet" in models_page()
