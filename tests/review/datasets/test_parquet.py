"""Parquet and the folder of a Hugging Face dataset: what other tools see in them."""

import io
import json
import os
import zipfile
from pathlib import Path

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from review.datasets.formats import hf, labels
from review.datasets.reading import RecordReader, UnreadableDataset
from review.datasets.record import Record
from tests.review.datasets.samples import CATEGORIES, SENTIMENTS, elsewhere, exported, loaded, make, manifest_of

pytestmark = pytest.mark.once

RECORDS = [
    make("Refund me", corrected=True, model_category="Billing", model_sentiment="neutral", model_confidence=0.25),
    make("Größe: 漢字", category="Billing > Invoice", sentiment="negative", share=0.1),
    make("Thanks", category='Ärger, "laut"', side="benchmark", people=3, labelled_at="2026-01-31T12:00:00+00:00"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hf.write_folder(iter(RECORDS), manifest_of(RECORDS, licence="cc-by-4.0"), tmp_path / "dataset")
    return tmp_path / "dataset"


def test_pandas_reads_parquet_with_its_types() -> None:
    table = pandas.read_parquet(io.BytesIO(exported(RECORDS, "parquet")))
    fields = table[list(Record._fields[:-1])].astype(object)
    rows = [Record(*row) for row in fields.where(fields.notna(), None).itertuples(index=False)]
    assert rows == RECORDS
    assert list(table["category_id"]) == [0, 1, 4]
    assert list(table["split"]) == ["train", "train", "test"]


def test_scikit_learn_trains_on_the_parquet_export() -> None:
    table = pandas.read_parquet(io.BytesIO(exported(RECORDS, "parquet")))
    train = table[table["split"] == "train"]
    words = CountVectorizer().fit_transform(train["text"])
    assert list(LogisticRegression().fit(words, train["category_id"]).predict(words)) == [0, 1]


def test_parquet_carries_its_manifest() -> None:
    metadata = pq.read_schema(io.BytesIO(exported(RECORDS, "parquet"))).metadata
    assert metadata[b"ticketclf"] == manifest_of(RECORDS).as_json()


def test_a_label_missing_from_the_manifest_has_no_number() -> None:
    data = exported([make(category="New")], "parquet", categories={})
    assert pq.read_table(io.BytesIO(data))["category_id"].to_pylist() == [None]
    assert loaded(data) == [make(category="New")]


def test_hugging_face_datasets_loads_the_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")

    dataset = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert sorted(dataset) == ["test", "train"]
    rows = [*dataset["train"], *dataset["test"]]
    assert [Record(**{name: row[name] for name in Record._fields[:-1]}) for row in rows] == RECORDS
    assert dataset["train"].features["category_id"].names == list(CATEGORIES)
    assert dataset["train"].features["sentiment_id"].names == list(SENTIMENTS)
    assert dataset["test"].features["category_id"].int2str(4) == CATEGORIES[4]
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_hugging_face_datasets_loads_a_folder_with_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    hf.write_folder(RECORDS[:2], manifest_of(RECORDS[:2]), tmp_path / "dataset")
    dataset = datasets.load_dataset(str(tmp_path / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert list(dataset) == ["train"]
    assert dataset["train"]["text"][:] == ["Refund me", "Größe: 漢字"]


def test_the_card_begins_with_the_hubs_metadata(folder: Path) -> None:
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    values = yaml.safe_load(front)
    assert values["license"] == "cc-by-4.0"
    assert values["task_categories"] == ["text-classification"]
    assert values["size_categories"] == ["n<1K"]
    [config] = values["configs"]
    assert {file["split"]: file["path"] for file in config["data_files"]} == {
        "train": "data/train-00000-of-00001.parquet",
        "test": "data/test-00000-of-00001.parquet",
    }
    assert all((folder / file["path"]).is_file() for file in config["data_files"])
    features = {feature["name"]: feature["dtype"] for feature in values["dataset_info"]["features"]}
    assert features["text"] == "string"
    assert features["category_id"]["class_label"]["names"] == {str(n): name for n, name in enumerate(CATEGORIES)}
    assert "| Billing > Invoice | 1 | What is Billing > Invoice |" in body


def test_special_characters_do_not_break_the_card(tmp_path: Path) -> None:
    odd = "a: 'b' \"c\" # | <x>\n---\n- ☃\u2028\x85"
    record = make(category=odd)
    hf.write_folder([record], manifest_of([record], licence=odd, filters={odd: odd}), tmp_path)
    _, front, body = (tmp_path / "README.md").read_text().split("---\n", 2)
    values = yaml.safe_load(front)
    assert values["license"] == odd
    features = {feature["name"]: feature["dtype"] for feature in values["dataset_info"]["features"]}
    assert features["category_id"]["class_label"]["names"]["4"] == odd
    assert not [line for line in body.splitlines() if line.startswith("---")]


def test_the_archive_holds_the_folder(folder: Path) -> None:
    data = exported(RECORDS, "hf", licence="cc-by-4.0")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    written = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert held == written
    assert json.loads(held["manifest.json"])["records"] == 3


def test_a_folder_replaces_an_earlier_export_and_nothing_else(folder: Path) -> None:
    training = [record for record in RECORDS if record.side == "training"]
    hf.write_folder(training, manifest_of(training), folder)
    assert [path.name for path in (folder / "data").iterdir()] == ["train-00000-of-00001.parquet"]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="sort them by side"):
        hf.write_folder([make(), make(side="benchmark"), make()], manifest_of([]), folder)
    (folder / "data" / "mine.csv").write_text("Do not lose me.")
    with pytest.raises(FileExistsError, match="something that no export wrote"):
        hf.write_folder(RECORDS, manifest_of(RECORDS), folder)
    (folder / "data" / "mine.csv").unlink()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    (folder / "manifest.json").unlink()
    with pytest.raises(FileExistsError, match="something that no export wrote"):
        hf.write_folder(RECORDS, manifest_of(RECORDS), folder)


def test_an_archive_of_mixed_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="sort them by side"):
        exported([make(), make(side="benchmark"), make()], "hf")


def test_splits_of_other_datasets_give_the_side() -> None:
    table = pa.table({"text": ["Hi"], "label": ["Billing"], "sentiment": ["neutral"]})
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for split in ("train", "test", "validation"):
            file = io.BytesIO()
            pq.write_table(table, file)
            archive.writestr(f"mine/data/{split}-00000-of-00001.parquet", file.getvalue())
    assert loaded(written.getvalue()) == [make("Hi"), elsewhere("Hi"), make("Hi", side="benchmark")]


def test_other_parquet_files_are_read_by_mapping() -> None:
    file = io.BytesIO()
    topics = pandas.Categorical(["a", "b", "a"])
    pandas.DataFrame({"Body": ["Hi", "Ho", None], "topic": topics, "mood": [1, 2, 3]}).to_parquet(file)
    records = loaded(file.getvalue(), "x.parquet", {"category": "topic", "sentiment": "mood"})
    assert records[:2] == [elsewhere("Hi", category="a", sentiment="1"), elsewhere("Ho", category="b", sentiment="2")]
    assert records[2] == (3, "The text is empty: fill it in, or leave the record out.")


def test_damaged_parquet_is_refused() -> None:
    data = exported([make(f"Ticket {number}") for number in range(100)], "parquet")
    for broken in (data[: len(data) // 2], data[:-4], b"PAR1", b"PAR1" + b"\xff" * 1000 + b"PAR1"):
        with pytest.raises(UnreadableDataset, match="damaged or cut short"):
            loaded(broken)
    middle = len(data) // 4
    with pytest.raises(UnreadableDataset, match="damaged or cut short"):
        loaded(data[:middle] + b"\xff" * 500 + data[middle + 500 :])


def test_a_text_repeated_millions_of_times_takes_little_memory() -> None:
    once = pa.array(["x" * 900_000])
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), once)
    labels = ["Billing"] * 20_000
    file = io.BytesIO()
    pq.write_table(pa.table({"text": texts, "category": labels, "sentiment": labels}), file, store_schema=False)
    before = pa.total_allocated_bytes()
    rows = iter(RecordReader(file, "x.parquet"))
    for _ in range(1_000):
        assert isinstance(next(rows), Record)
    assert pa.total_allocated_bytes() - before < 50_000_000


def test_a_zip_bomb_is_refused() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/train-0.parquet", bytes(30_000_000))
    with pytest.raises(UnreadableDataset, match="unpacks to more than"):
        loaded(written.getvalue())


def test_other_archives_are_refused() -> None:
    data = exported(RECORDS, "hf")
    with pytest.raises(UnreadableDataset, match="damaged"):
        loaded(data[: len(data) // 2])
    spreadsheet = io.BytesIO()
    with zipfile.ZipFile(spreadsheet, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(UnreadableDataset, match="as CSV"):
        loaded(spreadsheet.getvalue(), "book.xlsx")


def test_labels_are_numbered_in_taxonomy_order() -> None:
    manifest = manifest_of([make(category="Zeta"), make(category="Alpha"), make()])
    assert list(labels.label_numbers(manifest, "categories")) == [*CATEGORIES[:-1], "Alpha", "Zeta"]
