"""Masked providers receive no personal data, and stored answers contain the original."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.embeddings import vector_store
from classifier.inference.pseudonyms import Pseudonyms
from classifier.models import Failure, Prediction, Provider
from classifier.pipeline import runner
from classifier.privacy import masking
from tests.conftest import UseServer
from tests.factories import make_example, make_ticket
from tests.servers import OpenAIServer, Reply, Request, answer, say

TEXT = "I am jo@example.org, not al@example.org. Call +49 30 901820, or write to jo@example.org about [email 1]."


def test_personal_data_is_never_sent_but_is_restored_in_the_reasoning(primary: UseServer) -> None:
    def reply(request: Request) -> Reply:
        return answer(reasoning=f"It quotes: {request.ticket}")

    with OpenAIServer(reply) as server:
        language_model = primary(server, examples=3)
        Provider.objects.filter(pk=language_model.provider_id).update(mask=True)
        vector_store.embeddings_for(
            [make_example("My card 4111 1111 1111 1111 was charged, says eve@example.org").text]
        )
        make_ticket(TEXT)
        runner.classify_next_batch()
        (request,) = server.requests
    sent = json.dumps(request.body)
    assert not any(value in sent for value in ("@example", "901820", "4111"))
    assert request.ticket == ("I am [email 2], not [email 3]. Call [phone 1], or write to [email 2] about [email 1].")
    assert request.solved[0]["ticket"] == "My card [card] was charged, says [email]"
    assert Prediction.objects.get().reasoning == f"It quotes: {TEXT}"


def test_personal_data_is_restored_in_a_failed_reply(primary: UseServer) -> None:
    with OpenAIServer([say("No label for [Email 1] or [email 7]!")]) as server:
        language_model = primary(server)
        Provider.objects.filter(pk=language_model.provider_id).update(mask=True)
        make_ticket("Write to jo@example.org")
        runner.classify_next_batch()
    assert Failure.objects.get().reply == "No label for jo@example.org or [email 7]!"


def test_a_provider_without_masking_gets_the_original_text(primary: UseServer) -> None:
    with OpenAIServer() as server:
        primary(server)
        make_ticket(TEXT)
        runner.classify_next_batch()
    assert server.requests[0].ticket == TEXT


SCRAPS = st.sampled_from(
    ["a@b.example", "c@d.example", "+49 30 901820", "192.0.2.7", "::1", "[email 1]", "[phone 2]", "[EMAIL 3]", "[ip]"]
    + ["DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111", "fe80::1", "Hello", "€", "1", "\n", ", "]
)


@given(st.lists(SCRAPS, max_size=12).map(" ".join))
def test_masking_can_always_be_reversed(text: str) -> None:
    pseudonyms = Pseudonyms(text)
    assert pseudonyms.restore(pseudonyms.masked) == text
    assert masking.mask(pseudonyms.masked) == pseudonyms.masked
    assert masking.replace_personal_data(text, lambda kind, _value: f"[{kind}]") == masking.mask(text)


@pytest.mark.once
def test_a_long_text_takes_time_that_grows_with_it() -> None:
    def seconds_for(people: int) -> float:
        text = " ".join(f"u{number}@example.org, +49 30 9018{number:05}" for number in range(people))
        begun = time.process_time()
        pseudonyms = Pseudonyms(text)
        assert pseudonyms.restore(pseudonyms.masked) == text
        return time.process_time() - begun

    # Ten times the text: quadratic time would be a hundred times as much.
    assert seconds_for(2_000) < 40 * max(min(seconds_for(200), seconds_for(200)), 0.001)
