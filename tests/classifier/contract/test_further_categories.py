"""Further categories in the contract: asked for only where wanted, and never at the cost of the main label."""

import json
from typing import Any

import pytest

from classifier.contract import prompt
from classifier.contract.further_categories import MOST
from classifier.contract.reply import Reply, parse
from classifier.contract.types import AttributeKind, AttributeTerms, Option

CATEGORIES = [Option(name=name) for name in ("Billing", "Technical", "Account", *(f"Topic {n}" for n in range(9)))]
SENTIMENTS = [Option(name="Neutral"), Option(name="Negative")]
WITHOUT = prompt.contract_for(CATEGORIES, SENTIMENTS)
WITH = prompt.contract_for(CATEGORIES, SENTIMENTS, further=True)
URGENT = AttributeTerms(pk=1, key="urgent", name="Urgent", kind=AttributeKind.YES_NO)
BOTH = prompt.contract_for(CATEGORIES, SENTIMENTS, "", [URGENT], further=True)
LABEL = {"category": "Billing", "sentiment": "Neutral", "confidence": 0.9, "reasoning": "Money."}


def further(given: Any, contract: Any = WITH) -> tuple[tuple[str, ...], bool]:
    parsed = parse(Reply(content=json.dumps(LABEL | {"further_categories": given})), contract)
    return parsed.answer.further_categories, parsed.repaired


def test_without_further_categories_the_contract_is_what_it_was() -> None:
    assert prompt.contract_for(CATEGORIES, SENTIMENTS, "", (), further=False) == WITHOUT
    assert "further" not in WITHOUT.system_prompt + json.dumps(WITHOUT.answer_schema)


def test_with_them_prompt_and_schema_ask_for_one_key_more() -> None:
    assert WITH.system_prompt.startswith(WITHOUT.system_prompt)
    assert '"further_categories"' in WITH.system_prompt
    assert WITH.answer_schema["required"] == [*WITHOUT.answer_schema["required"], "further_categories"]
    assert WITH.digest != WITHOUT.digest
    assert BOTH.answer_schema["required"][-2:] == ["further_categories", "attributes"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ()),
        (["Technical"], ("Technical",)),
        (["account", "Technical", "Account"], ("Account", "Technical")),
        (["Billing"], ()),
        (["Nonsense", 7, None, {"a": 1}, "Technical"], ("Technical",)),
        ("Technical", ("Technical",)),
        (None, ()),
        ([option.name for option in CATEGORIES], tuple(option.name for option in CATEGORIES[1 : MOST + 1])),
    ],
)
def test_what_is_usable_is_kept_and_the_rest_left_out(given: Any, expected: tuple[str, ...]) -> None:
    assert further(given) == (expected, False)


def test_an_answer_without_the_key_still_counts() -> None:
    parsed = parse(Reply(content=json.dumps(LABEL)), WITH)
    assert (parsed.answer.category, parsed.answer.further_categories) == ("Billing", ())


def test_the_key_is_ignored_where_it_was_not_asked_for() -> None:
    parsed = parse(Reply(content=json.dumps(LABEL | {"further_categories": ["Technical"]})), WITHOUT)
    assert parsed.answer.further_categories == ()


@pytest.mark.parametrize("contract", [WITH, BOTH])
@pytest.mark.parametrize("end", ['["Techni', "[", '["Technical"], "attributes": {"urg'])
def test_a_reply_cut_off_in_them_keeps_its_label(contract: Any, end: str) -> None:
    content = json.dumps(LABEL)[:-1] + f', "further_categories": {end}'
    parsed = parse(Reply(content=content, cut_off=True), contract)
    assert (parsed.answer.category, parsed.answer.further_categories) == ("Billing", ())
    assert parsed.repaired
