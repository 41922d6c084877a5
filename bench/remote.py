"""Tickets end to end through a remote model, compared with a bare AsyncOpenAI loop on the same server."""

import argparse
import asyncio
import time
from typing import Any, NamedTuple

from bench.harness import fresh_installation, messages, model_server, table, use_server, worker


class Setting(NamedTuple):
    """One row of the table: the server's answer time in seconds, requests in flight, its faults, the ratio to reach."""

    name: str
    delay: float
    in_flight: int
    goal: str
    timeout: float = 5.0
    faults: dict[str, float] = {}


FAULTS = {"rate_limit": 0.05, "broken_json": 0.02, "cut": 0.01, "hang": 0.01}
SETTINGS = {
    "fast": Setting("200 ms, 32 in flight", 0.2, 32, "of the bare loop (>= 0.85)"),
    "slow": Setting("2 s, 64 in flight", 2.0, 64, "of the ideal (>= 0.90)"),
    "faulty": Setting("200 ms, 32 in flight, faults", 0.2, 32, "of the fault-free (>= 0.60)", 2.0, FAULTS),
}


def main(tickets: int, only: list[str], threads: int) -> None:
    fresh_installation()
    rows, faultless = [], 0.0
    for name in only or SETTINGS:
        setting = SETTINGS[name]
        ideal = setting.in_flight / setting.delay
        with model_server(delay=setting.delay, seed=7, **setting.faults) as base_url:
            bare = 0.0 if setting.faults else asyncio.run(_bare_loop(base_url, setting, messages(tickets)))
            ours = _end_to_end(base_url, setting, messages(tickets), threads)
        if name == "fast":
            faultless = ours
        peer = {"fast": bare, "slow": ideal, "faulty": faultless}[name]
        ratio = f"{ours / peer:.2f} {setting.goal}" if peer else "-"
        rows.append([setting.name, f"{ideal:.0f}", f"{bare:.1f}" if bare else "-", f"{ours:.1f}", ratio])
    table(f"{tickets:,} tickets, tickets a second", ["server", "ideal", "bare loop", "end to end", "ratio"], rows)


async def _bare_loop(base_url: str, setting: Setting, texts: list[str]) -> float:
    from openai import AsyncOpenAI

    from classifier.contract import prompt
    from classifier.models import ContractVersion

    terms = (await asyncio.to_thread(ContractVersion.objects.current)).terms
    slots = asyncio.Semaphore(setting.in_flight)
    form = {"type": "json_schema", "json_schema": {"name": "labels", "strict": True, "schema": terms.answer_schema}}
    common: dict[str, Any] = {"model": "bench", "response_format": form, "temperature": 0.1, "max_tokens": 256}

    async def ask(text: str) -> None:
        conversation: Any = prompt.messages(terms, text)
        async with slots:
            await client.chat.completions.create(messages=conversation, **common)

    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        begun = time.perf_counter()
        await asyncio.gather(*map(ask, texts))
        return len(texts) / (time.perf_counter() - begun)


def _end_to_end(base_url: str, setting: Setting, texts: list[str], threads: int) -> float:
    """From stored tickets to their verdicts, by a worker process as it runs in production."""
    from classifier.models import Failure, Prediction, Ticket, Verdict

    for model in (Verdict, Prediction, Failure, Ticket):
        model._default_manager.all().delete()
    use_server(base_url, in_flight=setting.in_flight, timeout=setting.timeout)
    with worker(threads):
        time.sleep(3)
        begun = time.perf_counter()
        Ticket.objects.bulk_create([Ticket(text=text) for text in texts], batch_size=500)
        while Ticket.objects.new().exists():
            time.sleep(0.05)
        elapsed = time.perf_counter() - begun
    predicted, judged = Prediction.objects.count(), Verdict.objects.count()
    kinds = dict(Failure.objects.values_list("kind").annotate(number=_count()))
    print(f"{setting.name}: {predicted} predictions, {judged} verdicts for {len(texts)} tickets; failures {kinds}")
    return len(texts) / elapsed


def _count() -> object:
    from django.db.models import Count

    return Count("pk")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=2_000)
    parser.add_argument("--only", action="append", choices=SETTINGS, default=[])
    parser.add_argument("--threads", type=int, default=4)
    main(**vars(parser.parse_args()))
