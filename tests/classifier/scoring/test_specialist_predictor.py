"""The specialist predictor with the real encoder, trained and untrained."""

from functools import lru_cache

import numpy as np
import pytest

from classifier.contract import prompt
from classifier.contract.types import Answer, Contract, Option, Question
from classifier.embeddings import encoders
from classifier.embeddings.encoder_set import EncoderSet
from classifier.embeddings.sources import MINILM, PACKAGED
from classifier.inference.backends import specialist_predictor
from classifier.inference.backends.embedded import EmbeddedClassifier, LoadedVersion
from classifier.learning.examples import Examples
from classifier.learning.heads import Head
from classifier.learning.prototypes import label_texts, offered_labels, prototype
from classifier.learning.training import learn
from classifier.learning.vector_space import centred, unit
from classifier.learning.weights import SpecialistWeights

pytestmark = pytest.mark.once

CATEGORIES = [
    Option(name="Billing", description="Charges, refunds and invoices.", keys=(1,)),
    Option(name="Technical", description="Errors, outages and bugs.", keys=(2,)),
    Option(name="Account", description="Passwords, users and access.", keys=(3, 30)),
]
SENTIMENTS = [
    Option(name="Positive", description="Happy.", keys=(1,)),
    Option(name="Negative", description="Angry.", keys=(2,)),
]
CONTRACT = prompt.contract_for(CATEGORIES, SENTIMENTS)
TEXTS = {
    "Billing": "You charged my card twice for the same invoice, please refund one of them",
    "Technical": "The server crashes with an exception when I upload a file",
    "Account": "I cannot log in, my password is not accepted",
}
SUBJECTS = [
    ["invoice", "refund", "charge", "receipt", "payment", "price", "card", "tax"],
    ["crash", "error", "bug", "slow page", "outage", "webhook", "timeout", "broken screen"],
    ["password", "login", "user", "profile", "role", "access", "permission", "owner"],
]


@lru_cache(maxsize=1)
def learned() -> SpecialistWeights:
    """Trained on categories only, with eight texts each."""
    texts = [f"Hello, a question about the {subject} again" for subjects in SUBJECTS for subject in subjects]
    labels, read = np.repeat([1, 2, 3], 8), EncoderSet(PACKAGED)
    examples = Examples(
        keys=np.arange(1, 25),
        texts=texts,
        embeddings=read.encode(texts),
        labels=labels,
        groups=np.arange(1, 25),
        random_sample=np.zeros(24, bool),
        weights=np.ones(24, np.float32),
    )
    offered = offered_labels(CATEGORIES, read.encode_labels)
    trial = learn(examples, offered)
    assert trial
    return SpecialistWeights(category=trial.head, sentiment=Head.untrained(), novelty_thresholds={})


@lru_cache(maxsize=2)
def frozen(*, taught: bool) -> specialist_predictor.SpecialistPredictor:
    return specialist_predictor.SpecialistPredictor(PACKAGED, learned() if taught else SpecialistWeights.untrained())


def asked(
    *texts: str, taught: bool = False, contract: Contract = CONTRACT
) -> specialist_predictor.SpecialistPredictions:
    return frozen(taught=taught).predict(texts, contract)


def test_the_predictor_separates_categories_and_sentiments() -> None:
    predicted = asked(*TEXTS.values())
    assert [CATEGORIES[place].name for place in predicted.category.combined.argmax(axis=1)] == list(TEXTS)
    moods = asked("I am so happy, thank you, this is great!", "This is a disgrace and makes me furious.")
    assert [SENTIMENTS[place].name for place in moods.sentiment.combined.argmax(axis=1)] == ["Positive", "Negative"]


@pytest.mark.parametrize("taught", [False, True])
def test_probabilities_of_a_text_sum_to_one(taught: bool) -> None:
    predicted = asked(*TEXTS.values(), "?", taught=taught)
    assert predicted.category.combined.shape == (4, 3)
    assert predicted.sentiment.combined.shape == (4, 2)
    assert predicted.closeness.shape == (4,)
    assert len(predicted.foreign) == 4
    for shares in (predicted.category.combined, predicted.sentiment.combined):
        assert ((shares >= 0) & (shares <= 1)).all()
        assert shares.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_words_only_probabilities_exist_once_words_were_learned() -> None:
    assert asked(*TEXTS.values()).category.words_only is None
    predicted = asked("the refund and the receipt", "the webhook and the outage", "no word of it", taught=True)
    assert predicted.sentiment.words_only is None
    assert predicted.category.words_only is not None
    assert predicted.category.words_only.shape == (3, 3)
    assert predicted.category.words_only.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert predicted.category.words_only.argmax(axis=1).tolist()[:2] == [0, 1]
    assert not np.allclose(predicted.category.words_only, predicted.category.combined)


@pytest.mark.parametrize("taught", [False, True])
def test_the_predictor_agrees_with_the_embedded_model_of_its_version(taught: bool) -> None:
    version = LoadedVersion(version=1, learned=learned(), examples=lambda: None) if taught else LoadedVersion.nothing()
    texts = [*TEXTS.values(), "the <b>invoice</b> https://example.org/password", "what is this"]
    groups = EmbeddedClassifier(loaded=version).answers(map(Question, texts), CONTRACT, ahead=64)
    answers = [result for group in groups for _place, result in group if isinstance(result, Answer)]
    predicted = asked(*texts, taught=taught)
    categories = [CATEGORIES[place].name for place in predicted.category.combined.argmax(axis=1)]
    assert categories == [answer.category for answer in answers]
    sentiments = [SENTIMENTS[place].name for place in predicted.sentiment.combined.argmax(axis=1)]
    assert sentiments == [answer.sentiment for answer in answers]


def test_predictions_do_not_depend_on_other_texts() -> None:
    texts = [*TEXTS.values(), "refund " * 300]
    together, alone = asked(*texts, taught=True), [asked(text, taught=True) for text in texts]
    assert together.category.combined == pytest.approx(
        np.vstack([prediction.category.combined for prediction in alone]), abs=0.05
    )
    assert together.closeness == pytest.approx(np.concatenate([prediction.closeness for prediction in alone]), abs=0.02)


def test_closeness_is_measured_to_the_nearest_category() -> None:
    described, near, far = asked(label_texts(CATEGORIES[1])[0], TEXTS["Technical"], "Lovely weather at sea").closeness
    assert described == pytest.approx(1, abs=0.01)
    assert described > near > far > -1
    fewer = prompt.contract_for([CATEGORIES[0], CATEGORIES[2]], SENTIMENTS)
    assert asked(label_texts(CATEGORIES[1])[0], contract=fewer).closeness[0] < 0.9


def test_closeness_uses_the_trained_centre() -> None:
    """All messages have something in common, which the centre removes."""
    text, read, family = "Lovely weather at sea", encoders.load(MINILM), learned().category.families[MINILM.name]
    known = np.stack([prototype(read.encode(label_texts(option))) for option in CATEGORIES])
    known = unit(centred(known, family.centre) + family.sums)
    closest = (centred(read.encode([text]), family.centre) @ known.T).max()
    assert asked(text, taught=True).closeness[0] == pytest.approx(closest, abs=1e-4)
    assert np.abs(family.centre).max() > 0.01


GREEK = "Η χρέωση στην κάρτα μου είναι λάθος και θέλω επιστροφή χρημάτων"


def test_languages_that_no_encoder_knows_are_detected() -> None:
    predicted = asked(
        TEXTS["Billing"],
        "Ich habe meine Rechnung doppelt bezahlt und möchte das Geld zurückerstattet bekommen",
        GREEK,
    )
    assert predicted.foreign == [False, False, True]


def test_markup_is_in_no_language() -> None:
    markup = '<div class="message body with a long name"><span title="from here to there">' * 4
    predicted = asked(markup + GREEK)
    assert predicted.foreign == [True]


@pytest.mark.parametrize("text", ["", " ", "?", "😡", "x" * 200_000, "<b></b>", "a\x01b"])
def test_every_text_gets_a_prediction(text: str) -> None:
    predicted = asked(text, taught=True)
    assert np.isfinite(predicted.category.combined).all()
    assert predicted.category.words_only is not None
    assert np.isfinite(predicted.category.words_only).all()
    assert -1.001 <= predicted.closeness[0] <= 1.001


def test_labels_added_after_training_are_predicted_by_their_descriptions() -> None:
    later = [*CATEGORIES, Option(name="Delivery", description="Parcels, couriers and tracking.", keys=(4,))]
    predicted = asked(
        "Where is my parcel? The courier's tracking number does not work",
        taught=True,
        contract=prompt.contract_for(later, SENTIMENTS),
    )
    assert predicted.category.combined.shape == (1, 4)
    assert predicted.category.words_only is not None
    assert predicted.category.words_only.shape == (1, 4)
    assert asked("parcel", contract=prompt.contract_for(later, SENTIMENTS)).category.combined.argmax() == 3


def test_a_merged_label_counts_for_its_successor() -> None:
    merged = [CATEGORIES[1], Option(name="Office", description="Office.", keys=(9, 1, 3))]
    predicted = asked(
        "a question about the refund",
        "a question about the password",
        taught=True,
        contract=prompt.contract_for(merged, SENTIMENTS),
    )
    assert predicted.category.combined.shape == (2, 2)
    assert predicted.category.combined.argmax(axis=1).tolist() == [1, 1]
    assert predicted.category.combined.sum(axis=1) == pytest.approx(1, abs=1e-5)
