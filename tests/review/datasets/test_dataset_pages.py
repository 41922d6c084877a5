"""Datasets in the browser: freeze, fetch, take in; and the labels themselves in the admin."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.ingest import uploads
from classifier.leases import leases
from classifier.models import Category, Draft, Sentiment, Ticket
from classifier.privacy import erasure
from classifier.taxonomy import drafts
from review import sweep
from review.benchmark import runs
from review.datasets import exporting, label_imports
from review.datasets.formats.registry import FORMATS
from review.gold import gold_labels, snapshots
from review.models import Assignment, GoldLabel, LabelImport, Snapshot
from tests.background import queued
from tests.factories import make_ticket, send_to_review
from tests.review.actions import answer

pytestmark = pytest.mark.usefixtures("single_reviews")

PAGE, CREATE_SNAPSHOT, IMPORT = (reverse(f"review:{name}") for name in ("datasets", "create_snapshot", "import_labels"))


@pytest.fixture
def decided(single_reviews: None, ana: User) -> None:
    for text in ("<script>alert(1)</script> broke", "=1+1"):
        answer(send_to_review(make_ticket(text))[0], ana, "Technical", "Negative")


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_the_datasets_page_of_an_empty_installation_says_what_to_do(lead_client: Client) -> None:
    page = lead_client.get(PAGE).content.decode()
    assert "No settled labels yet" in page
    assert "No snapshots yet" in page


@pytest.mark.usefixtures("decided")
def test_creating_a_snapshot_twice_shows_the_same_snapshot(lead_client: Client, lea: User) -> None:
    response = lead_client.post(CREATE_SNAPSHOT)
    snapshot = Snapshot.objects.get()
    assert response.headers["Location"] == snapshot.get_absolute_url()
    assert snapshot.created_by == lea
    lead_client.post(CREATE_SNAPSHOT)
    assert Snapshot.objects.count() == 1
    page = lead_client.get(snapshot.get_absolute_url()).content.decode()
    assert snapshot.digest in page
    assert snapshot.short in lead_client.get(PAGE).content.decode()


@pytest.mark.usefixtures("decided")
def test_filters_apply_to_the_snapshot_and_impossible_ones_are_explained(lead_client: Client) -> None:
    technical = Category.objects.get(name="Technical").pk
    lead_client.post(CREATE_SNAPSHOT, {"category": [technical], "since": "2020-01-01", "language": ""})
    assert Snapshot.objects.get().filters == {"since": "2020-01-01", "category": str(technical)}
    response = lead_client.post(CREATE_SNAPSHOT, {"people": 5})
    assert response.status_code == 422
    assert "No settled label matches these filters" in response.content.decode()
    response = lead_client.post(CREATE_SNAPSHOT, {"people": 0})
    assert response.status_code == 422
    assert "aria-invalid" in response.content.decode()


@pytest.mark.usefixtures("decided", "without_pyarrow")
def test_the_page_says_how_to_install_pyarrow_and_still_offers_other_formats(lead_client: Client) -> None:
    url = reverse("review:download", args=[snapshots.create_snapshot().short])
    refused = lead_client.get(url, {"format": "hf"})
    assert refused.status_code == 422
    assert "Hugging Face dataset needs the package pyarrow: run “make data”" in refused.content.decode()
    in_german = lead_client.get(url, {"format": "parquet"}, headers={"Accept-Language": "de"}).content.decode()
    assert "Parquet braucht das Paket pyarrow: Führen Sie „make data“" in in_german
    assert content(lead_client.get(url, {"format": "csv"}))


@pytest.mark.usefixtures("decided")
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_can_be_downloaded(lead_client: Client, format: str) -> None:
    snapshot = snapshots.create_snapshot()
    url = reverse("review:download", args=[snapshot.short])
    response: Any = lead_client.get(url, {"format": format, "masked": "on", "licence": "MIT"})
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="ticketclf-{snapshot.short}.')
    expected = exporting.stream(snapshot, FORMATS[format], masked=True, licence="MIT")
    assert content(response) == b"".join(expected)


@pytest.mark.usefixtures("decided")
def test_an_unknown_format_is_refused_and_the_manifest_can_be_downloaded_alone(lead_client: Client) -> None:
    snapshot = snapshots.create_snapshot()
    assert lead_client.get(reverse("review:download", args=[snapshot.short]), {"format": "xls"}).status_code == 422
    response: Any = lead_client.get(reverse("review:manifest", args=[snapshot.short]), {"licence": "MIT"})
    assert json.loads(content(response))["licence"] == "MIT"
    assert lead_client.get(reverse("review:snapshot", args=["ffff"])).status_code == 404


@pytest.mark.usefixtures("decided")
@pytest.mark.parametrize("page", ["snapshot", "download", "manifest", "labelling_config"])
def test_an_unknown_or_ambiguous_snapshot_is_not_found(lead_client: Client, page: str) -> None:
    snapshot, other = snapshots.create_snapshot(), snapshots.create_snapshot({"until": date(2100, 1, 1)})
    Snapshot.objects.filter(pk=other.pk).update(digest=snapshot.short + "0" * 52)
    for digest in (snapshot.digest[:1], snapshot.short):
        assert lead_client.get(reverse(f"review:{page}", args=[digest]), {"format": "jsonl"}).status_code == 404
    assert lead_client.get(reverse(f"review:{page}", args=[snapshot.digest]), {"format": "jsonl"}).status_code == 200


@pytest.mark.usefixtures("decided")
def test_the_labelling_interface_can_be_downloaded(lead_client: Client) -> None:
    snapshot = snapshots.create_snapshot()
    url = reverse("review:labelling_config", args=[snapshot.short])
    assert f'href="{url}"' in lead_client.get(snapshot.get_absolute_url()).content.decode()
    response: Any = lead_client.get(url)
    assert response.headers["Content-Disposition"] == f'attachment; filename="ticketclf-{snapshot.short}.labelling.xml"'
    assert '<Choice value="Technical"' in content(response).decode()


@pytest.mark.usefixtures("decided")
def test_the_manifest_counts_what_the_format_holds(lead_client: Client) -> None:
    runs.load_built_in()
    snapshot = snapshots.create_snapshot()
    url = reverse("review:manifest", args=[snapshot.short])
    whole, chat = (json.loads(content(lead_client.get(url, {"format": name}))) for name in ("csv", "openai"))
    assert whole["records"] == sum(whole["sides"].values()) == 7
    assert chat["records"] == whole["sides"].get("training", 7)


@pytest.mark.usefixtures("decided")
def test_erased_records_are_counted_without_more_queries(
    lead_client: Client, django_assert_max_num_queries: Any
) -> None:
    snapshot = snapshots.create_snapshot()
    assert "Erased since" not in lead_client.get(snapshot.get_absolute_url()).content.decode()
    erasure.erase(Ticket.objects.filter(text="=1+1"))
    with django_assert_max_num_queries(10):
        page = lead_client.get(snapshot.get_absolute_url()).content.decode()
    assert "Erased since" in page
    response = lead_client.get(reverse("review:download", args=[snapshot.short]), {"format": "jsonl"})
    assert [json.loads(line)["text"] for line in content(response).splitlines()] == ["<script>alert(1)</script> broke"]


def upload(text: str, name: str = "theirs.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


THEIRS = "Body,category,sentiment\nIt <b>broke</b>,Technical,Negative\nHello,<i>Sales</i>,Neutral\n"


def read(client: Client, file: SimpleUploadedFile, **chosen: Any) -> LabelImport:
    """Upload a file, and have a worker read it as chosen."""
    client.post(IMPORT, {"file": file})
    uploaded = LabelImport.objects.latest("pk")
    label_imports.run(uploaded.pk)
    if chosen:
        client.post(reverse("review:read_again", args=[uploaded.pk]), chosen)
        label_imports.run(uploaded.pk)
    uploaded.refresh_from_db()
    return uploaded


def page_of(client: Client, label_import: LabelImport) -> str:
    return client.get(label_import.get_absolute_url()).content.decode()


MAPPED = {"text": "Body", "category": "category", "sentiment": "sentiment"}


def test_a_file_is_imported_in_the_background_after_a_dry_run(lead_client: Client) -> None:
    response = lead_client.post(IMPORT, {"file": upload(THEIRS)})
    uploaded = LabelImport.objects.get()
    assert response.headers["Location"] == uploaded.get_absolute_url()
    assert queued("review.datasets.tasks.run_label_import")[0].args == [uploaded.pk]
    assert "Reading the file" in page_of(lead_client, uploaded)
    label_imports.run(uploaded.pk)
    page = page_of(lead_client, uploaded)
    assert "No column is known to hold the text" not in page
    assert "Would be added" in page
    assert "&lt;i&gt;Sales&lt;/i&gt;" in page
    assert not GoldLabel.objects.exists()
    uploaded = read(lead_client, upload(THEIRS), **MAPPED, **{"import": ""})
    assert "Import result" in page_of(lead_client, uploaded)
    assert GoldLabel.objects.get().text == "It <b>broke</b>"
    assert not uploaded.parts.exists(), "the file is kept no longer than needed"


def test_every_column_and_label_can_be_chosen(lead_client: Client) -> None:
    theirs = "Message 1,category,sentiment,Split,Lang\nIt broke,Tech,Negative,test,en\n"
    mapped = {**MAPPED, "text": "Message 1", "side": "Split", "language": "Lang"}
    uploaded = read(lead_client, upload(theirs), **mapped)
    assert uploaded.report["unknown"] == [["category", "Tech", 1]]
    assert '<option value="Technical">' in page_of(lead_client, uploaded)
    chosen = mapped | {"label-0": "Technical", "import": ""}
    lead_client.post(reverse("review:read_again", args=[uploaded.pk]), chosen)
    label_imports.run(uploaded.pk)
    label = GoldLabel.objects.get()
    assert (label.side, label.language, label.label) == ("benchmark", "en", "Technical | Negative")
    refused = lead_client.post(reverse("review:read_again", args=[uploaded.pk]), chosen | {"side": "Nowhere"})
    assert refused.status_code == 422


def test_the_first_rows_are_shown_in_the_encoding_that_is_chosen(lead_client: Client) -> None:
    theirs = SimpleUploadedFile("theirs.csv", "Body,category\nСчёт неверный,Billing\n".encode("cp1251"))
    uploaded = read(lead_client, theirs, encoding="koi8-r", **MAPPED | {"sentiment": ""})
    assert uploaded.rows == [["Счёт неверный".encode("cp1251").decode("koi8-r"), "Billing"]]
    url = reverse("review:read_again", args=[uploaded.pk])
    lead_client.post(url, {"encoding": "", **MAPPED, "sentiment": "", "import": ""})
    assert "<b>Text</b><br><bdi>Body</bdi>" in page_of(lead_client, uploaded)
    label_imports.run(uploaded.pk)
    assert GoldLabel.objects.get().text == "Счёт неверный"
    uploaded.refresh_from_db()
    assert (uploaded.decoded_as.lower(), uploaded.rows) == ("windows-1251", [])


def test_unknown_labels_are_drafted(lead_client: Client, admin_client: Client) -> None:
    theirs = "text,category,sentiment\nIt broke,Sales > Trial,Furious\nHello,Billing > Refunds,Neutral\n"
    uploaded = read(lead_client, upload(theirs))
    url = reverse("review:draft_unknown_labels", args=[uploaded.pk])
    assert lead_client.post(url).status_code == 403
    assert url in admin_client.get(uploaded.get_absolute_url()).content.decode()
    admin_client.post(url)
    drafts.publish(Draft.objects.get(), None)
    assert list(Category.objects.active().paths().values())[-2:] == ["Sales", "Sales > Trial"]
    assert Category.objects.get(name="Refunds").parent == Category.objects.get(name="Billing")
    assert [sentiment.name for sentiment in Sentiment.objects.active()][-1] == "Furious"
    lead_client.post(reverse("review:read_again", args=[uploaded.pk]), {**MAPPED, "text": "text", "import": ""})
    label_imports.run(uploaded.pk)
    assert GoldLabel.objects.count() == 2


def test_a_file_whose_end_is_missing_says_so_on_its_page(lead_client: Client) -> None:
    rows = "".join(f'{{"text": "{number}", "category": "Billing", "sentiment": "Neutral"}},\n' for number in range(3))
    uploaded = read(lead_client, upload("[" + rows, "cut.json"))
    assert uploaded.state == LabelImport.State.FAILED
    assert "ends early" in page_of(lead_client, uploaded)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [(None, "", "required"), ("PAR1cut", "x.parquet", "damaged"), ("%PDF-1.7", "x.pdf", "PDF")],
)
def test_an_unusable_file_is_refused_with_the_reason(
    lead_client: Client, content: str | None, name: str, message: str
) -> None:
    response = lead_client.post(IMPORT, {} if content is None else {"file": upload(content, name)})
    assert response.status_code == 422
    assert message in response.content.decode()


def test_an_import_of_a_worker_that_died_begins_again(lead_client: Client) -> None:
    lead_client.post(IMPORT, {"file": upload(THEIRS)})
    uploaded = LabelImport.objects.get()
    leases.acquire(LabelImport.objects.waiting())
    label_imports.run(uploaded.pk)
    uploaded.refresh_from_db()
    assert uploaded.state == LabelImport.State.RUNNING, "another worker has it"
    LabelImport.objects.update(available_at=timezone.now() - timedelta(seconds=1))
    sweep.sweep()
    assert queued("review.datasets.tasks.run_label_import")
    label_imports.run(uploaded.pk)
    uploaded.refresh_from_db()
    assert uploaded.state == LabelImport.State.FINISHED


def test_an_uploaded_file_is_deleted_after_a_day(lead_client: Client) -> None:
    uploaded = read(lead_client, upload(THEIRS))
    sweep.sweep()
    assert uploaded.parts.exists()
    LabelImport.objects.update(created_at=timezone.now() - uploads.KEPT)
    sweep.sweep()
    assert not uploaded.parts.exists()
    assert "How the file is read" not in page_of(lead_client, uploaded)


def test_the_page_costs_the_same_however_many_labels(lead_client: Client, django_assert_num_queries: Any) -> None:
    runs.load_built_in()
    snapshots.create_snapshot()
    with django_assert_num_queries(16):
        lead_client.get(PAGE)


# The admin


@pytest.fixture
def ada(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


LABELS = "admin:review_goldlabel_changelist"


def act(client: Client, action: str, *labels: GoldLabel) -> str:
    chosen = {"action": action, "_selected_action": [label.pk for label in labels]}
    return str(client.post(reverse(LABELS), chosen, follow=True).content.decode())


def test_a_label_that_an_admin_adds_gets_a_side(ada: Client) -> None:
    given = {
        "text": "Where is my invoice?",
        "category": Category.objects.get(name="Billing").pk,
        "sentiment": Sentiment.objects.get(name="Neutral").pk,
        "language": "en",
        "source": "",
        "note": "",
    }
    ada.post(reverse("admin:review_goldlabel_add"), given)
    label = GoldLabel.objects.get()
    assert (label.origin, label.side != "", label.bands.count()) == ("admin", True, 16)
    page = ada.post(reverse("admin:review_goldlabel_add"), given).content.decode()
    assert "already has a label" in page


def test_an_admin_retires_and_restores_labels(ada: Client) -> None:
    runs.load_built_in()
    label = GoldLabel.objects.all()[0]
    assert "1 label is retired" in act(ada, "retire", label)
    assert GoldLabel.objects.usable().count() == 4
    assert "1 label is in use again" in act(ada, "put_back", label)
    assert GoldLabel.objects.usable().count() == 5


def test_an_admin_disputes_labels(ada: Client) -> None:
    runs.load_built_in()
    assert "2 labels go to two people each" in act(ada, "dispute", *GoldLabel.objects.all()[:2])
    assert Assignment.objects.open().filter(blind=True, purpose="double").count() == 4
    assert "0 labels" in act(ada, "dispute", *GoldLabel.objects.filter(state="disputed"))


def test_a_gold_label_cannot_be_edited_in_the_admin(ada: Client) -> None:
    runs.load_built_in()
    label = GoldLabel.objects.all()[0]
    page = ada.get(reverse("admin:review_goldlabel_change", args=[label.pk])).content.decode()
    assert 'name="category"' not in page
    ada.post(reverse("admin:review_goldlabel_change", args=[label.pk]), {"note": "Seen.", "category": 1, "text": "x"})
    text = label.text
    label.refresh_from_db()
    assert (label.text, label.note) == (text, "Seen.")


@pytest.mark.parametrize("query", ["", "?side=benchmark", "?side=none", "?look=wanted", "?q=invoice"])
def test_the_admin_list_of_gold_labels_can_be_filtered(ada: Client, query: str) -> None:
    runs.load_built_in()
    gold_labels.collect_from_decisions()
    snapshots.create_snapshot()
    response = ada.get(reverse(LABELS) + query)
    assert response.status_code == 200
    assert "Export or import" in response.content.decode()
    assert ada.get(reverse("admin:review_snapshot_changelist")).status_code == 200
    assert ada.get(reverse("admin:review_run_changelist")).status_code == 200
