"""The tests' model server behaves like real ones, as the SDK sees it."""

import json
import signal
import subprocess
import sys

import openai
import pytest

from tests.servers import (
    CUT,
    HANG,
    Faults,
    OpenAIServer,
    answer,
    error,
    html,
    raw,
    without_json_schema,
    without_logprobs,
)

pytestmark = pytest.mark.once

MESSAGES = [{"role": "user", "content": 'The ticket, as a JSON string:\n"hello"'}]


def ask(server: OpenAIServer, **parameters: object) -> object:
    with openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=1) as client:
        return client.chat.completions.create(model="m", messages=MESSAGES, **parameters)  # type: ignore[call-overload]


def test_the_model_server_follows_the_protocol() -> None:
    with OpenAIServer([answer("Billing")]) as server:
        completion = ask(server, response_format={"type": "json_object"})
    assert json.loads(completion.choices[0].message.content)["category"] == "Billing"  # type: ignore[attr-defined]
    assert server.requests[0].ticket == "hello"
    assert server.requests[0].headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (error(429, retry_after="1"), openai.RateLimitError),
        (error(500), openai.InternalServerError),
        (CUT, openai.APIConnectionError),
        (HANG, openai.APITimeoutError),
        (raw(b'{"choices": ['), ValueError),
    ],
)
def test_clients_see_the_faults_of_the_model_server(reply: object, seen: type[Exception]) -> None:
    with OpenAIServer([reply]) as server, pytest.raises(seen):  # type: ignore[list-item]
        ask(server)


def test_an_html_page_reaches_the_client_as_text() -> None:
    with OpenAIServer([html()]) as server:
        assert isinstance(ask(server), str)


def test_the_model_server_can_refuse_schemas_and_wrong_keys() -> None:
    with OpenAIServer([answer()], required_key="other") as server, pytest.raises(openai.AuthenticationError):
        ask(server)
    with OpenAIServer(without_json_schema(lambda _request: answer())) as server:
        with pytest.raises(openai.BadRequestError):
            ask(server, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}})
        ask(server)


def test_the_model_server_returns_log_probabilities_on_request() -> None:
    with OpenAIServer([answer()]) as server:
        without, with_logprobs = ask(server), ask(server, logprobs=True)
    assert without.choices[0].logprobs is None  # type: ignore[attr-defined]
    [choice] = with_logprobs.choices  # type: ignore[attr-defined]
    assert "".join(token.token for token in choice.logprobs.content) == choice.message.content


def test_the_model_server_can_refuse_log_probabilities() -> None:
    with OpenAIServer(without_logprobs(lambda _request: answer())) as server:
        with pytest.raises(openai.BadRequestError, match="logprobs"):
            ask(server, logprobs=True)
        ask(server)


def test_faults_are_the_same_for_the_same_seed() -> None:
    def outcomes() -> list[str]:
        faults = Faults(lambda _request: answer(), rate_limit=0.3, cut=0.2, seed=5)
        return [faults(None).kind for _number in range(50)]  # type: ignore[arg-type]

    assert outcomes() == outcomes()
    assert set(outcomes()) == {"completion", "error", "cut"}


def test_the_model_server_process_prints_its_url_and_its_counts() -> None:
    process = subprocess.Popen([sys.executable, "-m", "tests.servers"], stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout
    url = process.stdout.readline().strip()
    with openai.OpenAI(base_url=url, api_key="k") as client:
        client.chat.completions.create(model="m", messages=MESSAGES)  # type: ignore[arg-type]
    process.send_signal(signal.SIGTERM)
    assert json.loads(process.communicate(timeout=10)[0])["requests"] == 1
