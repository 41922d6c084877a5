"""The management commands."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from classifier.models import Category, Provider, Spend, Ticket
from review.benchmark import runs
from tests.servers import OpenAIServer, answer, error, say, without_json_schema

pytestmark = pytest.mark.usefixtures("catalogue")


def run(*arguments: str, **options: Any) -> tuple[str, str]:
    printed, complained = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=printed, stderr=complained, **options)
    return printed.getvalue(), complained.getvalue()


def file(folder: Path, content: str | bytes, name: str = "tickets.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


# import_tickets


def test_csv_with_other_column_names_is_imported(tmp_path: Path) -> None:
    path = file(tmp_path, "Nr;Nachricht;Eingang\n1;Hallo;2026-01-31T10:00:00Z\n2;Tschüss;\n")
    printed, _complained = run("import_tickets", path, "--map", "text=Nachricht", "--map", "external_id=Nr")
    assert "Reading text from 'Nachricht', external_id from 'Nr'. Encoding: utf-8" in printed
    assert printed.endswith("\n2 stored, 0 already stored, 0 rejected\n")
    assert list(Ticket.objects.order_by("pk").values_list("external_id", "text")) == [("1", "Hallo"), ("2", "Tschüss")]


def test_importing_again_stores_nothing_twice(tmp_path: Path) -> None:
    path = file(tmp_path, '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n{"id": 1, "text": "a"}\n', "t.jsonl")
    assert "2 stored, 1 already stored, 0 rejected" in run("import_tickets", path)[0]
    assert "0 stored, 3 already stored, 0 rejected" in run("import_tickets", path)[0]
    assert "2 stored" in run("import_tickets", path, "--source", "elsewhere")[0]


def test_the_same_id_with_another_text_is_reported_and_taken_on_request(tmp_path: Path) -> None:
    path = file(tmp_path, "id,text\n1,It is wrong\n1,Something else\n")
    assert "1 stored, 0 already stored, 1 rejected" in run("import_tickets", path)[0]
    [rejected] = [json.loads(line) for line in Path(f"{path}.rejected.jsonl").read_text().splitlines()]
    assert (rejected["record"], rejected["raw"]["text"]) == (3, "Something else")
    assert "--update" in rejected["reason"]
    assert "0 stored, 1 updated, 1 already stored, 0 rejected" in run("import_tickets", path, "--update")[0]
    assert Ticket.objects.get().text == "Something else"
    Ticket.objects.update(state=Ticket.State.NEEDS_REVIEW)
    assert "1 already stored, 1 rejected" in run("import_tickets", path, "--update")[0]
    assert Ticket.objects.get().text == "Something else"


def test_a_dry_run_shows_how_a_file_is_read_and_stores_nothing(tmp_path: Path) -> None:
    printed, _complained = run(
        "import_tickets", file(tmp_path, "id,text\n1,Счёт неверный\n2,\n".encode("cp1251")), "--dry-run"
    )
    assert "text from 'text', external_id from 'id'. Encoding: Windows-1251" in printed
    assert "text: Счёт неверный; external_id: 1" in printed
    assert "1 tickets, 1 records that would be rejected" in printed
    assert not Ticket.objects.exists()


DATES = [
    ("2026-01-31T14:05:00Z", "2026-01-31T14:05:00+00:00"),
    ("2026-01-31 14:05:00 UTC", "2026-01-31T14:05:00+00:00"),
    ("2026-01-31", "2026-01-31T00:00:00+00:00"),
    ("31/Jan/26 2:05 PM", "2026-01-31T14:05:00+00:00"),
    ("31.01.2026 14:05", "2026-01-31T14:05:00+00:00"),
    ("02.03.2026 14:05", "2026-03-02T14:05:00+00:00"),
    ("1769868300", "2026-01-31T14:05:00+00:00"),
    ("1769868300000", "2026-01-31T14:05:00+00:00"),
]


@pytest.mark.parametrize(("written", "expected"), DATES)
def test_dates_are_read_as_other_systems_write_them(tmp_path: Path, written: str, expected: str) -> None:
    run("import_tickets", file(tmp_path, f"text,created at\na,{written}\n"))
    assert Ticket.objects.get().received_at.isoformat() == expected


@pytest.mark.parametrize("written", ["0001-01-01", "2099-01-01", "02/03/2026", "soon", "May 2026", "9" * 5_000])
def test_a_date_that_cannot_be_taken_rejects_a_ticket_only_where_it_was_asked_for(tmp_path: Path, written: str) -> None:
    path = file(tmp_path, f"text,created at\na,{written}\n")
    assert "1 dates could not be read" in run("import_tickets", path)[0]
    assert timezone.now() - Ticket.objects.get().received_at < timedelta(minutes=1)
    assert "0 stored, 0 already stored, 1 rejected" in run("import_tickets", path, "--map", "received_at=created at")[0]


def test_rejected_rows_go_to_a_file_with_the_reason(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "text": "good"},
        {"id": 2, "text": "  "},
        {"id": 3, "text": ["no", "string"]},
        {"id": "x" * 300, "text": "long id"},
        {"id": 5, "text": "x" * 1_048_577},
    ]
    path = file(tmp_path, "".join(json.dumps(row) + "\n" for row in rows) + '{"id": 6, "te', "t.jsonl")
    printed, _complained = run("import_tickets", path)
    assert "1 stored, 0 already stored, 5 rejected" in printed
    aside = [json.loads(line) for line in Path(f"{path}.rejected.jsonl").read_text().splitlines()]
    assert [row["record"] for row in aside] == [2, 3, 4, 5, 6]
    reasons = " ".join(row["reason"] for row in aside)
    for reason in (
        "text is empty",
        "text is not a string",
        "Shorten it to 200",
        "1,048,576",
        "not JSON",
    ):
        assert reason in reasons


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    run("import_tickets", file(tmp_path, "id,text\n1,größer – naïve\n".encode(encoding)))
    assert Ticket.objects.get().text == "größer – naïve"


def test_unstorable_characters_are_replaced(tmp_path: Path) -> None:
    run("import_tickets", file(tmp_path, '{"text": "a\\u0000b\\ud800c مرحبا 😡"}\n', "t.jsonl"))
    assert Ticket.objects.get().text == "a\ufffdb\ufffdc مرحبا 😡"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/no/such/file.csv"], "No such file"),
        (["{file}", "--map", "text=Nope"], "Nope"),
        (["{file}", "--map", "text"], "not of the form"),
        (["{file}", "--encoding", "klingon"], "Unknown encoding"),
    ],
)
def test_import_errors_are_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    path = file(tmp_path, "id,text\n1,a\n")
    with pytest.raises(CommandError, match=message):
        run("import_tickets", *[argument.format(file=path) for argument in arguments])


def test_imported_tickets_wait_for_a_worker_and_nudge_it(
    tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as nudges:
        run("import_tickets", file(tmp_path, "id,text\n1,a\n2,b\n"))
    assert len(nudges) == 1
    assert Ticket.objects.waiting().count() == 2


# classify


def test_classify_prints_one_line_per_text(tmp_path: Path, primary: Any) -> None:
    replies = {"sure": answer(), "unsure": answer("Billing", "Neutral", 0.3), "broken": say("no")}
    path = file(tmp_path, "sure\nunsure\nbroken\n", "texts.txt")
    with OpenAIServer(lambda request: replies[request.ticket]) as server:
        primary(server)
        printed, complained = run("classify", path)
    assert printed == "[OK] Technical | Negative | sure\n[REVIEW] Billing | Neutral | unsure\n[REVIEW] ? | ? | broken\n"
    assert "broken_json" in complained
    assert not Ticket.objects.exists()


def test_a_long_text_is_cut_and_its_control_characters_are_harmless(tmp_path: Path, primary: Any) -> None:
    with OpenAIServer() as server:
        primary(server)
        path = file(tmp_path, "My SAML SSO stopped working after the weekend deploy.\n\x1b[31mred\u202e\n", "texts.txt")
        printed, _complained = run("classify", path)
    assert printed.splitlines() == [
        "[OK] Technical | Negative | My SAML SSO stopped working after the weeken...",
        "[OK] Technical | Negative | \ufffd[31mred\ufffd",
    ]


def test_json_lines_have_the_keys_that_scripts_read(tmp_path: Path, primary: Any, second_opinion: Any) -> None:
    with OpenAIServer([answer(confidence=0.2)]) as first, OpenAIServer([answer("Account")]) as second:
        primary(first)
        second_opinion(second)
        printed, _complained = run("classify", file(tmp_path, '{"text": "hello"}\n', "t.jsonl"), "--json")
    result = json.loads(printed)
    assert result.pop("latency_ms") > 0
    assert result == {
        "category": "Technical",
        "further_categories": [],
        "sentiment": "Negative",
        "confidence": 0.2,
        "reasoning": "It says that something broke.",
        "attributes": {},
        "review_flag": True,
        "review_reason": "disagreement",
        "fallback_review": {
            "category": "Account",
            "further_categories": [],
            "sentiment": "Negative",
            "confidence": 0.93,
            "reasoning": "It says that something broke.",
            "attributes": {},
            "model": "second",
        },
        "model": "first",
    }


def test_requests_of_the_classify_command_count_against_the_budget(tmp_path: Path, primary: Any) -> None:
    with OpenAIServer() as server:
        primary(server, price_per_request="0.5", daily_budget="10")
        run("classify", file(tmp_path, "one\ntwo\n", "texts.txt"))
    assert Spend.objects.get().cost == 1


# ping


def test_ping_shows_latency_and_json_mode(primary: Any) -> None:
    with OpenAIServer(without_json_schema(lambda _request: answer())) as server:
        language_model = primary(server)
        printed, _complained = run("ping", "first")
    assert printed.startswith("first (first's): ok, ")
    assert printed.endswith(" ms, json_object\n")
    language_model.refresh_from_db()
    assert language_model.json_mode == "json_object"


def test_ping_shows_the_exact_error_and_never_the_key(primary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AN_API_KEY", "sk-very-secret")
    with OpenAIServer([error(401, "Incorrect API key provided: sk-very-secret")]) as server:
        primary(server, api_key_env="AN_API_KEY")
        printed = io.StringIO()
        with pytest.raises(CommandError, match="No answer from first"):
            call_command("ping", "first", stdout=printed)
        assert server.requests[0].headers["authorization"] == "Bearer sk-very-secret"
    assert "unauthorized: 401" in printed.getvalue()
    assert "check the key in AN_API_KEY" in printed.getvalue()
    assert "sk-very-secret" not in printed.getvalue()


def test_ping_refuses_unknown_models() -> None:
    with pytest.raises(CommandError, match="Unknown models: gpt-99"):
        run("ping", "gpt-99")


# benchmark


def test_the_benchmark_counts_both_labels_and_shows_errors(tmp_path: Path, primary: Any) -> None:
    Category.objects.create(name="Refunds", parent=Category.objects.get(name="Billing"))
    rows = [
        ("right", "Technical", "Negative", answer()),
        ("child", "Billing", "Negative", answer("Billing > Refunds")),
        ("wrong tone", "Technical", "Neutral", answer()),
        ("parent only", "Billing > Refunds", "Negative", answer("Billing")),
        ("broken", "Technical", "Negative", say("no")),
    ]
    replies = {text: reply for text, _category, _sentiment, reply in rows}
    lines = [json.dumps({"text": text, "category": c, "sentiment": s}) for text, c, s, _reply in rows]
    with OpenAIServer(lambda request: replies[request.ticket]) as server:
        primary(server)
        printed, _complained = run("benchmark", file(tmp_path, "\n".join(lines), "t.jsonl"), model=["first"])
    assert "first: accuracy=0.400, avg_latency=" in printed
    assert "errors=1" in printed
    assert "ERROR broken_json" in printed
    assert "expected Technical | Neutral" in printed


def test_the_benchmark_command_uses_the_built_in_items_by_default() -> None:
    runs.load_built_in()
    runs.load_built_in()
    printed, _complained = run("benchmark", quiet=True)
    assert "llama-3.3-70b: not asked, OXLO_API_KEY is not set" in printed
    assert printed.splitlines()[-1].startswith("embedded-minilm: accuracy=")


def test_the_benchmark_command_names_labels_outside_the_taxonomy(tmp_path: Path) -> None:
    path = file(tmp_path, "text,category,sentiment\nhello,Sales,Neutral\n")
    with pytest.raises(CommandError, match="unknown label 'Sales'; known: Billing"):
        run("benchmark", path)


def test_every_command_names_a_missing_key() -> None:
    runs.load_built_in()
    assert "No key in OXLO_API_KEY" in run("benchmark", quiet=True)[1]
    Provider.objects.filter(name="Oxlo.ai").update(api_key_env="")
    assert "No key" not in run("benchmark", quiet=True, model=["embedded-minilm"])[1]
