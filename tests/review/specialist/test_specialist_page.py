"""The page of the specialist: what serves, how well, what is missing, and what a lead may do about it."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from classifier.inference import specialist_deployment
from classifier.leases import leases
from classifier.models import Category, Gate, LanguageModel, Lease, Sentiment, SpecialistVersion
from classifier.taxonomy import label_changes
from review.models import Side
from review.specialist import training, views
from tests.background import queued
from tests.factories import configure_review, make_gold, make_label_issue, make_version
from tests.review.specialist import teaching

pytestmark = pytest.mark.usefixtures("single_reviews")

PAGE, TRAIN, BEST = (reverse(f"review:{name}") for name in ("specialist", "train_specialist", "unpin_version"))
EVENLY = {"Billing": 6, "Technical": 6}


def plain(content: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", content).split()))


def page(client: Client, url: str = PAGE) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return str(response.content.decode()).split("<main")[-1]


def words(client: Client, url: str = PAGE) -> str:
    return plain(page(client, url))


def rows(client: Client, heading: str, url: str = PAGE) -> list[str]:
    """The rows of the table under the heading with this id."""
    body = page(client, url).split(f'id="{heading}"')[1].split("<tbody>")[1].split("</tbody>")[0]
    return [plain(row) for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)]


def key(name: str) -> str:
    return str(Category.objects.get(name=name).pk)


def compared(labels: dict[str, list[int]] | None = None, *, wins: bool = True, **values: Any) -> dict[str, Any]:
    """The figures of an axis, as a training leaves them."""
    figures = {"items": 100, "accuracy_before": 0.55, "accuracy": 0.61, "gain": 0.0312, "error": 0.01}
    return figures | {"wins": wins, "recipe": "linear", "labels": labels or {}} | values


def trained(labels: int = 100, right: int = 60, items: int = 100, **values: Any) -> SpecialistVersion:
    """A version that was better, with its weights."""
    benchmark = {"items": items} | dict.fromkeys(("category", "sentiment", "both"), [right, items]) if items else None
    figures = {"benchmark": benchmark, "category": compared(), "sentiment": compared(wins=False)}
    figures |= values.pop("figures", {})
    with_weights = {"weights": b"w", "sha256": "0" * 64, "promoted": True, "figures": figures}
    return make_version(labels=labels, **with_weights | values)


def make_live_version(**values: Any) -> SpecialistVersion:
    version = trained(**values)
    specialist_deployment.deploy(version)
    return version


def course() -> None:
    """Versions enough to see all that the page shows; one but the latest serves, chosen by a person."""
    person, labels = User.objects.earliest("pk"), {key("Billing"): [60, 60, 55], key("Account"): [7, 7, 7]}
    made = [trained(50 * 2**step, 50 + 8 * step, figures={"category": compared(labels)}) for step in range(4)]
    specialist_deployment.deploy(made[2], by=person)


def live_version() -> SpecialistVersion:
    return SpecialistVersion.objects.get(live=True)


class TestBeforeAnythingWasLearned:
    def test_the_page_says_how_many_labels_the_first_training_needs(self, lead_client: Client) -> None:
        configure_review(benchmark_share=0.25)
        content = words(lead_client)
        assert "after 20 training labels in at least two categories" in content
        assert "25% of all labels are held out" in content
        assert "after 20 more labels" in content
        assert "Versions" not in content

    def test_the_number_of_missing_labels_counts_down(self, lead_client: Client) -> None:
        teaching.place({"Billing": 3})
        teaching.place({"Technical": 5}, side=Side.BENCHMARK)
        assert "after 17 more labels" in words(lead_client)

    def test_labels_of_a_single_category_are_not_enough_to_train(self, lead_client: Client) -> None:
        teaching.place({"Billing": 25})
        assert "once two categories have labels" in words(lead_client)


class TestWhatServes:
    def test_the_page_names_the_live_version_its_labels_and_its_method_for_each_axis(self, lead_client: Client) -> None:
        version = make_live_version(labels=1_234)
        content = words(lead_client)
        assert f"Version {version} is live" in content
        assert "learned from 1,234 labels" in content
        assert "Category Descriptions moved towards their examples, with a correction by all of them" in content
        assert "Sentiment Unchanged, since nothing new was better" in content

    def test_the_page_says_if_no_version_was_better(self, lead_client: Client) -> None:
        trained(promoted=False)
        assert "No trained version is live" in words(lead_client)

    def test_the_page_names_the_role_of_the_specialist_in_the_gate(self, lead_client: Client) -> None:
        make_live_version()
        assert "It labels every ticket." in words(lead_client), "it stands in where a key is missing"
        embedded = LanguageModel.objects.zero_shot()
        Gate.objects.update(primary=embedded, second_opinion=None)
        assert "No model that learns is in use" in words(lead_client)
        Gate.objects.update(front=LanguageModel.objects.get(name="specialist"))
        assert f"It is asked first and answers when it is confident enough; the rest goes to {embedded}." in words(
            lead_client
        )

    def test_the_page_says_when_the_next_training_comes(self, lead_client: Client) -> None:
        make_live_version(labels=1_000)
        assert "after 50 more labels" in words(lead_client)
        teaching.place({"Billing": 26, "Technical": 26})
        assert "once 3 minutes have passed" in words(lead_client)
        SpecialistVersion.objects.update(trained_at=timezone.now() - timedelta(hours=1))
        teaching.place({"Account": 50})
        assert "Training is due" in words(lead_client)

    def test_no_training_can_be_started_while_one_is_running(self, lead_client: Client) -> None:
        teaching.place(EVENLY)
        make_live_version()
        with leases.hold_named(training.LEASE):
            content = words(lead_client)
            assert "Training is running" in content
            assert "Train now" not in content
            Lease.objects.update(available_at=Now())
            assert "Train now" in words(lead_client), "whoever trained has died"


class TestTrainingNow:
    def test_a_training_can_be_started_by_hand_before_it_is_due(self, lead_client: Client) -> None:
        teaching.place(EVENLY)
        assert not training.is_due()
        assert "Train now" in words(lead_client)
        assert "Training starts" in plain(lead_client.post(TRAIN, follow=True).content.decode())
        assert [job.kwargs for job in queued("review.specialist.tasks.train_specialist")] == [{"due": False}]

    @pytest.mark.parametrize("labels", [{}, {"Billing": 12}, {"Billing": 4, "Technical": 5}])
    def test_a_training_with_too_few_labels_is_refused_at_once(
        self, lead_client: Client, labels: dict[str, int]
    ) -> None:
        teaching.place(labels)
        assert "Train now" not in words(lead_client)
        assert "Not enough labels" in plain(lead_client.post(TRAIN, follow=True).content.decode())
        assert not queued("review.specialist.tasks.train_specialist")

    def test_a_yielding_training_exits_quietly_while_another_is_running(self, monkeypatch: pytest.MonkeyPatch) -> None:
        niceness: list[int] = []
        monkeypatch.setattr("os.nice", niceness.append)
        with leases.hold_named(training.LEASE):
            call_command("train", "--yielding")
            assert niceness == [19]
            with pytest.raises(CommandError, match="Another training is running"):
                call_command("train")
            assert niceness == [19]


class TestChoosingAVersion:
    def test_a_version_that_a_lead_deploys_stays_live_until_it_is_unpinned(
        self, lead_client: Client, lea: User
    ) -> None:
        earlier, latest = trained(), make_live_version()
        content = lead_client.post(reverse("review:deploy_version", args=[earlier.pk]), follow=True).content.decode()
        assert f"Version {earlier} is live" in plain(content)
        assert "Pinned by lea" in plain(content)
        assert live_version() == earlier
        assert live_version().pinned_by == lea
        content = plain(lead_client.post(BEST, follow=True).content.decode())
        assert "will be deployed automatically" in content
        assert "Pinned by" not in content
        assert live_version() == earlier, "until a better one comes"
        assert live_version().pinned_by is None
        assert latest.pk != earlier.pk

    def test_only_versions_with_weights_that_are_not_live_can_be_deployed(self, lead_client: Client) -> None:
        gone, deployable, now = make_version(figures={}), trained(), make_live_version()
        content = page(lead_client)
        offered = [
            version
            for version in (gone, deployable, now)
            if reverse("review:deploy_version", args=[version.pk]) in content
        ]
        assert offered == [deployable]

    def test_a_version_without_weights_cannot_be_deployed(self, lead_client: Client) -> None:
        gone, now = make_version(), make_live_version()
        content = lead_client.post(reverse("review:deploy_version", args=[gone.pk]), follow=True).content.decode()
        assert "were not kept" in plain(content)
        assert live_version() == now

    def test_deploying_an_unknown_version_is_not_found(self, lead_client: Client) -> None:
        assert lead_client.post(reverse("review:deploy_version", args=[999])).status_code == 404


class TestTheLearningCurve:
    def test_each_version_has_a_point_and_a_row_in_the_learning_curve(self, lead_client: Client) -> None:
        for labels, right in ((20, 40), (40, 50)):
            trained(labels, right)
        content = page(lead_client)
        assert content.count('class="dot"') == 4, "two versions, two axes"
        assert 'class="law"' not in content
        later, earlier = rows(lead_client, "measured")
        assert "40 50.0% (40.4 to 59.6)" in later
        assert "20 40.0%" in earlier
        assert "Not enough to tell yet what the next 100 labels will bring" in plain(content)

    def test_the_page_says_what_the_next_labels_are_expected_to_bring(self, lead_client: Client) -> None:
        for labels in (50, 100, 200, 400):
            trained(labels, round(5_000 * (1 - 2 * labels**-0.4)), 5_000)
        assert 'class="law"' in page(lead_client)
        gains = re.findall(r"about ([\d.]+) percentage points, between ([\d.]+) and (\d+\.\d)", words(lead_client))
        assert len(gains) == 2
        gain, low, high = map(float, gains[0])
        assert low < gain < high
        assert gain == pytest.approx(100 * (2 * 400**-0.4 - 2 * 500**-0.4), abs=0.3)

    def test_a_flat_learning_curve_predicts_no_gain(self, lead_client: Client) -> None:
        for labels in (50, 100, 200, 400):
            trained(labels, 60)
        assert "may bring nothing, or up to" in words(lead_client)

    def test_there_is_no_learning_curve_without_benchmark_labels(self, lead_client: Client) -> None:
        trained(items=0)
        assert "No accuracy yet" in words(lead_client)
        assert "<svg" not in page(lead_client).split("</h1>")[1]


class TestLabelByLabel:
    def test_labels_most_in_need_come_first_with_what_they_need(self, lead_client: Client) -> None:
        labels = {key("Billing"): [60, 60, 55], key("Technical"): [40, 40, 8], key("Account"): [7, 7, 7]}
        trained(figures={"category": compared(labels)})
        content = rows(lead_client, "category")
        order = [
            next(name for name in ("General", "Account", "Technical", "Billing") if name in row) for row in content
        ]
        assert order[-3:] == ["Account", "Technical", "Billing"]
        assert "No examples yet" in content[0]
        assert "Account 7 too few to tell Needs 3 more labels before" in content[-3]
        assert "Technical 40 20.0% (10.5 to 34.8) Less accurate than the rest" in content[-2]
        assert content[-1].startswith("Billing 60 91.7%")
        assert content[-1].endswith("nothing")

    def test_more_labels_are_needed_if_only_a_part_is_held_out(self, lead_client: Client) -> None:
        labels = {key("Billing"): [4_000, 800, 700], key("Account"): [30, 6, 5]}
        trained(figures={"category": compared(labels)})
        assert "Account 30 too few to tell Needs 20 more labels" in " ".join(rows(lead_client, "category"))

    def test_counts_of_a_merged_label_go_to_its_successor(self, lead_client: Client) -> None:
        labels = {key("Billing"): [20, 20, 15], key("Technical"): [30, 30, 20]}
        trained(figures={"category": compared(labels)})
        label_changes.merge(Category.objects.get(name="Technical"), Category.objects.get(name="Billing"))
        content = rows(lead_client, "category")
        assert "Billing 50 70.0%" in content[-1]
        assert not any("Technical" in row for row in content)

    def test_sentiments_have_their_own_table_of_needs(self, lead_client: Client) -> None:
        neutral = str(Sentiment.objects.get(name="Neutral").pk)
        trained(figures={"sentiment": compared({neutral: [30, 30, 24]})})
        assert "Neutral 30 80.0%" in " ".join(rows(lead_client, "sentiment"))
        assert "Not trained yet" in words(lead_client), "of categories"


class TestVersions:
    def test_each_version_is_listed_with_both_accuracies_gain_and_outcome(self, lead_client: Client) -> None:
        served = make_live_version(seconds=12.34, data="abcdef12" + "0" * 56)
        poor = make_version(figures={"category": compared(wins=False, gain=-0.01), "sentiment": compared(items=0)})
        make_live_version()
        latest, middle, first = rows(lead_client, "versions")
        assert "Live" in latest
        assert middle.startswith(str(poor))
        assert "-0.010, noise 0.016 not compared unknown No better than the live version" in middle
        assert first.startswith(str(served))
        assert "abcdef12 12.3 55.0% → 61.0% +0.031, noise 0.016" in first
        assert "60.0% / 60.0% Previously live" in first

    def test_the_list_of_versions_is_paged(self, lead_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(views, "VERSIONS", 2)
        made = [str(make_version()) for _time in range(5)]
        seen = [
            row.split()[0] for number in (1, 2, 3) for row in rows(lead_client, "versions", f"{PAGE}?page={number}")
        ]
        assert seen == made[::-1]
        assert len(rows(lead_client, "versions", f"{PAGE}?page=x")) == 2


def test_the_page_links_to_the_pages_that_improve_the_specialist(lead_client: Client) -> None:
    make_label_issue(make_gold(), "Technical")
    content = page(lead_client)
    for name in ("label_issues", "emerging_topics", "confusable_categories", "benchmark"):
        assert f'href="{reverse(f"review:{name}")}"' in content
    assert "Label issues 1 " in plain(content)


def test_the_page_costs_the_same_however_many_versions_and_reads_no_weights(lead_client: Client) -> None:
    labels = {key("Billing"): [60, 60, 55], key("Account"): [7, 7, 7]}

    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            page(lead_client)
        return [query["sql"] for query in captured]

    teaching.place(EVENLY)
    make_live_version(figures={"category": compared(labels)})
    before = asked()
    for number in range(60):
        trained(100 + number, figures={"category": compared(labels)})
    teaching.place({"Billing": 15}, start=50)
    after = asked()
    assert len(after) == len(before) < 40
    assert not [sql for sql in after if '"weights"' in sql]
    assert not [sql for sql in after if '"taught"' in sql and not sql.endswith("LIMIT 1")]


def test_the_navigation_links_to_the_page_for_those_who_may_teach(
    lead_client: Client, client: Client, ana: User
) -> None:
    link = f'href="{PAGE}"'
    assert link in lead_client.get("/").content.decode()
    client.force_login(ana)
    assert link not in client.get("/").content.decode()


def test_the_admin_shows_versions_read_only(client: Client, admin: User) -> None:
    version = make_live_version(figures={"category": compared({}, recipe="linear and words")})
    client.force_login(admin)
    listed, shown = (
        reverse(f"admin:classifier_specialistversion_{name}", args=args)
        for name, args in (("changelist", []), ("change", [version.pk]))
    )
    with CaptureQueriesContext(connection) as captured:
        assert client.get(listed).status_code == 200
        assert "linear and words" in client.get(shown).content.decode()
    assert not [query for query in captured if '"weights"' in query["sql"]]
    assert client.get(reverse("admin:classifier_specialistversion_add")).status_code == 403
    assert client.post(shown, {"labels": 1}).status_code == 403
    assert f'href="{shown}"' in page(client), "the digest of what it learned from leads there"
