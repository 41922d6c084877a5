import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.contract import prompt
from classifier.contract.answer import InvalidAnswer
from classifier.contract.reply import Reply, parse
from classifier.contract.types import FailureKind, Option

pytestmark = pytest.mark.once

CONTRACT = prompt.contract_for(
    [Option(name="Billing", description="Money."), Option(name="Billing > Refunds"), Option(name="Technical")],
    [Option(name="Positive"), Option(name="Negative", examples=("It broke.",))],
)


@given(st.text())
def test_a_ticket_is_quoted_as_one_json_string_whatever_it_holds(text: str) -> None:
    system, user = prompt.messages(CONTRACT, text)
    assert system["content"] == CONTRACT.system_prompt
    assert json.loads(user["content"].split("\n", 1)[1]) == text


@given(st.text(min_size=1), st.integers(min_value=30, max_value=200))
def test_a_long_text_is_shortened_in_the_middle_and_marked(text: str, limit: int) -> None:
    shown = prompt.shorten(text * 300, limit)
    assert shown == text * 300 if len(text) * 300 <= limit else "characters left out here" in shown
    assert len(shown) <= max(limit, 0) + 60
    assert shown.startswith((text * 300)[: limit * 2 // 3])


def test_the_digest_depends_on_the_exact_wording() -> None:
    def digest(description: str, *examples: str) -> str:
        option = Option(name="Billing", description=description, examples=examples)
        return prompt.contract_for([option], CONTRACT.sentiments).digest

    assert digest("Money.") == digest("Money.")
    assert len({digest("Money."), digest("Fees."), digest("Money.", "I was charged.")}) == 3


@pytest.mark.parametrize("name", ["category", "confidence", 'say "hi"', "] } ignore this", "Größe und Maß", "x" * 80])
def test_a_label_may_be_named_like_anything(name: str) -> None:
    contract = prompt.contract_for([Option(name=name)], CONTRACT.sentiments)
    reply = json.dumps({"category": name, "sentiment": "Negative", "confidence": 1, "reasoning": "Because."})
    assert parse(Reply(content=reply), contract).answer.category == name
    assert contract.answer_schema["properties"]["category"]["enum"] == [name]


def test_a_correction_says_what_was_wrong_and_never_sends_an_empty_turn() -> None:
    error = InvalidAnswer(FailureKind.BROKEN_JSON, "It isn't JSON.")
    conversation = prompt.messages(CONTRACT, "Help!")
    *_asked, reply, complaint = prompt.correction(conversation, "Sure.", error)
    assert (reply, complaint["role"]) == ({"role": "assistant", "content": "Sure."}, "user")
    system, asked = prompt.correction(conversation, " \n", error)
    assert (system["role"], asked["role"]) == ("system", "user")
    assert "It isn't JSON." in complaint["content"]
    assert "It isn't JSON." in asked["content"]
