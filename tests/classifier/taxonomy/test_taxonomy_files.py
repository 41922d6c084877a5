"""Files of taxonomies: what each format reads, what is refused and why, and that exports come back."""

import json
from typing import Any

import pytest

from classifier.models import Category, Sentiment
from classifier.taxonomy import importing
from classifier.taxonomy.files import reading, writing
from classifier.taxonomy.files.entries import LabelEntry, UnusableFile
from classifier.taxonomy.files.writing import FORMATS

pytestmark = pytest.mark.usefixtures("catalogue")

CSV = """Label;Description;Examples;Axis
Billing > Refunds;Money back.;"I want it back
Where is it?";
Angry;;;Sentiment
"""
YAML = """
categories:
  - name: Billing
    children:
      - name: Refunds
        description: Money back.
        examples: [I want it back, Where is it?]
sentiments: [Angry]
"""
JSON = json.dumps(
    {
        "categories": [
            {"name": "Billing > Refunds", "description": "Money back.", "examples": ["I want it back\nWhere is it?"]}
        ],
        "sentiments": "Angry",
    }
)


def read(content: str, name: str = "labels.txt") -> list[LabelEntry]:
    return reading.read(content.encode(), name)


def problems(content: str | bytes, name: str = "labels.txt") -> str:
    with pytest.raises(UnusableFile) as refused:
        reading.read(content if isinstance(content, bytes) else content.encode(), name)
    return str(refused.value)


@pytest.mark.parametrize(("name", "content"), [("a.csv", CSV), ("a.YML", YAML), ("a.json", JSON)])
def test_each_format_says_the_same_of_labels(name: str, content: str) -> None:
    refunds, angry = [entry for entry in read(content, name) if entry.path != ("Billing",)]
    assert refunds == LabelEntry(
        axis="category",
        path=("Billing", "Refunds"),
        description="Money back.",
        examples="I want it back\nWhere is it?",
    )
    assert angry == LabelEntry(axis="sentiment", path=("Angry",))


def test_pasted_lines_have_parents_and_descriptions() -> None:
    text = "# ours\n\n- Billing > Refunds: Money back.\n* Billing>Invoices\nShipping:\n•  10:30 delivery: late: again\n"
    assert [(entry.path, entry.description) for entry in read(text)] == [
        (("Billing", "Refunds"), "Money back."),
        (("Billing", "Invoices"), ""),
        (("Shipping",), ""),
        (("10:30 delivery",), "late: again"),
    ]


def test_a_yaml_list_of_names_and_lines_is_enough() -> None:
    entries = read("- Billing > Refunds: Money back.\n- No\n- 404\n- 2026-01-01\n", "a.yaml")
    assert [entry.path[-1] for entry in entries] == ["Refunds", "No", "404", "2026-01-01"]
    assert entries[0].description == "Money back."


def test_tags_of_yaml_make_no_objects() -> None:
    (entry,) = read("!!python/object/apply:os.system [echo hello]", "a.yaml")
    assert entry.path == ("echo hello",)


def test_invisible_characters_and_spaces_of_names_are_cleaned() -> None:
    (entry,) = read("\u200fBilling\u00a0 and\u200b   u\u0308ber: x \u00ad y")
    assert (entry.path, entry.description) == (("Billing and über",), "x y")


def test_names_that_look_like_anything_else_are_only_names() -> None:
    names = ["category", "__proto__", "confidence", '{"a":1}', "=1+1", "<b", "null", "الفواتير", "תשלומים", "請求"]
    assert [entry.path for entry in read("\n".join(names))] == [(name,) for name in names]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A: x\na: y", "Line 2: a is listed twice."),
        ("Ä" * 81, "is longer than 80 characters"),
        ("A: " + "b" * 301, "The description is longer than 300 characters."),
        ("A > > B", "A name is missing."),
        (" > ".join("abcdefghijk"), "nested more than 10 levels deep"),
        ("a\x07b", "has characters that a name can't have"),
        ("\n# only a remark\n", "The file has no labels."),
        ("\n".join(f"Label {number}" for number in range(2_001)), "more than 2000 labels"),
    ],
)
def test_lines_that_cannot_be_labels_are_refused_with_their_number(content: str, message: str) -> None:
    assert message in problems(content)


def test_a_repeated_line_without_anything_new_is_read_once() -> None:
    assert len(read("Billing: Money.\nbilling\nBILLING")) == 1


def test_all_problems_of_a_file_are_named_at_once() -> None:
    named = problems("name,axis,retired\n,,\nA,colour,\nB,,perhaps\nB > C,sentiment,\n", "a.csv").splitlines()
    assert [line.split(":")[0] for line in named] == ["Line 2", "Line 3", "Line 4", "Line 5"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "not valid JSON"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.json", '{"labels": []}', "an object with the lists"),
        ("a.json", '[{"name": "A", "colour": "red"}]', "has only these fields"),
        ("a.json", '[{"name": {"first": "A"}}]', "A text is expected"),
        ("a.json", json.dumps([{"name": "A", "children": [{"name": "B" * 81}]}]), "categories, 1, 1"),
        ("a.yaml", "a: [", "not valid YAML"),
        ("a.yaml", "- &a [*a]", "aliases are not supported"),
        ("a.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "aliases are not supported"),
        ("a.yaml", "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        ("a.yaml", "- {}\n" * 60_000, "too large"),
        ("a.yaml", "- [a]\n- [[b]]", "categories, 2: A text is expected"),
        ("a.csv", "colour,size\nred,1\n", "one of them is “name”"),
        ("a.csv", 'name\n"open', "Line 2"),
        ("a.pdf", "%PDF", "Name the file .csv"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0", "an image"),
        ("a.txt", b"x" * (1024**2 + 1), "larger than 1 MB"),
    ],
)
def test_files_that_are_hostile_or_broken_are_refused(name: str, content: str | bytes, message: str) -> None:
    assert message in problems(content, name)


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_imports_back_and_changes_nothing(format: str) -> None:
    billing = Category.objects.get(name="Billing")
    hostile = Category.objects.create(name="=SUM(A1)", parent=billing, description='-"quoted"; a', examples="No\n404\n")
    Category.objects.create(name="yes", parent=hostile)
    Sentiment.objects.create(name="الغضب", description="null")
    entries = reading.read(writing.export(format).encode(), f"taxonomy.{format}")
    assert len(entries) == Category.objects.count() + Sentiment.objects.count()
    assert importing.create_draft(entries, "again", None, complete=True) is None


def test_an_export_lists_what_models_read(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        exported = json.loads(writing.export("json"))
    billing = Category.objects.get(name="Billing")
    first = exported["categories"][0]
    assert (first["name"], first["description"]) == ("Billing", billing.description)
    assert [label["name"] for label in exported["sentiments"]] == [label.name for label in Sentiment.objects.all()]
