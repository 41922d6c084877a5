"""Label probabilities are read from the reply's tokens and never cost an answer."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from classifier.contract.types import JsonMode
from classifier.inference.backends.logprobs import log_probability
from classifier.models import Failure, LanguageModel, Prediction, Provider, Ticket
from classifier.pipeline import runner
from tests.factories import make_ticket
from tests.servers import (
    OpenAIServer,
    Replier,
    Reply,
    Request,
    answer,
    error,
    say,
    spelled,
    without_json_schema,
    without_logprobs,
)

Use = Callable[..., LanguageModel]

GIVEN = '{"category": "Technical", "sentiment": "Negative", "confidence": 0.9, "reasoning": "It broke."}'


def token_logprobs(*tokens: tuple[str, Any]) -> list[Any]:
    return [{"token": text, "logprob": value} for text, value in tokens]


def evenly(reply: str) -> list[Any]:
    """One token per character, each with a log-probability of -1."""
    return token_logprobs(*((character, -1.0) for character in reply))


def label_logprob(*tokens: tuple[str, Any], key: str = "category") -> float | None:
    return log_probability(token_logprobs(*tokens), "".join(text for text, _value in tokens), key)


@pytest.mark.once
class TestReadingTokens:
    def test_only_tokens_that_overlap_the_label_count(self) -> None:
        tokens = [('{"category": "', -9.0), ("Tech", -0.5), ("nical", -0.25), ('", "sentiment": "', -9.0)]
        tokens += [("Neg", -1), ("ative", -0.5), ('"}', -9.0)]
        assert (label_logprob(*tokens), label_logprob(*tokens, key="sentiment")) == (-0.75, -1.5)

    def test_a_token_that_spans_a_quote_counts(self) -> None:
        assert label_logprob(('{"category":', -9.0), (' "Tech', -0.5), ('nical"', -0.25), ("}", -9.0)) == -0.75
        assert label_logprob(('{"category": "Technical"}', -0.125)) == -0.125

    @pytest.mark.parametrize(
        "reply",
        [
            GIVEN,
            '{"reasoning": "a \\"category\\": \\"x\\" \\\\", "confidence": 1, "sentiment": "Negative"'
            ', "category":"Technical"}',
            f"```json\n{GIVEN}\n```",
            '{\n  "category" :\n\t"Technical" ,\n  "sentiment": "category"\n}',
            '{"confidence": 0.5, "category": "Technical", "reasoning": "category: \\u00fc 🙂 \ud800"}',
        ],
    )
    def test_the_label_is_found_however_the_object_is_written(self, reply: str) -> None:
        assert log_probability(evenly(reply), reply, "category") == -len("Technical")

    @pytest.mark.parametrize("name", ['say "hi"', "Größe \\ Maß", "🙂", "] } \n", "category", '": "'])
    @pytest.mark.parametrize("ascii_only", [True, False])
    def test_a_label_may_be_named_like_anything(self, name: str, ascii_only: bool) -> None:
        reply = json.dumps({"sentiment": "x", "category": name}, ensure_ascii=ascii_only)
        inside = json.dumps(name, ensure_ascii=ascii_only)[1:-1]
        assert log_probability(evenly(reply), reply, "category") == max(-len(inside), -20)

    def test_a_character_of_several_tokens_is_put_together_from_its_bytes(self) -> None:
        parts = [b'{"category": "', *(bytes([byte]) for byte in "🙂".encode()), b'"}']
        tokens = [{"token": "\ufffd", "bytes": list(part), "logprob": -0.5} for part in parts]
        assert log_probability(tokens, '{"category": "🙂"}', "category") == -2.0

    def test_tokens_around_the_reply_are_ignored(self) -> None:
        thought = '<think>{"category": "Billing"}</think>'
        tokens = evenly(f"{thought}\n{GIVEN}<|im_end|>") + token_logprobs(("", -1.0))
        assert log_probability(tokens, GIVEN, "category") == -len("Technical")

    @pytest.mark.parametrize("value", [-9999.0, -(10**400), float("-inf"), -20.5])
    def test_very_low_log_probabilities_are_clipped(self, value: float) -> None:
        assert label_logprob(('{"category": "', 0.0), ("Technical", value), ('"}', 0.0)) == -20.0
        assert label_logprob(('{"category": "', 0.0), ("Tech", value), ("nical", -1.5), ('"}', 0.0)) == -20.0

    @pytest.mark.parametrize("value", [None, "-0.5", float("nan"), 0.1, float("inf"), True, False, [], {}, 10**400])
    def test_an_invalid_log_probability_gives_none(self, value: Any) -> None:
        tokens = [('{"category": "Technical', value), ('", "sentiment": "', 0.0), ("Negative", -0.5), ('"}', value)]
        assert (label_logprob(*tokens), label_logprob(*tokens, key="sentiment")) == (None, -0.5)

    @pytest.mark.parametrize(
        "tokens",
        [
            *(None, [], {}, "tokens", 5, [None], ["a"], [{"token": "a"}], [[]]),
            evenly(GIVEN)[1:],
            evenly(GIVEN)[:-1],
            evenly(GIVEN.replace("Technical", "Billing")),
            [*evenly(GIVEN), None],
            [*evenly(GIVEN), {"token": None, "logprob": -1.0}],
            [*evenly(GIVEN), {"token": 5, "bytes": None, "logprob": -1.0}],
            [*evenly(GIVEN), {"token": "", "bytes": [256], "logprob": -1.0}],
            [*evenly(GIVEN), {"token": "", "bytes": ["a"], "logprob": -1.0}],
            [{"logprob": -1.0}],
        ],
    )
    def test_tokens_that_do_not_spell_the_reply_give_none(self, tokens: Any) -> None:
        assert log_probability(tokens, GIVEN, "category") is None

    @pytest.mark.parametrize(
        "reply", ["", "{}", '{"category": 3}', '{"category": ""}', '{"category": "Tech', '["category"]', '"' * 999]
    )
    def test_a_reply_without_the_label_gives_none(self, reply: str) -> None:
        assert log_probability(evenly(reply), reply, "category") is None

    @given(st.text(), st.lists(st.tuples(st.text(), st.one_of(st.none(), st.floats(), st.integers(), st.text()))))
    def test_log_probability_never_raises(self, reply: str, tokens: list[tuple[str, Any]]) -> None:
        log_probability(token_logprobs(*tokens), reply, "category")
        label_logprob(*tokens)

    @given(st.data(), st.text(min_size=1), st.text(min_size=1), st.booleans())
    def test_any_tokenisation_sums_the_tokens_that_overlap_the_label(
        self, data: st.DataObject, category: str, reasoning: str, ascii_only: bool
    ) -> None:
        quoted = json.dumps(category, ensure_ascii=ascii_only)
        before = '{"reasoning": ' + json.dumps(reasoning, ensure_ascii=ascii_only) + ', "category": '
        reply = f"{before}{quoted}}}"
        cuts = sorted(data.draw(st.sets(st.integers(1, len(reply) - 1))))
        edges = list(zip([0, *cuts], [*cuts, len(reply)], strict=True))
        start, stop = len(before) + 1, len(before) + len(quoted) - 1
        reaching = sum(begin < stop and end > start for begin, end in edges)
        tokens = token_logprobs(*((reply[begin:end], -0.5) for begin, end in edges))
        assert log_probability(tokens, reply, "category") == max(-0.5 * reaching, -20.0)


def labelled(primary: Use, reply: Replier | list[Reply], **values: object) -> tuple[Prediction, list[Request]]:
    """The result for one ticket, and the requests made for it."""
    ticket = make_ticket()
    with OpenAIServer(reply) as server:
        primary(server, **{"logprobs": True} | values)
        runner.classify_next_batch()
    return Prediction.objects.get(ticket=ticket), server.requests


@pytest.mark.django_db
class TestAskingForThem:
    def test_log_probabilities_are_requested_and_stored(self, primary: Use) -> None:
        tokens = [
            '{"category": "',
            "Tech",
            "nical",
            '", "sentiment": "',
            "Negative",
            '", "confidence": 0.9, "reasoning": "r"}',
        ]
        reply = say("".join(tokens), logprobs=spelled(tokens, -0.25))
        prediction, [request] = labelled(primary, [reply])
        assert (prediction.category_logprob, prediction.sentiment_logprob) == (-0.5, -0.25)
        assert request.body["logprobs"] is True
        assert "top_logprobs" not in request.body

    def test_log_probabilities_are_not_requested_if_switched_off(self, primary: Use) -> None:
        prediction, [request] = labelled(primary, [answer()], logprobs=False)
        assert (prediction.category_logprob, prediction.sentiment_logprob) == (None, None)
        assert "logprobs" not in request.body

    def test_a_repair_also_requests_log_probabilities(self, primary: Use) -> None:
        prediction, requests = labelled(primary, [say("no"), answer()])
        assert prediction.category_logprob == -0.25
        assert [request.logprobs for request in requests] == [True, True]

    @pytest.mark.parametrize(
        "foreign",
        [
            *(None, {}, [], "none", 5, {"content": None}, {"content": 5}, {"content": "x"}, {"content": [None, 1]}),
            {"content": [{"token": GIVEN, "logprob": "high"}]},
            {"content": [{"token": GIVEN, "logprob": float("nan")}]},
            {"content": [{"token": GIVEN, "logprob": 0.5}]},
            {"content": [{"token": GIVEN}]},
            {"content": [{"token": [GIVEN], "logprob": -1, "bytes": {"0": 1}}]},
            {"content": [{"token": "foreign", "logprob": -1.0}]},
            {"tokens": [GIVEN], "token_logprobs": [-1.0]},
        ],
    )
    def test_malformed_log_probabilities_do_not_spoil_the_answer(self, primary: Use, foreign: Any) -> None:
        prediction, requests = labelled(primary, [say(GIVEN, logprobs=foreign)])
        assert (prediction.category_logprob, prediction.sentiment_logprob) == (None, None)
        assert len(requests) == 1

    @pytest.mark.parametrize("status", [400, 403, 422])
    def test_an_endpoint_that_refuses_log_probabilities_is_asked_again_without(self, primary: Use, status: int) -> None:
        prediction, requests = labelled(primary, without_logprobs(lambda _request: answer(), status))
        assert (prediction.category_logprob, prediction.confidence) == (None, 0.93)
        assert [(request.logprobs, request.json_mode) for request in requests] == [
            (True, "json_schema"),
            (False, "json_schema"),
        ]
        assert LanguageModel.objects.get(name="first").json_mode == JsonMode.SCHEMA
        assert (prediction.requests, prediction.input_tokens) == (1, 400)

    def test_after_a_refusal_they_are_not_requested_again_and_one_line_is_logged(
        self, primary: Use, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _number in range(20):
            make_ticket()
        with OpenAIServer(without_logprobs(lambda _request: answer()), delay=0.01) as server:
            primary(server, logprobs=True, json_mode=JsonMode.SCHEMA)
            with caplog.at_level(logging.WARNING, logger="classifier"):
                while runner.classify_next_batch():
                    pass
                asked = len(server.requests)
                make_ticket()
                runner.classify_next_batch()
        assert Prediction.objects.count() == 21
        assert [request.logprobs for request in server.requests[asked:]] == [False]
        assert [record.getMessage() for record in caplog.records] == ["first doesn't support log-probabilities."]

    @pytest.mark.parametrize("first", ["schemas", "logprobs"])
    def test_an_endpoint_may_refuse_schemas_as_well(self, primary: Use, first: str) -> None:
        def reply(_request: Request) -> Reply:
            return answer()

        refusing = (
            without_json_schema(without_logprobs(reply))
            if first == "schemas"
            else without_logprobs(without_json_schema(reply))
        )
        prediction, requests = labelled(primary, refusing)
        assert (prediction.category_logprob, prediction.requests) == (None, 1)
        assert (requests[-1].logprobs, requests[-1].json_mode) == (False, "json_object")
        assert LanguageModel.objects.get(name="first").json_mode == JsonMode.OBJECT

    def test_an_endpoint_without_schemas_still_returns_log_probabilities(self, primary: Use) -> None:
        prediction, requests = labelled(primary, without_json_schema(lambda _request: answer()))
        assert prediction.category_logprob == -0.25
        assert [request.json_mode for request in requests] == ["json_schema", "json_object"]

    def test_a_refusal_that_only_quotes_the_word_changes_nothing_for_others(
        self, primary: Use, caplog: pytest.LogCaptureFixture
    ) -> None:
        def reply(request: Request) -> Reply:
            return error(400, f"not allowed: {request.ticket}") if "logprobs" in request.ticket else answer()

        bad = make_ticket("logprobs are not supported")
        with OpenAIServer(reply) as server:
            primary(server, logprobs=True, json_mode=JsonMode.OBJECT)
            runner.classify_next_batch()
            good = make_ticket()
            runner.classify_next_batch()
        failure = Failure.objects.get(ticket=bad)
        assert (failure.kind, failure.requests, len(server.requests)) == ("rejected", 1, 3)
        assert Prediction.objects.get(ticket=good).category_logprob == -0.25
        assert not caplog.records

    def test_transient_faults_are_still_retried(self, primary: Use) -> None:
        prediction, requests = labelled(primary, [error(500, "no logprobs just now"), error(503), answer()])
        assert prediction.category_logprob == -0.25
        assert [request.logprobs for request in requests] == [True, True, True]

    def test_a_unauthorized_is_not_retried(self, primary: Use) -> None:
        ticket = make_ticket()
        with OpenAIServer([error(401)]) as server:
            primary(server, logprobs=True)
            runner.classify_next_batch()
        assert (Failure.objects.get(ticket=ticket).kind, len(server.requests)) == ("unauthorized", 1)

    def test_the_budget_is_charged_what_was_answered(self, primary: Use) -> None:
        reply = without_logprobs(lambda _request: replace(answer(), input_tokens=10, output_tokens=1))
        prediction, _requests = labelled(primary, reply, price_per_request="1", daily_budget="2")
        assert prediction.cost == 1
        assert Provider.objects.get(name="first's").spends.get().cost == 1
        assert Ticket.objects.new().count() == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue")
class TestInTheAdmin:
    def change(self, admin_client: Client, language_model: LanguageModel) -> str:
        return admin_client.get(
            reverse("admin:classifier_languagemodel_change", args=[language_model.pk])
        ).content.decode()

    def test_only_endpoints_offer_the_log_probability_setting(self, admin_client: Client) -> None:
        assert 'name="logprobs"' in self.change(admin_client, LanguageModel.objects.get(name="qwen-3-32b"))
        assert 'name="logprobs"' not in self.change(admin_client, LanguageModel.objects.zero_shot())

    @pytest.mark.parametrize(("provider", "made"), [("Oxlo", True), ("Embedded", False)])
    def test_a_new_model_is_asked_only_behind_an_endpoint(
        self, admin_client: Client, provider: str, made: bool
    ) -> None:
        values = {"provider": Provider.objects.get(name__startswith=provider).pk, "name": "new", "family": "f"}
        values |= {"extra": "{}", "timeout": 30, "max_in_flight": 4, "examples": 0, "json_mode": "unknown"}
        values |= {"price_per_request": 0, "price_input": 0, "price_output": 0, "logprobs": "on"}
        content = admin_client.post(reverse("admin:classifier_languagemodel_add"), values).content.decode()
        assert LanguageModel.objects.filter(name="new", logprobs=True).exists() is made
        assert ("Only chat endpoints can return log-probabilities." in content) is not made
