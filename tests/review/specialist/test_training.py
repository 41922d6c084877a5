"""The specialist learns from the training side, is promoted where it is better, and can be sent back."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from classifier.contract.types import Answer, ClassifierError, FailureKind
from classifier.embeddings import vector_store
from classifier.embeddings.sources import encoder_sources
from classifier.inference import ask_models, registry, specialist_deployment
from classifier.learning.comparison import Comparison
from classifier.leases import leases
from classifier.models import (
    Category,
    ContractVersion,
    Epoch,
    Example,
    Gate,
    LanguageModel,
    Lease,
    Scorer,
    SpecialistVersion,
    Ticket,
    Vector,
)
from classifier.models.specialist import text_digest
from classifier.pipeline import runner
from classifier.taxonomy import label_changes
from review.models import GoldLabel, LabelIssue, ReviewSettings, Side
from review.specialist import published_examples, training, training_data
from tests.factories import make_ticket
from tests.review.specialist import teaching
from tests.stalling import is_untouched, overtake

pytestmark = pytest.mark.usefixtures("catalogue")

EVENLY = {"Billing": 14, "Technical": 14, "Account": 14}


def ask(text: str, name: str = "specialist") -> Answer | ClassifierError:
    language_model = LanguageModel.objects.get(name=name)
    return ask_models.ask(text, language_model, ContractVersion.objects.current())


def answered(text: str, name: str = "specialist") -> Answer:
    answer = ask(text, name)
    assert isinstance(answer, Answer)
    return answer


def train_until_promoted() -> SpecialistVersion:
    teaching.place(EVENLY)
    result = training.train()
    assert result.deployed, result.comparisons
    assert result.version
    return result.version


def test_the_specialist_learns_from_training_labels_only() -> None:
    teaching.place(EVENLY)
    held_out = teaching.place({"Billing": 8}, side=Side.BENCHMARK, start=100)
    version = training.train().version
    assert version
    usable = GoldLabel.objects.usable()
    assert version.labels == Example.objects.count() == usable.on_side(Side.TRAINING).count()
    benchmark = usable.on_side(Side.BENCHMARK)
    assert not Example.objects.filter(digest__in=benchmark.values("digest")).exists()
    assert 0 < version.figures["benchmark"]["items"] == benchmark.count() <= len(held_out)


def test_a_history_of_categories_alone_teaches_categories() -> None:
    teaching.place(EVENLY)
    GoldLabel.objects.update(sentiment=None)
    result = training.train()
    assert result.comparisons["category"].wins
    assert not result.comparisons["sentiment"].wins
    assert answered("My invoice shows a charge that I have a receipt for").category == "Billing"


def test_a_better_version_is_deployed() -> None:
    version = train_until_promoted()
    assert SpecialistVersion.objects.live_pk() == version.pk
    answer = answered(teaching.message("Technical", "Negative", 77))
    assert (answer.category, answer.sentiment) == ("Technical", "Negative")
    assert answer.version == version.pk


def test_a_version_that_is_no_better_is_not_deployed() -> None:
    serving = train_until_promoted()
    result = training.train()
    assert not result.promoted
    assert SpecialistVersion.objects.live_pk() == serving.pk
    assert SpecialistVersion.objects.count() == 2


def test_weights_that_were_not_promoted_are_kept_until_the_next_training() -> None:
    first = train_until_promoted()
    training.train()
    third = training.train().version
    assert set(SpecialistVersion.objects.usable()) == {first, third}
    assert SpecialistVersion.objects.newest() == third
    with pytest.raises(specialist_deployment.WeightsDiscarded):
        specialist_deployment.deploy(SpecialistVersion.objects.exclude(pk__in=[first.pk, third.pk]).get())


def test_weights_that_a_live_scorer_asks_are_kept() -> None:
    train_until_promoted()
    asked = training.train().version
    scorer = Scorer.objects.live_for(LanguageModel.objects.zero_shot())
    Scorer.objects.filter(pk=scorer.pk).update(specialist_version=asked)
    training.train()
    assert asked in SpecialistVersion.objects.usable()


def test_an_untrained_specialist_answers_like_the_zero_shot_model() -> None:
    plain, learning = answered("The invoice is wrong", "embedded-minilm"), answered("The invoice is wrong")
    assert (plain.category, plain.sentiment, plain.confidence) == (
        learning.category,
        learning.sentiment,
        learning.confidence,
    )


def test_the_untrained_word_model_says_that_it_has_learned_nothing() -> None:
    error = ask("The invoice is wrong", "specialist-words")
    assert isinstance(error, ClassifierError)
    assert error.kind == FailureKind.UNTRAINED
    assert error.permanent


def test_the_trained_word_model_answers_by_words() -> None:
    train_until_promoted()
    answer = answered("The refund of the payment makes me angry", "specialist-words")
    assert (answer.category, answer.sentiment) == ("Billing", "Negative")
    assert "refund" in answer.reasoning


def test_a_trained_specialist_stands_in_for_a_primary_model_without_a_key() -> None:
    assert Gate.current().active_primary().name == "embedded-minilm"
    train_until_promoted()
    assert Gate.current().active_primary().name == "specialist"


def test_each_deployed_version_opens_an_epoch() -> None:
    from classifier.pipeline.gate import confidence_epoch

    language_model, contract = LanguageModel.objects.get(name="specialist"), ContractVersion.objects.current()
    before = confidence_epoch(language_model, contract, 0.8)
    train_until_promoted()
    assert confidence_epoch(language_model, contract, 0.8) != before
    assert confidence_epoch(language_model, contract, 0.8) == confidence_epoch(language_model, contract, 0.8)
    assert Epoch.objects.count() == 2


def test_an_answer_cites_words_and_examples_that_exist() -> None:
    train_until_promoted()
    text = teaching.message("Billing", "Negative", 300)
    answer = answered(text)
    assert len(answer.evidence.nearest) == 3
    assert Example.objects.filter(pk__in=answer.evidence.nearest, category__name="Billing").count() == 3
    words = {text[begin:end].lower() for begin, end in answer.evidence.word_spans}
    assert words
    assert all(f"“{word}”" in answer.reasoning for word in words)


def test_a_renamed_label_keeps_its_training() -> None:
    train_until_promoted()
    Category.objects.filter(name="Technical").update(name="Trouble", description="")
    assert answered("The webhook has a timeout, the screen shows a bug.").category == "Trouble"


def test_a_merged_label_counts_as_its_successor_at_once() -> None:
    train_until_promoted()
    label_changes.merge(Category.objects.get(name="Technical"), Category.objects.get(name="General"))
    assert answered("The webhook has a timeout, the screen shows a bug.").category == "General"


def test_a_retired_label_is_no_longer_predicted() -> None:
    train_until_promoted()
    Category.objects.filter(name="Technical").update(retired=True)
    assert answered("The webhook has a timeout, the screen shows a bug.").category != "Technical"


def test_a_new_label_is_predicted_without_training() -> None:
    train_until_promoted()
    Category.objects.create(name="Weather", description="Rain, snow, storms, forecasts and temperatures.")
    assert answered("Will the snow storm in the forecast become rain?").category == "Weather"


def test_a_text_unlike_all_examples_gets_low_confidence_and_a_reason() -> None:
    teaching.place({"Billing": 20, "Technical": 20, "Account": 20})
    training.train()
    answer = answered("Photosynthesis converts sunlight within chloroplasts of algae and ferns.")
    assert answer.confidence <= 0.2
    assert answer.reasoning.startswith("Unlike anything labelled so far")


def test_labels_in_one_language_teach_it_others_which_it_trusts_less() -> None:
    train_until_promoted()
    english, german = map(answered, ("I was charged twice for the invoice.", "Die Rechnung wurde zweimal belastet."))
    assert english.category == german.category == "Billing"
    assert german.confidence <= 0.5, "no label in the language supports more"
    assert german.reasoning.startswith("Billing because of")


def test_an_earlier_version_that_is_deployed_again_stays_live(lea: User) -> None:
    first = train_until_promoted()
    teaching.place({"General": 40}, start=200)
    second = training.train()
    assert second.deployed
    specialist_deployment.deploy(first, by=lea)
    assert answered("The webhook has a timeout.").version == first.pk
    result = training.train()
    assert result.promoted
    assert not result.deployed
    assert SpecialistVersion.objects.live_pk() == first.pk
    specialist_deployment.unpin()
    assert training.train().deployed


def test_weights_that_were_tampered_with_give_no_answer() -> None:
    version = train_until_promoted()
    spoilt = bytearray(SpecialistVersion.objects.get(pk=version.pk).weights or b"")
    spoilt[-9] ^= 1
    SpecialistVersion.objects.filter(pk=version.pk).update(weights=bytes(spoilt))
    registry.clear_cache()
    error = ask("The webhook has a timeout.")
    assert isinstance(error, ClassifierError)
    assert error.kind == FailureKind.BROKEN_MODEL
    assert "another version" in str(error)
    assert training.train().deployed, "the next training takes its place"


@pytest.mark.parametrize("counts", [{"Billing": 30}, {"Billing": 4, "Account": 4}])
def test_a_training_with_too_few_labels_says_so(counts: dict[str, int]) -> None:
    teaching.place(counts)
    labels = GoldLabel.objects.all()
    labels.update(sentiment=labels.first().sentiment)
    with pytest.raises(training.TooFewLabels):
        training.train()
    assert not SpecialistVersion.objects.exists()


def test_a_second_training_cannot_start_while_one_is_running() -> None:
    teaching.place(EVENLY)
    with leases.hold_named(training.LEASE), pytest.raises(training.TrainingInProgress):
        training.train()
    assert training.train().version
    assert not leases.is_held(training.LEASE)


def test_a_training_that_lost_its_lease_stores_nothing_and_frees_nothing() -> None:
    teaching.place(EVENLY)
    successors: list[Any] = []

    def stall(_line: str) -> None:
        successors.append(successors[0] if successors else overtake(Lease))

    with pytest.raises(training.TrainingInProgress):
        training.train(report=stall)
    assert not SpecialistVersion.objects.exists()
    assert is_untouched(successors[0])


def test_a_failed_training_frees_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.place(EVENLY)

    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(training, "dump", full)
    with pytest.raises(OSError, match="disk full"):
        training.train()
    assert not SpecialistVersion.objects.exists()
    monkeypatch.undo()
    assert training.train().version


def test_labels_are_weighted_by_their_share_among_the_latest_tickets() -> None:
    teaching.place({"Billing": 4, "Account": 4})
    published_examples.publish_examples()
    assert set(training_data.load_training_data().examples["category"].weights) == {1}
    texts = [teaching.message("Billing", "Neutral", number) for number in range(100, 120)]
    vector_store.embeddings_for([make_ticket(text).text for text in texts])
    learned_from = training_data.load_training_data().examples["category"]
    billing = learned_from.labels == Category.objects.get(name="Billing").pk
    assert learned_from.weights[billing].mean() > 1.5 * learned_from.weights[~billing].mean()
    assert (training_data.load_training_data().examples["sentiment"].weights == learned_from.weights).all()


def test_the_same_labels_give_the_same_version() -> None:
    first = train_until_promoted()
    SpecialistVersion.objects.update(live=False)
    other = training.train().version
    assert other
    assert (first.data, first.sha256) == (other.data, other.sha256)


def test_a_training_is_due_after_twenty_labels_and_then_after_some_more() -> None:
    teaching.place({"Billing": 10, "Account": 9})
    assert not training.is_due()
    teaching.place({"Technical": 1})
    assert training.is_due()
    training.train()
    teaching.place({"Billing": 20}, start=100)
    assert not training.is_due(), "it trained a moment ago"
    ReviewSettings.objects.update(training_minutes=0)
    assert training.is_due()
    training.train()
    teaching.place({"Billing": 19}, start=200)
    assert not training.is_due()


def test_labels_of_a_single_category_do_not_make_a_training_due() -> None:
    teaching.place({"Billing": 40})
    assert not training.is_due()


def test_labels_with_low_self_confidence_become_label_issues() -> None:
    teaching.place(EVENLY)
    wrong = GoldLabel.objects.filter(category__name="Billing").first()
    assert wrong
    GoldLabel.objects.filter(pk=wrong.pk).update(category=Category.objects.get(name="Account"))
    training.train()
    assert LabelIssue.objects.waiting().first().gold == wrong
    assert LabelIssue.objects.waiting().first().category.name == "Billing"


def test_the_vector_of_a_text_is_stored_once() -> None:
    teaching.place(EVENLY)
    training.train()
    stored = Vector.objects.count()
    training.train()
    assert Vector.objects.count() == stored


def test_a_dry_run_stores_no_version(capsys: pytest.CaptureFixture[str]) -> None:
    teaching.place(EVENLY)
    call_command("train", dry_run=True)
    assert "would be deployed" in capsys.readouterr().out
    assert not SpecialistVersion.objects.exists()


def test_the_train_command_prints_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    teaching.place(EVENLY)
    call_command("train")
    out = capsys.readouterr().out
    assert "42 labelled examples" in out
    assert "is live" in out


def test_the_train_command_says_why_it_cannot_train() -> None:
    with pytest.raises(CommandError, match="label at least ten tickets"):
        call_command("train")


def test_tickets_are_encoded_in_the_background() -> None:
    for text in ("A ticket of its own", "Another of its own", "the same", "the same"):
        make_ticket(text)
    assert not vector_store.is_behind(), "labels come first"
    Ticket.objects.update(state=Ticket.State.NEEDS_REVIEW)
    assert vector_store.is_behind()
    vector_store.embed_new_tickets()
    assert Vector.objects.count() == 3 * len(encoder_sources())
    assert not vector_store.is_behind()


def test_a_ticket_that_the_embedded_model_labelled_has_a_vector(embedded_gate: Gate) -> None:
    ticket = make_ticket("The invoice is wrong")
    runner.classify_next_batch()
    assert vector_store.stored_embeddings([text_digest(ticket.text)]).rows.tolist() == [0]


def test_a_candidate_wins_only_with_a_significant_gain_and_no_lower_accuracy() -> None:
    """Right less often, though surer: that is no reason to replace what serves."""
    assert Comparison(100, 0.7, 0.7, 0.1, 0.01, 100).wins
    assert not Comparison(100, 0.7, 0.69, 0.1, 0.01, 100).wins
    assert not Comparison(100, 0.7, 0.8, 0.1, 0.1, 100).wins
