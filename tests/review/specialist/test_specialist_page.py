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
from review.specialist import training, versions
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
    benchmark = {"items": items, "category": right, "sentiment": right, "both": right} if items else None
    figures = {"benchmark": benchmark, "category": compared(), "sentiment": compared(wins=False)}
    figures |= values.pop("figures", {})
    kept = {"weights": b"w", "sha256": "0" * 64, "promoted": True, "figures": figures}
    return make_version(labels=labels, **kept | values)


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
    def test_it_says_what_will_happen_and_after_how_many_labels(self, lead_client: Client) -> None:
        configure_review(benchmark_share=0.25)
        told = words(lead_client)
        assert "after 20 labels to learn from, of at least two categories" in told
        assert "25% of what people label is held out" in told
        assert "after 20 more labels" in told
        assert "Versions" not in told

    def test_it_counts_down(self, lead_client: Client) -> None:
        teaching.place({"Billing": 3})
        teaching.place({"Technical": 5}, side=Side.BENCHMARK)
        assert "after 17 more labels" in words(lead_client)

    def test_labels_of_one_category_are_not_enough(self, lead_client: Client) -> None:
        teaching.place({"Billing": 25})
        assert "once two categories have labels" in words(lead_client)


class TestWhatServes:
    def test_it_names_the_version_its_labels_and_how_it_tells_each_axis(self, lead_client: Client) -> None:
        version = make_live_version(labels=1_234)
        told = words(lead_client)
        assert f"Version {version} is live" in told
        assert "learned from 1,234 labels" in told
        assert "Category Descriptions moved towards their examples, with a correction by all of them" in told
        assert "Sentiment Nothing new was better, so it is as it was before" in told

    def test_it_says_when_no_version_was_better(self, lead_client: Client) -> None:
        trained(promoted=False)
        assert "No trained version is live" in words(lead_client)

    def test_it_says_in_which_role_it_is_asked(self, lead_client: Client) -> None:
        make_live_version()
        assert "It labels every ticket." in words(lead_client), "it stands in where a key is missing"
        embedded = LanguageModel.objects.zero_shot()
        Gate.objects.update(primary=embedded, second_opinion=None)
        assert "No model that learns is in use" in words(lead_client)
        Gate.objects.update(front=LanguageModel.objects.get(name="specialist"))
        assert f"It is asked first and answers when it is confident enough; the rest goes to {embedded}." in words(
            lead_client
        )

    def test_the_next_training_is_told(self, lead_client: Client) -> None:
        make_live_version(labels=1_000)
        assert "after 50 more labels" in words(lead_client)
        teaching.place({"Billing": 26, "Technical": 26})
        assert "once 3 minutes have passed" in words(lead_client)
        SpecialistVersion.objects.update(trained_at=timezone.now() - timedelta(hours=1))
        teaching.place({"Account": 50})
        assert "Training is due" in words(lead_client)

    def test_a_training_under_way_is_told_and_no_other_begun(self, lead_client: Client) -> None:
        teaching.place(EVENLY)
        make_live_version()
        with leases.hold_named(training.LEASE):
            told = words(lead_client)
            assert "Training is running" in told
            assert "Train now" not in told
            Lease.objects.update(available_at=Now())
            assert "Train now" in words(lead_client), "whoever trained has died"


class TestTrainingNow:
    def test_a_worker_is_told_to_train_whether_or_not_it_is_due(self, lead_client: Client) -> None:
        teaching.place(EVENLY)
        assert not training.is_due()
        assert "Train now" in words(lead_client)
        assert "Training starts" in plain(lead_client.post(TRAIN, follow=True).content.decode())
        assert [one.kwargs for one in queued("review.specialist.tasks.train_specialist")] == [{"due": False}]

    @pytest.mark.parametrize("labels", [{}, {"Billing": 12}, {"Billing": 4, "Technical": 5}])
    def test_too_little_to_learn_from_is_said_at_once(self, lead_client: Client, labels: dict[str, int]) -> None:
        teaching.place(labels)
        assert "Train now" not in words(lead_client)
        assert "Not enough labels" in plain(lead_client.post(TRAIN, follow=True).content.decode())
        assert not queued("review.specialist.tasks.train_specialist")

    def test_who_yields_lets_another_training_finish_without_a_complaint(self, monkeypatch: pytest.MonkeyPatch) -> None:
        niceness: list[int] = []
        monkeypatch.setattr("os.nice", niceness.append)
        with leases.hold_named(training.LEASE):
            call_command("train", "--yielding")
            assert niceness == [19]
            with pytest.raises(CommandError, match="Another training is running"):
                call_command("train")
            assert niceness == [19]


class TestChoosingAVersion:
    def test_a_lead_goes_back_and_it_stays_until_they_let_go(self, lead_client: Client, lea: User) -> None:
        earlier, latest = trained(), make_live_version()
        told = lead_client.post(reverse("review:deploy_version", args=[earlier.pk]), follow=True).content.decode()
        assert f"Version {earlier} is live" in plain(told)
        assert "Pinned by lea" in plain(told)
        assert live_version() == earlier
        assert live_version().pinned_by == lea
        told = plain(lead_client.post(BEST, follow=True).content.decode())
        assert "will be deployed automatically" in told
        assert "Pinned by" not in told
        assert live_version() == earlier, "until a better one comes"
        assert live_version().pinned_by is None
        assert latest.pk != earlier.pk

    def test_only_what_was_kept_and_does_not_serve_may_be_chosen(self, lead_client: Client) -> None:
        gone, kept, now = make_version(figures={}), trained(), make_live_version()
        content = page(lead_client)
        offered = [one for one in (gone, kept, now) if reverse("review:deploy_version", args=[one.pk]) in content]
        assert offered == [kept]

    def test_what_was_not_kept_is_refused_in_a_sentence(self, lead_client: Client) -> None:
        gone, now = make_version(), make_live_version()
        told = lead_client.post(reverse("review:deploy_version", args=[gone.pk]), follow=True).content.decode()
        assert "was not kept" in plain(told)
        assert live_version() == now

    def test_a_version_that_does_not_exist_is_not_found(self, lead_client: Client) -> None:
        assert lead_client.post(reverse("review:deploy_version", args=[999])).status_code == 404


class TestTheLearningCurve:
    def test_each_version_has_its_point_and_its_row(self, lead_client: Client) -> None:
        for labels, right in ((20, 40), (40, 50)):
            trained(labels, right)
        content = page(lead_client)
        assert content.count('class="dot"') == 4, "two versions, two axes"
        assert 'class="law"' not in content
        later, earlier = rows(lead_client, "measured")
        assert "40 50.0% (40.4 to 59.6)" in later
        assert "20 40.0%" in earlier
        assert "Not enough to tell yet what the next 100 labels will bring" in plain(content)

    def test_it_says_what_the_next_labels_are_expected_to_bring(self, lead_client: Client) -> None:
        for labels in (50, 100, 200, 400):
            trained(labels, round(5_000 * (1 - 2 * labels**-0.4)), 5_000)
        assert 'class="law"' in page(lead_client)
        found = re.findall(r"about ([\d.]+) percentage points, between ([\d.]+) and (\d+\.\d)", words(lead_client))
        assert len(found) == 2
        gain, low, high = map(float, found[0])
        assert low < gain < high
        assert gain == pytest.approx(100 * (2 * 400**-0.4 - 2 * 500**-0.4), abs=0.3)

    def test_a_curve_that_is_flat_promises_nothing(self, lead_client: Client) -> None:
        for labels in (50, 100, 200, 400):
            trained(labels, 60)
        assert "may bring nothing, and at most" in words(lead_client)

    def test_without_a_benchmark_side_there_is_no_curve(self, lead_client: Client) -> None:
        trained(items=0)
        assert "Nothing to measure with yet" in words(lead_client)
        assert "<svg" not in page(lead_client).split("</h1>")[1]


class TestLabelByLabel:
    def test_who_needs_most_comes_first_and_hears_what(self, lead_client: Client) -> None:
        labels = {key("Billing"): [60, 60, 55], key("Technical"): [40, 40, 8], key("Account"): [7, 7, 7]}
        trained(figures={"category": compared(labels)})
        told = rows(lead_client, "category")
        order = [next(name for name in ("General", "Account", "Technical", "Billing") if name in row) for row in told]
        assert order[-3:] == ["Account", "Technical", "Billing"]
        assert "No examples yet" in told[0]
        assert "Account 7 too few to tell Needs 3 more labels before" in told[-3]
        assert "Technical 40 20.0% (10.5 to 34.8) Less accurate than the rest" in told[-2]
        assert told[-1].startswith("Billing 60 91.7%")
        assert told[-1].endswith("nothing")

    def test_where_only_a_part_is_held_out_more_labels_are_needed(self, lead_client: Client) -> None:
        labels = {key("Billing"): [4_000, 800, 700], key("Account"): [30, 6, 5]}
        trained(figures={"category": compared(labels)})
        assert "Account 30 too few to tell Needs 20 more labels" in " ".join(rows(lead_client, "category"))

    def test_what_was_merged_counts_for_its_successor(self, lead_client: Client) -> None:
        labels = {key("Billing"): [20, 20, 15], key("Technical"): [30, 30, 20]}
        trained(figures={"category": compared(labels)})
        label_changes.merge(Category.objects.get(name="Technical"), Category.objects.get(name="Billing"))
        told = rows(lead_client, "category")
        assert "Billing 50 70.0%" in told[-1]
        assert not any("Technical" in row for row in told)

    def test_sentiments_have_a_table_of_their_own(self, lead_client: Client) -> None:
        neutral = str(Sentiment.objects.get(name="Neutral").pk)
        trained(figures={"sentiment": compared({neutral: [30, 30, 24]})})
        assert "Neutral 30 80.0%" in " ".join(rows(lead_client, "sentiment"))
        assert "Not trained yet" in words(lead_client), "of categories"


class TestVersions:
    def test_each_tells_before_and_after_gain_and_outcome(self, lead_client: Client) -> None:
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

    def test_the_list_is_paged_by_key(self, lead_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(versions, "SIZE", 2)
        made = [str(make_version()) for _time in range(5)]
        seen, url = [], PAGE
        while url:
            found = rows(lead_client, "versions", url)
            assert len(found) <= 2
            seen += [row.split()[0] for row in found]
            following = re.search(r'rel="next" href="([^"#]*)#versions"', page(lead_client, url))
            url = PAGE + following[1] if following else ""
        assert seen == made[::-1]

    @pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²"])
    def test_an_address_that_makes_no_sense_shows_the_first_page(self, lead_client: Client, before: str) -> None:
        make_version()
        assert len(rows(lead_client, "versions", f"{PAGE}?before={before}")) == 1

    def test_before_the_first_there_is_none(self, lead_client: Client) -> None:
        assert "No earlier versions" in words(lead_client, f"{PAGE}?before={make_version().pk}")


def test_it_leads_to_what_helps(lead_client: Client) -> None:
    make_label_issue(make_gold(), "Technical")
    content = page(lead_client)
    for name in ("label_issues", "emerging_topics", "confusable_categories", "benchmark"):
        assert f'href="{reverse(f"review:{name}")}"' in content
    assert "Label issues 1 " in plain(content)


def test_it_asks_no_more_and_reads_no_weights_the_more_there_is(lead_client: Client) -> None:
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


def test_the_navigation_leads_there_whoever_may_teach(lead_client: Client, client: Client, ana: User) -> None:
    link = f'href="{PAGE}"'
    assert link in lead_client.get("/").content.decode()
    client.force_login(ana)
    assert link not in client.get("/").content.decode()


def test_the_admin_shows_versions_and_changes_none(client: Client, admin: User) -> None:
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
