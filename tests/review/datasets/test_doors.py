"""From what people decided to a file and back, through the commands."""

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from classifier.models import Category, Draft, Gate, Ticket
from classifier.privacy import erasure
from classifier.taxonomy import drafts, label_changes
from review.datasets import exporting
from review.datasets.formats.registry import FORMATS
from review.datasets.importing import import_labels
from review.datasets.reading import RecordReader
from review.datasets.record import Record
from review.gold import gold_labels, snapshots
from review.models import DuplicateGroup, GoldLabel, Snapshot, SnapshotItem
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer

pytestmark = pytest.mark.usefixtures("catalogue")

TEXTS = ["Where is my invoice?", "=HYPERLINK(1)", "Write to jo@example.org, 4111 1111 1111 1111", "Ünïcode\n<b>it</b>"]


@pytest.fixture
def decided(ana: User, catalogue: None) -> None:
    configure_review(benchmark_share=0.5)
    for text in TEXTS:
        answer(send_to_review(make_ticket(text, language="en"), confidence=0.4)[0], ana, "Account", "Negative")
    gold_labels.collect_from_decisions()


def forget() -> None:
    """As another installation would be."""
    SnapshotItem.objects.all().delete()
    Snapshot.objects.all().delete()
    GoldLabel.objects.all().delete()
    DuplicateGroup.objects.exclude(side="").delete()


def export(tmp_path: Path, format: str, **options: Any) -> Path:
    path = tmp_path / f"out{FORMATS[format].suffix}"
    call_command("export_dataset", **{"format": format, "output": path, **options})
    return path


def bring(*rows: dict[str, Any]) -> None:
    lines = [json.dumps({"category": "Account", "sentiment": "Neutral", **row}) for row in rows]
    report = import_labels(RecordReader(BytesIO("\n".join(lines).encode()), "x.jsonl"))
    assert report.added == len(rows)


@pytest.mark.usefixtures("decided")
@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "hf", "labelstudio", "spacy"])
def test_an_export_can_be_imported_completely(tmp_path: Path, format: str) -> None:
    path = export(tmp_path, format)
    before = list(exporting.snapshot_records(snapshots.create_snapshot()))
    forget()
    call_command("import_dataset", str(path))
    assert list(exporting.snapshot_records(snapshots.create_snapshot())) == before
    again = tmp_path / "again"
    call_command("export_dataset", format="jsonl", output=again)
    assert [json.loads(line)["text"] for line in again.read_text().splitlines()] == [record.text for record in before]


@pytest.mark.usefixtures("decided")
def test_the_commands_say_how_to_install_pyarrow(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    paths = [export(tmp_path, format) for format in ("parquet", "hf")]
    request.getfixturevalue("without_pyarrow")
    for format in ("parquet", "hf"):
        with pytest.raises(CommandError, match="needs the package pyarrow"):
            export(tmp_path, format)
    for path in paths:
        with pytest.raises(CommandError, match="needs the package pyarrow.* or bring CSV or JSON lines"):
            call_command("import_dataset", str(path))


@pytest.mark.usefixtures("decided")
def test_the_same_snapshot_exports_byte_for_byte_the_same(tmp_path: Path, ana: User) -> None:
    before = {format: export(tmp_path, format).read_bytes() for format in FORMATS}
    snapshot = Snapshot.objects.get()
    answer(send_to_review(make_ticket("something new"))[0], ana, "Billing")
    Category.objects.filter(name="Account").update(name="Accounts", description="Changed.")
    gold_labels.collect_from_decisions()
    after = {format: export(tmp_path, format, snapshot=snapshot.short).read_bytes() for format in FORMATS}
    assert after == before


@pytest.mark.usefixtures("decided")
def test_an_export_comes_with_a_manifest(tmp_path: Path) -> None:
    path = export(tmp_path, "csv", licence="CC-BY-4.0", mask=True, since="2020-01-01")
    manifest = json.loads((tmp_path / (path.name + ".manifest.json")).read_text())
    assert manifest["records"] == 4
    assert (manifest["licence"], manifest["masked"]) == ("CC-BY-4.0", True)
    assert manifest["filters"] == {"since": "2020-01-01"}
    assert manifest["categories"] == {"Account": 4}
    assert manifest["snapshot"] == Snapshot.objects.get().digest


@pytest.mark.usefixtures("decided")
def test_masked_exports_reveal_no_personal_data_even_by_digest(tmp_path: Path) -> None:
    plain = export(tmp_path, "jsonl").read_text()
    assert "jo@example.org" in plain
    masked = export(tmp_path, "jsonl", mask=True).read_text()
    assert "jo@example.org" not in masked
    assert "4111 1111" not in masked
    record = next(record for record in map(json.loads, masked.splitlines()) if "[email]" in record["text"])
    assert record["key"] == GoldLabel.digest_of(record["text"])


@pytest.mark.usefixtures("decided")
@pytest.mark.parametrize("narrowed", [{"side": "training"}, {"corrected": True}, {"category": ["Account"]}])
def test_an_existing_snapshot_cannot_be_filtered(tmp_path: Path, narrowed: Any) -> None:
    snapshot = snapshots.create_snapshot()
    with pytest.raises(CommandError, match="leave out --snapshot to create a new one"):
        export(tmp_path, "jsonl", snapshot=snapshot.short, **narrowed)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("decided")
def test_chat_examples_teach_the_contract_in_force(tmp_path: Path) -> None:
    export(tmp_path, "openai")
    Gate.objects.update_or_create(pk=1, defaults={"instructions": "Be quick."})
    example = json.loads(export(tmp_path, "openai").read_text().splitlines()[0])
    assert "Be quick." in example["messages"][0]["content"]


def test_the_count_of_chat_examples_excludes_the_benchmark_side(tmp_path: Path, capsys: Any) -> None:
    configure_review()
    sides = {TEXTS[0]: "training", "The export is slow.": "training", "I lost my key.": "benchmark"}
    bring(*({"text": text, "side": side} for text, side in sides.items()))
    path = export(tmp_path, "openai")
    output = capsys.readouterr()
    manifest = json.loads((tmp_path / f"{path.name}.manifest.json").read_text())
    assert len(path.read_text().splitlines()) == manifest["records"] == 2
    assert (manifest["sides"], manifest["categories"]) == ({"training": 2}, {"Account": 2})
    assert output.out.startswith("2 labels of snapshot")
    assert "1 of the benchmark side were left out" in output.out
    assert "OpenAI trains on no fewer than 10 examples" in output.err


def test_records_erased_since_the_snapshot_are_left_out_and_counted(tmp_path: Path, ana: User, capsys: Any) -> None:
    configure_review(benchmark_share=0)
    for text in (*TEXTS, "Forget me, please."):
        answer(send_to_review(make_ticket(text))[0], ana, "Account", "Negative")
    gold_labels.collect_from_decisions()
    snapshot = snapshots.create_snapshot()
    erasure.erase(Ticket.objects.filter(text="Forget me, please."))
    erasure.erase(Ticket.objects.filter(text=TEXTS[2]), masks=True)
    for format in FORMATS:
        path = export(tmp_path, format, snapshot=snapshot.short)
        records = [
            record for record in RecordReader(BytesIO(path.read_bytes()), path.name) if isinstance(record, Record)
        ]
        masked = "Write to [email], [card]"
        assert sorted(record.text for record in records) == sorted([TEXTS[0], TEXTS[1], masked, TEXTS[3]])
        assert {record.key for record in records} == {GoldLabel.digest_of(record.text) for record in records}
        assert "4 labels of snapshot" in (output := capsys.readouterr().out)
        assert "1 were erased since the snapshot was created" in output
    manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert (manifest["records"], manifest["erased"]) == (4, 1)
    assert (manifest["sides"], manifest["categories"]) == ({"training": 4}, {"Account": 4})


@pytest.mark.usefixtures("decided")
def test_standard_output_gets_the_records_and_nothing_else(capfdbinary: Any, tmp_path: Path) -> None:
    expected = export(tmp_path, "jsonl").read_bytes()
    capfdbinary.readouterr()
    for output in (Path("-"), Path("/dev/stdout")):
        export(tmp_path, "jsonl", output=output)
        output = capfdbinary.readouterr()
        assert output.out == expected
        assert b"no manifest was written" in output.err
    assert Path("/dev/stdout").is_symlink()
    assert not Path("-").exists()


@pytest.mark.usefixtures("decided")
def test_pipes_and_symbolic_links_are_not_replaced(tmp_path: Path) -> None:
    expected = export(tmp_path, "jsonl").read_bytes()
    pipe, link, target = (tmp_path / name for name in ("pipe", "link", "target"))
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    export(tmp_path, "jsonl", output=pipe)
    assert os.read(reader, 1_000_000) == expected
    os.close(reader)
    assert pipe.is_fifo()
    target.write_text("before")
    link.symlink_to(target)
    export(tmp_path, "jsonl", output=link)
    assert link.is_symlink()
    assert target.read_bytes() == expected


@pytest.mark.usefixtures("decided")
def test_label_studio_tasks_come_with_their_labelling_interface(tmp_path: Path) -> None:
    path = export(tmp_path, "labelstudio")
    interface = (tmp_path / f"{path.name}.labelling.xml").read_text()
    assert '<Choices name="category" toName="text"' in interface
    assert '<Choice value="Account"' in interface


@pytest.mark.usefixtures("decided")
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("Chapter one")
    with pytest.raises(CommandError, match="something that no export wrote; name a new folder"):
        call_command("export_dataset", format="hf", output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("decided")
def test_hugging_face_exports_are_folders_with_a_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    call_command("export_dataset", format="hf", output=folder)
    assert {path.name for path in folder.iterdir()} == {"README.md", "data", "manifest.json"}


@pytest.mark.usefixtures("decided")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"category": ["Sales"]}, "Unknown label Sales; known labels: Billing"),
        ({"people": 3}, "No settled label matches"),
        ({"snapshot": "ffff"}, "No single snapshot"),
        ({"snapshot": "", "output": Path("/nowhere/x.jsonl")}, "cannot be written"),
    ],
)
def test_an_impossible_export_is_refused_with_the_reason(tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        export(tmp_path, "jsonl", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("decided")
def test_a_failed_export_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> Any:
        yield b"half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "stream", broken)
    with pytest.raises(CommandError, match="No space left"):
        export(tmp_path, "jsonl")
    assert not list(tmp_path.iterdir())


# Taking in


def test_another_table_is_imported_by_mapping_after_a_dry_run(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("Body,Topic,Mood\nIt broke,Technical,Negative\nHello,Sales,Neutral\n,Billing,Neutral\n")
    columns = ["text=Body", "category=Topic", "sentiment=Mood"]
    call_command("import_dataset", str(path), "--dry-run", *[f"--map={column}" for column in columns])
    output = capsys.readouterr()
    assert "columns: text=Body, category=Topic, sentiment=Mood\n" in output.out
    assert "3 records: 1 would be added, 0 known already, 2 rejected" in output.out
    assert "unknown labels: Sales (1)" in output.out
    assert '--label "OLD=NEW"' in output.out
    assert "record 2: The taxonomy has no label Sales." in output.err
    assert not GoldLabel.objects.exists()
    call_command("import_dataset", str(path), *[f"--map={column}" for column in columns])
    label = GoldLabel.objects.get()
    assert (label.text, label.origin, label.category.name) == ("It broke", "import", "Technical")


def test_labels_that_the_taxonomy_lacks_are_drafted(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(f"text,category,sentiment\nHello,Sales > EU,Furious\nHi,{'x' * 90},Neutral\nHo,Billing,Neutral\n")
    call_command("import_dataset", str(path), "--dry-run", "--draft")
    draft = Draft.objects.get()
    assert drafts.summary(draft).changes == ["Sales is added.", "Sales > EU is added.", "Furious is added."]
    output = capsys.readouterr()
    assert f"draft {draft.pk}: Labels of theirs.csv" in output.out
    assert "is longer than 80 characters" in output.err


ONE_AXIS = [
    {"text": "The invoice of March is wrong", "category": "Billing"},
    {"text": "I am delighted with your answer", "sentiment": "Positive"},
    {"text": "The app crashes when I scroll", "category": "Technical", "sentiment": "Negative"},
]


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "openai"])
def test_a_label_of_one_axis_is_kept_through_export_and_import(tmp_path: Path, format: str) -> None:
    configure_review(benchmark_share=0)
    import_labels(RecordReader(BytesIO("\n".join(map(json.dumps, ONE_AXIS)).encode()), "x.jsonl"))
    path = export(tmp_path, format)
    before = list(exporting.snapshot_records(snapshots.create_snapshot()))
    assert sorted((record.category, record.sentiment) for record in before) == [
        ("", "Positive"),
        ("Billing", ""),
        ("Technical", "Negative"),
    ]
    forget()
    call_command("import_dataset", str(path))
    assert list(exporting.snapshot_records(snapshots.create_snapshot())) == before


def test_chat_examples_leave_out_labels_of_one_axis(tmp_path: Path) -> None:
    import_labels(RecordReader(BytesIO("\n".join(map(json.dumps, ONE_AXIS)).encode()), "x.jsonl"))
    path = export(tmp_path, "openai")
    assert len(path.read_text().splitlines()) == 1
    assert json.loads((tmp_path / f"{path.name}.manifest.json").read_text())["records"] == 1


def test_a_file_of_the_other_axis_completes_a_label() -> None:
    text = {"text": "The invoice of March is wrong"}
    rows = [text | {"category": "Billing"}, text | {"sentiment": "Negative"}, text | {"sentiment": "Positive"}]
    reports = [import_labels(RecordReader(BytesIO(json.dumps(row).encode()), "x.jsonl")) for row in rows]
    assert [(report.added, report.known, report.rejected) for report in reports] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert "Billing | Negative" in reports[-1].rejections[0].reason
    assert GoldLabel.objects.get().label == "Billing | Negative"


def test_labels_are_found_in_any_case() -> None:
    bring({"text": "Wrong invoice", "category": " billing ", "sentiment": "NEGATIVE"})
    assert GoldLabel.objects.get().label == "Billing | Negative"


def test_unknown_columns_are_refused_with_the_list_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("Body,Topic\nIt broke,Technical\n")
    with pytest.raises(CommandError, match="Body.*Topic"):
        call_command("import_dataset", str(path))


def test_imported_labels_without_a_side_are_drawn_to_both_sides(tmp_path: Path) -> None:
    configure_review(benchmark_share=0.5)
    path = tmp_path / "theirs.csv"
    words = ["invoice", "parcel", "printer", "password", "refund", "contract", "delivery", "screen"]
    texts = [f"{first} {second} {first * 2}" for first in words for second in words]
    path.write_text("text,category,sentiment\n" + "".join(f"{text},Account,Neutral\n" for text in texts))
    call_command("import_dataset", str(path))
    assert GoldLabel.objects.on_side("benchmark").exists()
    assert GoldLabel.objects.on_side("training").exists()


def test_merged_and_renamed_labels_are_imported_as_their_successors(tmp_path: Path, capsys: Any) -> None:
    configure_review()
    technical = Category.objects.get(name="Technical")
    outage = Category.objects.create(name="Outage", parent=technical)
    Category.objects.create(name="Whole region", parent=outage)
    bring({"text": "It is down", "category": "Technical > Outage"}, {"text": "An invoice", "category": "Billing"})
    bring({"text": "All of Europe cannot sign in", "category": "Technical > Outage > Whole region"})
    path = export(tmp_path, "jsonl")
    forget()
    label_changes.merge(outage, technical)
    Category.objects.filter(name="Billing").update(name="Payments")
    with pytest.raises(CommandError, match="no label 'Paymets'; known labels: 'Payments'"):
        call_command("import_dataset", str(path), "--label", "Billing=Paymets")
    call_command("import_dataset", str(path), "--label", "Billing = Payments")
    assert "3 records: 3 added" in capsys.readouterr().out
    assert {label.text: label.category.name for label in GoldLabel.objects.select_related("category")} == {
        "It is down": "Technical",
        "An invoice": "Payments",
        "All of Europe cannot sign in": "Whole region",
    }


@pytest.mark.usefixtures("decided")
def test_a_known_text_keeps_its_label_and_is_imported_once() -> None:
    lines = [
        {"text": TEXTS[0], "category": "Account", "sentiment": "Negative"},
        {"text": TEXTS[0], "category": "Billing", "sentiment": "Negative"},
        {"text": "new", "category": "Billing", "sentiment": "Neutral"},
        {"text": "new", "category": "Billing", "sentiment": "Neutral"},
        {"text": "new", "category": "Account", "sentiment": "Neutral"},
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    report = import_labels(RecordReader(BytesIO(content), "x.jsonl"))
    assert (report.added, report.known, report.rejected) == (1, 2, 2)
    assert GoldLabel.objects.get(text="new").category.name == "Billing"
    assert GoldLabel.objects.get(text=TEXTS[0]).category.name == "Account"
    again = import_labels(RecordReader(BytesIO(content), "x.jsonl"))
    assert again.added == 0


def test_a_side_is_kept_unless_a_near_duplicate_is_on_the_other() -> None:
    configure_review(benchmark_share=0)
    text = "My printer makes a very strange noise since the last update of the driver"
    first = {"text": text, "category": "Technical", "sentiment": "Neutral", "side": "benchmark"}
    second = first | {"text": text + "!", "side": "training"}
    third = first | {"text": "Refund me now, I have been charged two times", "side": "training"}
    import_labels(RecordReader(BytesIO("\n".join(map(json.dumps, [first, second, third])).encode()), "x.jsonl"))
    sides = {label.text: label.side for label in GoldLabel.objects.all()}
    assert sides == {first["text"]: "benchmark", second["text"]: "benchmark", third["text"]: "training"}
