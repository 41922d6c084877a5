"""A draft is measured before it is published: which tickets would be answered differently, and how many right."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from classifier.models import Category, ContractVersion, Draft, DraftLabel, Gate, LanguageModel, Sentiment
from classifier.models.contract import EmptyTaxonomy
from classifier.taxonomy import drafts, label_changes
from review.benchmark import draft_comparison, execution, runs
from review.benchmark.draft_comparison import DraftEffect
from review.gold import gold_labels, snapshots
from review.models import Contender, GoldLabel, Result, Run, Side, Snapshot
from tests.factories import make_language_model, make_user
from tests.servers import OpenAIServer, Reply, Request, answer, error

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.django_db(transaction=True)]

# What is expected of each text, and what the model says of it without and with the draft.
TEXTS = {
    "please send my money back": ("Billing", "Technical", "Payments > Refunds"),
    "the invoice shows the wrong sum": ("Billing", "Billing", "Payments"),
    "the app crashes at every start": ("Technical", "Technical", "Technical"),
    "hello, is anybody there at all?": ("General", "General", "Payments > Refunds"),
    "how do I change my address": ("Account", "General", "Technical"),
}


def reply(request: Request) -> Reply:
    _expected, before, after = TEXTS[request.ticket]
    drafted = "Refunds" in request.body["messages"][0]["content"]
    return answer(after if drafted else before)


@pytest.fixture
def language_model(catalogue: None) -> Iterator[LanguageModel]:
    with OpenAIServer(reply) as server:
        yield make_language_model(server, name="first", family="first")


@pytest.fixture
def snapshot(catalogue: None) -> Snapshot:
    labels = [
        GoldLabel(
            text=text,
            digest=GoldLabel.digest_of(text),
            category=Category.objects.get(name=category),
            sentiment=Sentiment.objects.get(name="Negative"),
            origin=GoldLabel.Origin.IMPORT,
        )
        for text, (category, _before, _after) in TEXTS.items()
    ]
    gold_labels.add_gold_labels(labels, {label.digest: Side.BENCHMARK for label in labels})
    return snapshots.create_snapshot()


@pytest.fixture
def draft(catalogue: None) -> Draft:
    """Billing is called Payments, and has a child."""
    draft = drafts.create("Finer billing", None)
    draft.labels.filter(name="Billing").update(name="Payments")
    payments = draft.labels.get(name="Payments")
    DraftLabel.objects.create(draft=draft, axis="category", name="Refunds", parent=payments)
    return draft


def run_of(draft: Draft, snapshot: Snapshot, *language_models: LanguageModel) -> Run:
    run = runs.start_run(snapshot, draft_comparison.entries_for(draft, language_models))
    assert execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    return run


def texts(effect: DraftEffect, items: tuple[int, ...]) -> set[str]:
    return {change.item.gold.text for change in draft_comparison.changed_answers(effect, items)}


def test_the_effect_of_a_draft_counts_changed_fixed_and_broken_answers(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel
) -> None:
    run = run_of(draft, snapshot, language_model)
    (effect,) = draft_comparison.draft_effects(run)
    assert (str(effect.draft), str(effect.in_force)) == ("first (Finer billing)", "first")
    assert effect.common == 5
    # The invoice is of the label that is merely renamed, and the crash of the same one.
    assert texts(effect, effect.changed) == {
        "please send my money back",
        "hello, is anybody there at all?",
        "how do I change my address",
    }
    assert texts(effect, effect.fixed) == {"please send my money back"}
    assert texts(effect, effect.broken) == {"hello, is anybody there at all?"}
    assert (effect.before, effect.after, effect.lost) == (3 / 5, 3 / 5, 0)
    assert [contender.figures["both"][0] for contender in (effect.in_force, effect.draft)] == [3 / 5, 3 / 5]


def test_a_changed_answer_names_the_expected_label_and_both_answers(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel
) -> None:
    (effect,) = draft_comparison.draft_effects(run_of(draft, snapshot, language_model))
    (change,) = draft_comparison.changed_answers(effect, effect.fixed)
    assert (change.category, change.sentiment) == ("Billing", "Negative")
    assert (str(change.before), str(change.after)) == ("Technical | Negative", "Payments > Refunds | Negative")
    assert (change.fixed, change.broken) == (True, False)
    # A label that only the draft knows has no key, and answers for its parent all the same.
    assert (change.after.category, change.after.category_right) == (None, True)


def test_publishing_the_draft_reuses_the_contract_that_was_benchmarked(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel
) -> None:
    run_of(draft, snapshot, language_model)
    drafts.publish(draft, None)
    drafted = Contender.objects.get(label="Finer billing")
    assert ContractVersion.objects.current() == drafted.contract
    refunds = Category.objects.get(name="Refunds")
    assert ContractVersion.objects.current().labels.categories["Payments > Refunds"] == refunds.pk
    again = run_of_one(snapshot, language_model)
    assert again.figures["both"] == drafted.figures["both"]
    assert Result.objects.filter(contender=again, category=refunds.pk).count() == 2


def run_of_one(snapshot: Snapshot, language_model: LanguageModel) -> Contender:
    run = runs.start_run(snapshot, [runs.Entry(language_model, ContractVersion.objects.current())])
    assert execution.execute_run(run.pk)
    return run.contenders.get()


def test_items_that_expect_a_dropped_label_are_lost(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel
) -> None:
    draft.labels.filter(name="General").update(dropped=True)
    (effect,) = draft_comparison.draft_effects(run_of(draft, snapshot, language_model))
    assert effect.lost == 1


def test_a_label_merged_since_the_snapshot_counts_as_its_successor(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel
) -> None:
    run = run_of(draft, snapshot, language_model)
    label_changes.merge(Category.objects.get(name="General"), Category.objects.get(name="Account"))
    (effect,) = draft_comparison.draft_effects(run)
    assert (effect.lost, len(effect.changed)) == (0, 3)


def test_failures_count_as_other_answers_only_where_one_side_answers(draft: Draft, snapshot: Snapshot) -> None:
    def failing(request: Request) -> Reply:
        drafted = "Refunds" in request.body["messages"][0]["content"]
        if "crashes" in request.ticket or ("hello" in request.ticket and drafted):
            return error(400, "no")
        return answer("Billing" if not drafted else "Payments")

    with OpenAIServer(failing) as server:
        (effect,) = draft_comparison.draft_effects(
            run_of(draft, snapshot, make_language_model(server, name="first", family="first"))
        )
    assert texts(effect, effect.changed) == {"hello, is anybody there at all?"}


def test_each_of_several_models_is_compared_with_itself(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel
) -> None:
    embedded = LanguageModel.objects.zero_shot()
    run = run_of(draft, snapshot, language_model, embedded)
    effects = draft_comparison.draft_effects(run)
    assert [(effect.draft.language_model, effect.in_force.language_model) for effect in effects] == [
        (language_model, language_model),
        (embedded, embedded),
    ]
    assert all(effect.common == 5 for effect in effects)


def test_a_draft_that_changes_only_instructions_can_be_benchmarked(snapshot: Snapshot) -> None:
    draft = drafts.create("Terse", None)
    draft.instructions = "Label it."
    draft.save()

    def by_prompt(request: Request) -> Reply:
        terse = request.body["messages"][0]["content"].startswith("Label it.\n")
        return answer(TEXTS[request.ticket][0] if terse else "General")

    with OpenAIServer(by_prompt) as server:
        (effect,) = draft_comparison.draft_effects(
            run_of(draft, snapshot, make_language_model(server, name="first", family="first"))
        )
    assert (effect.before, effect.after) == (1 / 5, 1.0)
    assert (len(effect.fixed), len(effect.broken)) == (4, 0)
    assert Gate.current().instructions == ""


def test_a_draft_that_does_not_change_the_contract_is_refused(catalogue: None) -> None:
    draft = drafts.create("Nothing yet", None)
    with pytest.raises(ValidationError, match="what models are asked"):
        draft_comparison.entries_for(draft, [LanguageModel.objects.zero_shot()])


def test_a_run_without_a_draft_has_no_draft_effects(snapshot: Snapshot, language_model: LanguageModel) -> None:
    contender = run_of_one(snapshot, language_model)
    assert draft_comparison.draft_effects(contender.run) == []
    assert draft_comparison.in_force_counterpart(contender) is None


# The command


def test_the_benchmark_command_compares_a_draft(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("benchmark", draft="Finer billing", model=["first"], quiet=True)
    printed = capsys.readouterr().out
    assert "first (Finer billing): estimated cost" in printed
    assert "first (Finer billing): 3 of 5 answers change, 1 fixed, 1 broken" in printed
    assert Run.objects.get().contenders.count() == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"draft": "Nowhere"}, "Unknown draft Nowhere; open drafts: Finer billing"),
        ({"draft": "Finer billing", "contract": "0"}, "neither a file nor --contract"),
        ({"draft": "Spoilt"}, "Billing still contains"),
    ],
)
def test_the_benchmark_command_explains_invalid_options(
    draft: Draft, snapshot: Snapshot, options: dict[str, Any], says: str
) -> None:
    if options["draft"] == "Spoilt":
        Category.objects.create(name="Refunds", parent=Category.objects.get(name="Billing"))
        drafts.create("Spoilt", None).labels.filter(name="Billing").update(dropped=True)
    with pytest.raises(CommandError, match=says):
        call_command("benchmark", quiet=True, **options)
    assert not Run.objects.exists()


def test_the_benchmark_command_explains_a_draft_without_labels(draft: Draft, snapshot: Snapshot) -> None:
    draft.labels.filter(axis="sentiment").update(dropped=True)
    with pytest.raises(EmptyTaxonomy):
        draft_comparison.entries_for(draft, [])
    with pytest.raises(CommandError, match="at least one category"):
        call_command("benchmark", quiet=True, draft=draft.name)


def test_benchmark_texts_among_the_examples_are_reported(
    draft: Draft, snapshot: Snapshot, language_model: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    draft.labels.filter(name="Refunds").update(examples="please send my money back\nsomething else altogether")
    call_command("benchmark", draft=draft.name, model=["first"], quiet=True)
    assert "The examples of Finer billing give 1 item away" in capsys.readouterr().err
    (leaking,) = draft_comparison.leaked_labels(Contender.objects.get(label=draft.name).contract)
    assert leaking.text == "please send my money back"
    assert draft_comparison.leaked_labels(ContractVersion.objects.current()) == []


# The page


@pytest.fixture
def page(draft: Draft, snapshot: Snapshot, language_model: LanguageModel) -> str:
    drafted = run_of(draft, snapshot, language_model).contenders.get(label=draft.name)
    return reverse("review:draft_changes", args=[drafted.run_id, drafted.pk])


@pytest.fixture
def measurer(catalogue: None) -> User:
    user = make_user("mia")
    user.user_permissions.add(Permission.objects.get(codename="benchmark"))
    return user


def test_the_page_of_changes_lists_the_items(client: Client, page: str, measurer: User) -> None:
    client.force_login(measurer)
    content = client.get(page).content.decode()
    assert "What Finer billing would change" in content
    assert "first answers 3 of 5 tickets differently: 1 right only under the draft, 1 right only now." in content
    assert "Both labels are right for 60.0% under the draft and for 60.0% now." in content
    for text in ("please send my money back", "Payments &gt; Refunds | Negative", "how do I change my address"):
        assert text in content
    assert "the app crashes" not in content
    assert f'href="{page}" aria-current="page">All changes (3)</a>' in content
    assert f'href="{page}?show=fixed">Fixed by the draft (1)</a>' in content
    assert " style=" not in content
    assert "<script>" not in content
    for kind, text in (("fixed", "please send my money back"), ("broken", "hello, is anybody there")):
        narrowed = client.get(page, {"show": kind}).content.decode()
        assert text in narrowed
        assert "how do I change my address" not in narrowed


@pytest.mark.parametrize("query", [{"page": "99"}, {"page": "x"}, {"show": "x"}])
def test_invalid_parameters_show_the_first_page_of_changes(
    client: Client, page: str, measurer: User, query: dict[str, str]
) -> None:
    client.force_login(measurer)
    assert "how do I change my address" in client.get(page, query).content.decode()


def test_the_list_of_changes_is_paged_and_costs_the_same(
    client: Client, page: str, measurer: User, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr("review.benchmark.draft_views.A_PAGE", 2)
    client.force_login(measurer)
    with django_assert_max_num_queries(17):
        first = client.get(page).content.decode()
    second = client.get(page, {"page": 2}).content.decode()
    assert "Page 1 of 2" in first
    assert (first.count('class="paper"'), second.count('class="paper"')) == (2, 1)


def test_the_page_of_changes_needs_the_benchmark_permission(client: Client, page: str, measurer: User) -> None:
    assert client.get(page).status_code == 302
    client.force_login(make_user("tom"))
    assert client.get(page).status_code == 403
    client.force_login(measurer)
    in_force = Contender.objects.get(label="")
    assert client.get(reverse("review:draft_changes", args=[in_force.run_id, in_force.pk])).status_code == 404
    assert client.get(reverse("review:draft_changes", args=[in_force.run_id + 1, in_force.pk])).status_code == 404
    assert client.post(page).status_code == 405
