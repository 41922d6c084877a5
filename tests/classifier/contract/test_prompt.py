import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.contract import prompt
from classifier.contract.prompt import InvalidAnswer
from classifier.contract.types import FailureKind, Option

pytestmark = pytest.mark.once

CONTRACT = prompt.contract_for(
    [Option(name="Billing", description="Money."), Option(name="Billing > Refunds"), Option(name="Technical")],
    [Option(name="Positive"), Option(name="Negative", examples=("It broke.",))],
)
VALID = {"category": "Billing", "sentiment": "Negative", "confidence": 0.5, "reasoning": "Because."}


def refused(reply: str) -> FailureKind:
    with pytest.raises(InvalidAnswer) as refusal:
        prompt.parse(reply, CONTRACT)
    return refusal.value.kind


def changed(**values: object) -> str:
    return json.dumps(VALID | values)


def test_a_valid_answer_is_parsed() -> None:
    answer = prompt.parse(changed(category="Billing > Refunds", confidence=1), CONTRACT)
    assert (answer.category, answer.sentiment, answer.confidence) == ("Billing > Refunds", "Negative", 1.0)


def test_label_case_and_code_fences_are_tolerated() -> None:
    answer = prompt.parse(f"```json\n{changed(category=' billing ')}\n```", CONTRACT)
    assert answer.category == "Billing"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("", FailureKind.BROKEN_JSON),
        ("Billing, clearly.", FailureKind.BROKEN_JSON),
        ('{"category": "Billing", "sent', FailureKind.BROKEN_JSON),
        ("[1, 2]", FailureKind.BROKEN_JSON),
        ("[" * 100_000, FailureKind.BROKEN_JSON),
        (json.dumps(VALID | {"confidence": math.nan}), FailureKind.BROKEN_JSON),
        ("{}", FailureKind.WRONG_KEYS),
        (json.dumps({"category": "Billing"}), FailureKind.WRONG_KEYS),
        (changed(note="one more"), FailureKind.WRONG_KEYS),
        (changed()[:-1] + ', "category": "Technical"}', FailureKind.WRONG_KEYS),
        (changed(category="Refunds"), FailureKind.UNKNOWN_LABEL),
        (changed(category=["Billing"]), FailureKind.UNKNOWN_LABEL),
        (changed(category=None), FailureKind.UNKNOWN_LABEL),
        (changed(sentiment="Furious"), FailureKind.UNKNOWN_LABEL),
        (changed(confidence=1.01), FailureKind.BAD_CONFIDENCE),
        (changed(confidence=-0.1), FailureKind.BAD_CONFIDENCE),
        (changed(confidence="0.9"), FailureKind.BAD_CONFIDENCE),
        (changed(confidence=True), FailureKind.BAD_CONFIDENCE),
        (changed(confidence=None), FailureKind.BAD_CONFIDENCE),
        (changed(reasoning=""), FailureKind.BAD_REASONING),
        (changed(reasoning=3), FailureKind.BAD_REASONING),
    ],
)
def test_a_reply_that_breaks_the_contract_is_refused(reply: str, kind: FailureKind) -> None:
    assert refused(reply) == kind


def test_the_reasoning_can_be_stored_whatever_it_holds() -> None:
    answer = prompt.parse(changed(reasoning="a\x00b\ud800c\nd" + "e" * 5_000), CONTRACT)
    assert answer.reasoning.startswith("a\ufffdb\ufffdc d")
    assert len(answer.reasoning) == prompt.LONGEST_REASONING


@given(st.text())
def test_a_ticket_is_quoted_as_one_json_string_whatever_it_holds(text: str) -> None:
    system, user = prompt.messages(CONTRACT, text)
    assert system["content"] == CONTRACT.system_prompt
    assert json.loads(user["content"].split("\n", 1)[1]) == text


@given(st.text())
def test_any_reply_parses_or_raises_invalid_answer(reply: str) -> None:
    with contextlib.suppress(InvalidAnswer):
        prompt.parse(reply, CONTRACT)


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
    assert prompt.parse(changed(category=name), contract).category == name
    assert contract.answer_schema["properties"]["category"]["enum"] == [name]


def test_five_hundred_labels_fit() -> None:
    options = [Option(name=f"Label {number}") for number in range(500)]
    contract = prompt.contract_for(options, CONTRACT.sentiments)
    assert prompt.parse(changed(category="Label 499"), contract).category == "Label 499"
