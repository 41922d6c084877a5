"""The embedded model as it ships: the real encoder on the CPU."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.contract import prompt
from classifier.contract.types import Answer, ClassifierError, Contract, Option, Question
from classifier.embeddings import encoders
from classifier.embeddings.readable import readable
from classifier.embeddings.sources import MINILM, USE, CorruptEncoder, EncoderSource
from classifier.inference import registry
from classifier.inference.backends import explanations
from classifier.inference.backends.embedded import EmbeddedClassifier
from classifier.models import LanguageModel
from classifier.text import storable

pytestmark = pytest.mark.once


def contract(*categories: str) -> Contract:
    described = {"Billing": "Charges, refunds and invoices.", "Technical": "Errors, outages and bugs."}
    sentiments = [Option(name="Positive", description="Happy."), Option(name="Negative", description="Angry.")]
    return prompt.contract_for(
        [Option(name=name, description=described.get(name, "")) for name in categories], sentiments
    )


def answers_of(texts: list[str], terms: Contract) -> list[Answer]:
    groups = EmbeddedClassifier().answers(map(Question, texts), terms, ahead=64)
    results = [result for group in groups for _place, result in group]
    assert not any(isinstance(result, ClassifierError) for result in results)
    return results  # type: ignore[return-value]


def test_the_embedded_model_labels_by_meaning_and_names_decisive_words() -> None:
    (answer,) = answers_of(
        ["The server crashes with an exception when I upload a file"], contract("Billing", "Technical")
    )
    assert answer.category == "Technical"
    assert 0 < answer.confidence < 1
    assert any(word in answer.reasoning for word in ("crashes", "server", "exception"))


def test_sentiments_are_told_without_a_label() -> None:
    usual = [Option(name=name) for name in ("Positive", "Neutral", "Negative")]
    terms = prompt.contract_for([Option(name="General")], usual)
    praise = answers_of(["Love the new dark mode, but can you add keyboard shortcuts?"], terms)
    others = answers_of(["Which plans include the API?", "My login stopped working after the weekend deploy."], terms)
    assert praise[0].sentiment == "Positive"
    assert [answer.sentiment for answer in others] == ["Neutral", "Negative"]


def test_answers_come_in_order_whatever_the_lengths() -> None:
    texts = ["refund " * length for length in (300, 1, 40, 2, 100)] + ["the app crashed"] * 80
    together = answers_of(texts, contract("Billing", "Technical"))
    alone = [answers_of([text], contract("Billing", "Technical"))[0] for text in texts[:6]]
    assert [answer.category for answer in together[:6]] == [answer.category for answer in alone]
    assert np.allclose([a.confidence for a in together[:6]], [a.confidence for a in alone], atol=0.05)


@pytest.mark.parametrize("text", ["", " ", "?", "😡", "a\x00b\ud800", "x" * 1_000_000, "<b></b>", "مرحبا بالعالم"])
def test_the_embedded_model_answers_any_text(text: str) -> None:
    (answer,) = answers_of([storable(text)], contract("Billing", "Technical"))
    assert 0 <= answer.confidence <= 1
    assert answer.usage.shortened is (len(text) > 1_400)


def test_a_taxonomy_with_one_label_or_five_hundred() -> None:
    assert answers_of(["hello"], contract("Billing"))[0].category == "Billing"
    assert answers_of(["hello"], contract(*(f"label {number}" for number in range(500))))[0].confidence < 0.2


def test_the_end_of_a_long_text_is_read_too() -> None:
    text = readable("a " * 5_000 + "the last word")
    assert text.endswith("the last word")
    assert len(text) <= 1_410


def test_markup_addresses_and_handles_are_not_read() -> None:
    assert (
        readable("<p>Hi @harbor see https://example.org/x?y=1</p> mail kim@example.org")
        == "Hi see mail kim@example.org"
    )


@pytest.mark.parametrize(("source", "width"), [(MINILM, 384), (USE, 512)])
def test_vectors_have_length_one(source: EncoderSource, width: int) -> None:
    encoder = encoders.load(source)
    vectors = encoder.encode(["one", "two words", "three of them", "one"])
    assert encoder.name == source.name
    assert encoder.encode([]).shape == (0, width)
    assert vectors.shape == (4, width)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_threads_that_start_together_share_one_encoder() -> None:
    encoders._load.cache_clear()
    together = threading.Barrier(2)

    def load(_thread: int) -> encoders.Encoder:
        together.wait()
        return encoders.load(MINILM)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(load, range(2))
    assert first is second


@pytest.mark.django_db
def test_a_text_means_the_same_in_two_languages() -> None:
    texts = ["I want my money back", "Ich will mein Geld zurück", "我想退款", "The server is down"]
    english, *others, unlike = encoders.load(USE).encode(texts)
    assert min(float(english @ other) for other in others) > float(english @ unlike) + 0.2


@pytest.mark.django_db
@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_missing_or_corrupt_encoder_leaves_the_texts_to_the_other(
    content: bytes | None, tmp_path: Path, settings: Any, catalogue: None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "model.onnx"
    if content:
        file.write_bytes(content)
    settings.ENCODER_FILE = str(file)
    classifier = registry.classifier_for(LanguageModel.objects.zero_shot())
    groups = classifier.answers([Question("The server crashes")], contract("Billing", "Technical"), ahead=1)
    ((_place, answer),) = next(iter(groups))
    assert isinstance(answer, Answer)
    assert answer.category == "Technical"
    assert str(file) in caplog.text


def test_without_any_encoder_there_is_no_model() -> None:
    nowhere = replace(MINILM, model_file="/nothing/here.onnx")
    with pytest.raises(CorruptEncoder, match="/nothing/here.onnx"):
        EmbeddedClassifier([nowhere])


GERMAN = "Meine Rechnung ist falsch, ich wurde zweimal belastet und möchte eine Rückerstattung"


@pytest.mark.parametrize("text", [GERMAN, "请把重复收取的费用退还给我", "二重に請求されたので返金してください"])
def test_texts_in_other_languages_are_answered_without_labels(text: str) -> None:
    (answer,) = answers_of([text], contract("Billing", "Technical"))
    assert answer.category == "Billing"
    assert answer.confidence > 0.3
    assert "language" not in answer.reasoning
    assert answer.evidence
    begin, end = answer.evidence.word_spans[0]
    assert text[begin:end].lower() in answer.reasoning


def test_a_language_that_nothing_reads_is_named_in_the_reasoning() -> None:
    (answer,) = answers_of(
        ["Η χρέωση στην κάρτα μου είναι λάθος και θέλω επιστροφή χρημάτων"], contract("Billing", "Other")
    )
    assert answer.reasoning.startswith("Not in a language")
    assert answer.confidence <= 0.2


@pytest.mark.django_db
def test_threads_that_start_together_share_one_model(catalogue: None) -> None:
    registry._embedded.cache_clear()
    language_model = LanguageModel.objects.zero_shot()
    with ThreadPoolExecutor(4) as threads:
        built = list(threads.map(registry.classifier_for, [language_model] * 4))
    assert len(set(map(id, built))) == 1


def test_decisive_words_exclude_punctuation() -> None:
    text = "-----Refund----- my double-charge, isn't it 'refund'?"
    spans = explanations.spans(text, ["refund", "double-charge", "isn't"])
    assert [text[begin:end] for begin, end in spans] == ["Refund", "double-charge", "isn't", "refund"]
