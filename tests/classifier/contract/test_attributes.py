"""Attributes in prompt, schema and answers: each is checked on its own, and none costs the category."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.contract import attributes, patterns, prompt
from classifier.contract.reply import Reply, parse
from classifier.contract.types import Answer, AttributeKind, AttributeTerms, Contract, Option

pytestmark = pytest.mark.once

CATEGORIES = [Option(name="Billing"), Option(name="Billing > Refunds"), Option(name="Technical")]
SENTIMENTS = [Option(name="Negative"), Option(name="Neutral")]
WITHOUT = prompt.contract_for(CATEGORIES, SENTIMENTS)

PRIORITY = AttributeTerms(
    pk=1,
    key="priority",
    name="Priority",
    kind=AttributeKind.ONE_OF,
    options=(Option(name="Low", keys=(1,)), Option(name="High", description="Work stands still.", keys=(2,))),
    is_scale=True,
)
REFUND = AttributeTerms(pk=2, key="refund", name="Refund", kind=AttributeKind.YES_NO, categories=("Billing",))
PRODUCTS = AttributeTerms(
    pk=3, key="products", name="Products", kind=AttributeKind.SEVERAL_OF, options=PRIORITY.options
)
ORDER = AttributeTerms(pk=4, key="order", name="Order", kind=AttributeKind.TEXT, pattern="A-[0-9]{5}")
ALL = (PRIORITY, REFUND, PRODUCTS, ORDER)
CONTRACT = prompt.contract_for(CATEGORIES, SENTIMENTS, "", ALL)
LABELS = {"category": "Billing", "sentiment": "Negative", "confidence": 0.9, "reasoning": "It says so."}
VALUES = {"priority": "High", "refund": True, "products": ["High", "Low"], "order": "A-12345"}


def read(given: Any, contract: Contract = CONTRACT, **labels: Any) -> Answer:
    return parse(Reply(content=json.dumps(LABELS | labels | {"attributes": given})), contract).answer


def test_without_attributes_the_contract_is_byte_for_byte_that_of_four_keys() -> None:
    assert prompt.contract_for(CATEGORIES, SENTIMENTS, "", ()) == WITHOUT
    assert WITHOUT.digest == "435efa1a3122fca8cd8a92ce7909d7088235511a589962320488d13d56e722f7"
    assert WITHOUT.answer_schema["required"] == ["category", "sentiment", "confidence", "reasoning"]
    assert CONTRACT.system_prompt.startswith(WITHOUT.system_prompt)


def test_an_answer_to_every_kind_of_attribute_is_read() -> None:
    answer = read(VALUES)
    assert answer.attributes == VALUES | {"products": ("Low", "High")}
    assert not answer.unusable
    assert not parse(Reply(content=json.dumps(LABELS | {"attributes": VALUES})), CONTRACT).repaired


@pytest.mark.parametrize("empty", [None, "", "null"])
def test_an_empty_answer_is_no_fault(empty: Any) -> None:
    answer = read(dict.fromkeys(VALUES, empty) | {"products": []})
    assert (answer.attributes, answer.unusable) == ({}, ())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("priority", "Urgent"),
        ("priority", 3),
        ("priority", ["Low", "High"]),
        ("priority", {"High": 1}),
        ("refund", "perhaps"),
        ("refund", []),
        ("products", "Sofa"),
        ("products", ["High", "Sofa"]),
        ("products", [["High"], 2]),
        ("order", True),
        ("order", ["A-12345"]),
        ("order", "A" * 301),
    ],
)
def test_an_unusable_answer_costs_neither_the_label_nor_another_attribute(key: str, value: Any) -> None:
    answer = read(VALUES | {key: value})
    assert (answer.category, answer.unusable) == ("Billing", (key,))
    assert answer.attributes.keys() == VALUES.keys() - {key}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(VALUES)), inner),
    )
)
def test_whatever_stands_in_the_attributes_the_label_is_read(given: Any) -> None:
    answer = read(given)
    assert (answer.category, answer.sentiment) == ("Billing", "Negative")
    assert set(answer.unusable) <= VALUES.keys()


@pytest.mark.parametrize(
    "broken",
    ['{"priority": "Hi', '{"order": "say "A-12345""}}', '{"refund": true, "refund": false}}', "[1, 2", "nothing}"],
)
def test_attributes_that_break_the_json_or_its_end_do_not_cost_the_label(broken: str) -> None:
    content = json.dumps(LABELS)[:-1] + f', "attributes": {broken}'
    parsed = parse(Reply(content=content, cut_off=True), CONTRACT)
    assert (parsed.answer.category, parsed.answer.attributes, parsed.repaired) == ("Billing", {}, True)
    assert parsed.answer.unusable == tuple(VALUES)


def test_an_attribute_is_asked_of_its_categories_and_those_below_them() -> None:
    assert read(VALUES, category="Billing > Refunds").attributes["refund"] is True
    elsewhere = read(VALUES, category="Technical")
    assert "refund" not in elsewhere.attributes
    assert not elsewhere.unusable
    assert not REFUND.is_asked_of("Billing abroad")


def test_names_are_matched_without_regard_to_case_and_missing_keys_are_unusable() -> None:
    answer = read({"Priority ": "hIGH", "refund": "Yes", "products": "low"})
    assert answer.attributes == {"priority": "High", "refund": True, "products": ("Low",)}
    assert answer.unusable == ("order",)


HOSTILE = ["category", '"}]', "null", "true", "مرتفع", "high\u202e", "x" * 300, "say 'no'", '- "Low"']


@pytest.mark.parametrize("name", HOSTILE)
def test_an_option_may_be_named_like_anything(name: str) -> None:
    asked = AttributeTerms(
        pk=1, key="area", name=name, kind=AttributeKind.ONE_OF, options=(Option(name=name), Option(name="Other"))
    )
    contract = prompt.contract_for(CATEGORIES, SENTIMENTS, "", (asked,))
    assert read({"area": name}, contract).attributes == {"area": name}
    assert json.dumps(name, ensure_ascii=False) in contract.system_prompt


def test_of_five_hundred_options_each_is_told_apart_and_the_schema_stays_short() -> None:
    options = tuple(Option(name=f"Machine {number}", keys=(number,)) for number in range(500))
    many = AttributeTerms(pk=1, key="machine", name="Machine", kind=AttributeKind.ONE_OF, options=options)
    contract = prompt.contract_for(CATEGORIES, SENTIMENTS, "", (many,))
    assert read({"machine": "machine 77"}, contract).attributes == {"machine": "Machine 77"}
    assert read({"machine": "Machine 500"}, contract).unusable == ("machine",)
    assert "enum" not in contract.answer_schema["properties"]["attributes"]["properties"]["machine"]


def test_a_text_must_match_its_pattern() -> None:
    assert attributes.without_misfits(read(VALUES), ALL).attributes["order"] == "A-12345"
    misfit = attributes.without_misfits(read(VALUES | {"order": "A-123456"}), ALL)
    assert ("order" in misfit.attributes, misfit.unusable) == (False, ("order",))


def test_a_pattern_names_a_text_only_where_it_is_the_only_one() -> None:
    assert attributes.text_by_pattern(ORDER, "Where is A-12345? I ordered A-12345 in May.") == "A-12345"
    assert not attributes.text_by_pattern(ORDER, "Either A-12345 or A-54321.")
    assert not attributes.text_by_pattern(ORDER, "Nothing.")


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{5000}"])
def test_what_cannot_be_matched_in_linear_time_is_no_pattern(pattern: str) -> None:
    with pytest.raises(patterns.InvalidPattern):
        patterns.check(pattern)


def test_a_pattern_that_would_backtrack_for_ever_takes_no_time() -> None:
    assert not patterns.fits("(a|a?)+b", "a" * 8_000)


def test_the_decisions_protocol_asks_one_question_for_each_choice() -> None:
    asked = {question["name"]: question["choices"] for question in prompt.questions(CONTRACT)}
    assert list(asked) == ["category", "sentiment", "priority", "refund"]
    assert [choice["value"] for choice in asked["refund"]] == ["yes", "no"]


def test_longer_answers_get_more_tokens() -> None:
    assert attributes.answer_tokens(()) == 0
    assert attributes.answer_tokens(ALL) >= 150
