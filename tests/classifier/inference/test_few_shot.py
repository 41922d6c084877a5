"""Endpoints are shown the nearest solved tickets, as quoted data, with their labels."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from classifier.contract import prompt
from classifier.contract.types import Answer, FewShotExample, Option
from classifier.embeddings import nearest_examples, vector_store
from classifier.inference import ask_models
from classifier.models import Category, ContractVersion, Example, LanguageModel, Prediction, Sentiment, Ticket
from classifier.models.specialist import text_digest
from classifier.pipeline import runner
from classifier.taxonomy import label_changes
from tests.factories import make_language_model, make_ticket, make_user
from tests.servers import OpenAIServer, answer, say

Use = Callable[..., LanguageModel]

CONTRACT = prompt.contract_for([Option(name="Billing"), Option(name="Technical")], [Option(name="Negative")])

REFUND = "I was charged twice this month, please refund one of the payments."
CRASH = "The app crashes each time I open the settings page."
LOGIN = "I forgot my password and cannot log in to my account."


@pytest.fixture(autouse=True)
def fresh_index() -> None:
    nearest_examples.invalidate_index()


def store_example(text: str, category: str = "Technical", sentiment: str = "Negative") -> Example:
    """An example with its vector stored."""
    example = Example.objects.create(
        text=text,
        digest=text_digest(text),
        group=1,
        category=Category.objects.get(name=category),
        sentiment=Sentiment.objects.get(name=sentiment),
    )
    vector_store.embeddings_for([text])
    nearest_examples.invalidate_index()
    return example


@pytest.fixture
def taught(catalogue: None) -> None:
    store_example(REFUND, "Billing")
    store_example(CRASH, "Technical")
    store_example(LOGIN, "Account", "Neutral")


def shown_beside(text: str, primary: Use, number: int = 2, version: ContractVersion | None = None) -> list[list[str]]:
    """The texts, categories and sentiments that an endpoint is shown with this text."""
    with OpenAIServer() as server:
        language_model = primary(server)
        asked = ask_models.ask(text, language_model, version or ContractVersion.objects.current(), examples=number)
        assert isinstance(asked, Answer)
    assert server.requests[0].ticket == text
    return [list(example.values()) for example in server.requests[0].solved]


# Wording


@given(st.text(), st.lists(st.text(min_size=1), max_size=4))
def test_example_texts_always_stay_quoted(text: str, texts: list[str]) -> None:
    shown = [FewShotExample(text=text, category="Billing", sentiment="Negative") for text in texts]
    _system, user = prompt.messages(CONTRACT, text, shown)
    lines = user["content"].split("\n")
    assert json.loads(lines[-1]) == text
    quoted = [json.loads(line) for line in lines if line.startswith("{")]
    assert [example["ticket"] for example in quoted] == texts
    assert len(lines) == (2 if not texts else len(prompt.EXAMPLES_INTRODUCTION.split("\n")) + len(texts) + 3)


@given(st.text())
def test_without_examples_the_prompt_is_unchanged(text: str) -> None:
    ticket = json.dumps(text, ensure_ascii=False)
    assert prompt.messages(CONTRACT, text) == [
        {"role": "system", "content": CONTRACT.system_prompt},
        {"role": "user", "content": f"The ticket, as a JSON string:\n{ticket}"},
    ]
    assert prompt.messages(CONTRACT, text, []) == prompt.messages(CONTRACT, text)


def test_a_long_example_is_shortened() -> None:
    shown = FewShotExample(text="a" * 50_000 + "the end", category="Billing", sentiment="Negative")
    content = prompt.messages(CONTRACT, "Hi", [shown] * 3)[-1]["content"]
    assert len(content) < 3 * 900 + 500
    assert "characters left out here" in content
    assert "the end" in content


# Choice of examples


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_the_nearest_examples_come_first_and_the_contract_is_unchanged(primary: Use) -> None:
    make_ticket("You charged me two times for this month! I want a refund of the second payment.")
    with OpenAIServer() as server:
        primary(server, examples=2)
        runner.classify_next_batch()
    request = server.requests[0]
    assert request.solved[0] == {"ticket": REFUND, "category": "Billing", "sentiment": "Negative"}
    assert len(request.solved) == 2
    assert request.body["messages"][0]["content"] == Prediction.objects.get().contract.system_prompt
    assert request.ticket.startswith("You charged me two times")


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_each_ticket_of_a_batch_gets_its_own_examples(primary: Use) -> None:
    asked = {"Refund the second charge, please.": REFUND, "It crashes when I open settings.": CRASH}
    for text in [*asked] * 40:
        make_ticket(text)
    with OpenAIServer() as server:
        primary(server, examples=1, max_in_flight=32)
        while runner.classify_next_batch():
            pass
    assert len(server.requests) == 80
    assert all(
        [example["ticket"] for example in request.solved] == [asked[request.ticket]] for request in server.requests
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_a_model_without_examples_is_asked_as_before(primary: Use) -> None:
    assert shown_beside("Refund the second charge, please.", primary, number=0) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_a_repair_request_still_shows_the_examples(primary: Use) -> None:
    make_ticket()
    with OpenAIServer([say("no"), answer()]) as server:
        primary(server, examples=2)
        runner.classify_next_batch()
    first, second = server.requests
    assert first.solved
    assert second.body["messages"][1] == first.body["messages"][1]


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_a_text_is_never_its_own_example(primary: Use) -> None:
    texts = [text for text, *_labels in shown_beside(REFUND, primary, number=3)]
    assert sorted(texts) == sorted([CRASH, LOGIN])


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_examples_with_labels_outside_the_contract_are_not_shown(primary: Use) -> None:
    label_changes.retire(Category.objects.get(name="Billing"))
    categories = {category for _text, category, _sentiment in shown_beside("Refund my charge.", primary, number=3)}
    assert categories == {"Technical", "Account"}


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_examples_use_the_contracts_label_names(primary: Use) -> None:
    account, billing = (Category.objects.get(name=name) for name in ("Account", "Billing"))
    earlier = ContractVersion.objects.current()
    Category.objects.filter(pk=account.pk).update(name="Access", parent=Category.objects.get(name="General"))
    label_changes.merge(billing, Category.objects.get(name="Technical"))
    now = {text: category for text, category, _sentiment in shown_beside("Hello?", primary, number=3)}
    assert now == {REFUND: "Technical", CRASH: "Technical", LOGIN: "General > Access"}
    with OpenAIServer() as server:
        language_model = make_language_model(server, name="again", family="again")
        restored = ContractVersion.objects.get(pk=earlier.pk).loaded()
        ask_models.ask("Hello?", language_model, restored, examples=3)
    then = {example["ticket"]: example["category"] for example in server.requests[0].solved}
    assert then == {REFUND: "Technical", CRASH: "Technical", LOGIN: "Account"}, "what was merged stays so"


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_deleted_examples_are_not_shown(primary: Use) -> None:
    """Even if this process's index has not noticed yet."""
    vector_store.embeddings_for(["Refund my charge."])
    nearest_examples.index()
    Example.objects.filter(text=REFUND).delete()
    assert REFUND not in [text for text, *_labels in shown_beside("Refund my charge.", primary, number=3)]


# Without examples


@pytest.mark.django_db
def test_models_are_asked_even_if_no_examples_exist(primary: Use) -> None:
    assert shown_beside("Refund the second charge, please.", primary) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_a_failing_encoder_blocks_no_ticket(
    primary: Use, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "encoder.onnx"
    broken.write_bytes(b"nothing like it")
    settings.ENCODER_FILE = str(broken)
    nearest_examples.invalidate_index()
    make_ticket("Refund the second charge, please.")
    with OpenAIServer() as server:
        primary(server, examples=2)
        runner.classify_next_batch()
    assert Ticket.objects.get().state == Ticket.State.AUTO_ACCEPTED
    assert str(broken) in caplog.text
    assert len(server.requests[0].solved) == 2, "the other encoder finds them"


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_an_embedded_model_ignores_the_number_of_examples(embedded_gate: None) -> None:
    LanguageModel.objects.update(examples=5)
    ticket = make_ticket()
    runner.classify_next_batch()
    ticket.refresh_from_db()
    assert ticket.state != Ticket.State.NEW


# Cost, and the models page


@pytest.mark.django_db
@pytest.mark.usefixtures("taught")
def test_the_budget_counts_the_longer_prompt(primary: Use) -> None:
    """Prompts with 20 examples reserve more, so fewer tickets fit into a day's budget."""

    def asked(examples: int) -> int:
        with OpenAIServer() as server:
            values = {"price_input": 1_000, "daily_budget": 10, "max_tokens": 10}
            language_model = make_language_model(server, name=f"shown {examples}", family="a", **values)
            list(
                ask_models.ResultStream(
                    ["Hi"] * 6, language_model, ContractVersion.objects.current(), examples=examples
                )
            )
        return len(server.requests)

    assert asked(20) < asked(0) < 6


@pytest.mark.django_db
def test_the_models_page_says_how_many_examples_each_model_sees(client: Client, catalogue: None) -> None:
    client.force_login(make_user("ada", "Agent"))
    where = reverse("classifier:models")
    assert "solved ticket" not in client.get(where).content.decode()
    LanguageModel.objects.filter(name="qwen-3-32b").update(examples=5)
    assert client.get(where).content.decode().count("with 5 solved tickets") == 1
