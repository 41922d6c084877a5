"""Tickets end to end through a remote model, beside a bare AsyncOpenAI loop on the same server.

The sides of a comparison are measured in turn, several times, each round in the opposite order of the last. Ratios are
medians over rounds, so that neither the machine's drift nor the order favours a side.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from bench.harness import fresh_installation, messages, model_server, table, use_server, worker

FAULTS = {"rate_limit": 0.05, "broken_json": 0.02, "cut": 0.01, "hang": 0.01}


class Setting(NamedTuple):
    """The server's answer time in seconds, requests in flight, seconds until a request times out, and the faults."""

    name: str
    delay: float
    in_flight: int
    timeout: float = 5.0
    faults: dict[str, float] = {}


FAST, SLOW = Setting("200 ms, 32 in flight", 0.2, 32), Setting("2 s, 64 in flight", 2.0, 64)
FAULTY = Setting("200 ms, 32 in flight, faults", 0.2, 32, timeout=2.0, faults=FAULTS)

Side = Callable[[Setting, list[str], int], float]
"""Tickets a second of one way to ask for labels."""


class Comparison(NamedTuple):
    """Two measurements whose ratio has a goal."""

    measured: tuple[Setting, Side]
    beside: tuple[Setting, Side]
    goal: float


def main(tickets: int, rounds: int, only: list[str], threads: int) -> None:
    fresh_installation()
    rows = [_row(COMPARISONS[name], tickets, rounds, threads) for name in only or COMPARISONS]
    title = f"{tickets:,} tickets, tickets a second, medians of {rounds} rounds"
    table(title, ["server", "end to end", "beside", "", "ratio", "of rounds", "goal"], rows)


def _row(comparison: Comparison, tickets: int, rounds: int, threads: int) -> list[str]:
    texts = messages(tickets)
    ours, theirs = list[float](), list[float]()
    for number in range(rounds):
        sides = [(comparison.measured, ours), (comparison.beside, theirs)]
        for (setting, side), rates in sides if number % 2 else reversed(sides):
            rates.append(side(setting, texts, threads))
    ratios = sorted(our / their for our, their in zip(ours, theirs, strict=True))
    setting, side = comparison.beside
    return [
        comparison.measured[0].name,
        f"{median(ours):.1f}",
        f"{side.__name__.strip('_').replace('_', ' ')}, {setting.name}",
        f"{median(theirs):.1f}",
        f"{median(ratios):.2f}",
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
        f">= {comparison.goal:.2f}",
    ]


def _ideal(setting: Setting, texts: list[str], threads: int) -> float:
    """What the server could answer if nothing else took time."""
    return setting.in_flight / setting.delay


def _bare_loop(setting: Setting, texts: list[str], threads: int) -> float:
    """The SDK alone, without a database."""
    with model_server(delay=setting.delay, seed=7, **setting.faults) as base_url:
        return asyncio.run(_ask_all(base_url, setting, texts))


async def _ask_all(base_url: str, setting: Setting, texts: list[str]) -> float:
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


def _end_to_end(setting: Setting, texts: list[str], threads: int) -> float:
    """From stored tickets to their verdicts, by a worker process as it runs in production."""
    from classifier.models import Failure, Prediction, Ticket, Verdict

    for model in (Verdict, Prediction, Failure, Ticket):
        model._default_manager.all().delete()
    with model_server(delay=setting.delay, seed=7, **setting.faults) as base_url:
        use_server(base_url, in_flight=setting.in_flight, timeout=setting.timeout)
        with worker(threads):
            time.sleep(3)
            begun = time.perf_counter()
            Ticket.objects.bulk_create([Ticket(text=text) for text in texts], batch_size=500)
            while Ticket.objects.new().exists():
                time.sleep(0.05)
            elapsed = time.perf_counter() - begun
    predicted, judged = Prediction.objects.count(), Verdict.objects.count()
    print(f"{setting.name}: {predicted} predictions, {judged} verdicts for {len(texts)} tickets")
    return len(texts) / elapsed


COMPARISONS = {
    "fast": Comparison((FAST, _end_to_end), (FAST, _bare_loop), 0.85),
    "slow": Comparison((SLOW, _end_to_end), (SLOW, _ideal), 0.90),
    "faulty": Comparison((FAULTY, _end_to_end), (FAST, _end_to_end), 0.60),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=COMPARISONS, default=[])
    parser.add_argument("--threads", type=int, default=4)
    main(**vars(parser.parse_args()))
