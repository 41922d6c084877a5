"""Cost and validity of certified auto-accept.

Many streams per setting (`certified_stream.py`), with reviewers who may err. Second model families that learn are
trained on messages outside the pool, the same for all streams. The drift monitor, which needs no labels, has a
benchmark of its own (`drift.py`) and is off here. The rows of Conformal Selective Acting (Khosravi and Huo 2026) have
its test in place of the product's, with the same tickets and audits.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.certified_stream import FIRST, TARGET_ERROR, Reviewers, Setting, Stream
from bench.harness import fresh_installation, table
from bench.streams import MARKS, Floats, Pool, in_bursts, inverted, noise, prepared, with_incidents
from review.stats.intervals import wilson

JUST_ABOVE = 0.0302
STEADY = 5_000
"""Tickets at the end of a long stream over which effort is measured."""
LONG = 6 * FIRST


# --- tables ------------------------------------------------------------------------------------------------------


def settings_of(pools: dict[str, Pool]) -> list[Setting]:
    def learning(name: str) -> list[Pool]:
        return [pools[name], *(pools[f"{name} {mark}"] for mark in MARKS)]

    past, worst = [pools["past"]], [noise(JUST_ABOVE, 0)]
    bursts = [
        Setting(name=f"bursts of {size}", pools=worst, arrive=partial(in_bursts, size=size)) for size in (3, 5, 20, 50)
    ]
    some = partial(in_bursts, size=20, share=0.3, geometric=True)
    outages = partial(with_incidents, every=1_000, size=60, wrong=0.6)
    settings = [
        Setting(name="worst case", pools=worst),
        *bursts,
        Setting(name="bursts of 5 at 5%", pools=[noise(0.05, 0)], arrive=partial(in_bursts, size=5)),
        Setting(name="bursts of 20 at 10%", pools=[noise(0.1, 0)], arrive=partial(in_bursts, size=20)),
        Setting(name="30% in bursts at 4%", pools=[noise(0.04, 0)], arrive=some),
        Setting(name="20% repeated at 3.5%", pools=[noise(0.035, 0)], reviewers=Reviewers(repeats=0.2)),
        Setting(name="worst case, learns", pools=[noise(JUST_ABOVE, seed) for seed in range(4)], learns=True),
        Setting(name="ties at 3.02%", pools=[noise(JUST_ABOVE, 0, levels=4)]),
        Setting(name="inverted ranking", pools=[inverted(JUST_ABOVE, 0)]),
        Setting(name="incidents", pools=[noise(0.005, 0)], arrive=outages, promised=False),
        Setting(name="drift 0.5 to 8%", pools=[noise(0.005, 0)], then=0.08, promised=False),
        Setting(name="drift 0.5 to 4.5%", pools=[noise(0.005, 0)], then=0.045, promised=False),
        Setting(name="a: specialist of the past", pools=past, tickets=LONG, learns=True),
        Setting(name="b: TF-IDF alone", pools=[pools["words"]], tickets=LONG, learns=True),
        Setting(name="c: strong pair", pools=[pools["strong"]], tickets=LONG, learns=True),
        Setting(name="d: as a, and learns", pools=learning("past"), tickets=LONG, learns=True),
        Setting(name="e: learns from nothing", pools=learning("new"), tickets=LONG, learns=True),
        Setting(name="a, 3% errors", pools=past, learns=True, reviewers=Reviewers(0.03)),
        Setting(name="a, half pulled", pools=past, learns=True, reviewers=Reviewers(0.0, 0.5)),
    ]
    anchored = (
        "worst case",
        "bursts of 5",
        "bursts of 5 at 5%",
        "20% repeated",
        "incidents",
        "drift 0.5 to 8%",
        "a:",
        "c:",
    )
    compared = [
        setting for setting in settings if setting.name.startswith(anchored) and setting.name != "worst case, learns"
    ]
    return settings + [
        replace(setting, name=f"Selective Acting: {setting.name}", anchor=True, learns=False) for setting in compared
    ]


SETTINGS: list[Setting] = []


def measured(task: tuple[int, int]) -> dict[str, float]:
    """The figures of one stream, given the number of its setting and its seed."""
    setting, seed = task
    stream = Stream(SETTINGS[setting], seed).run()
    passed, judged = stream.passed, stream.labelled + stream.findings.further * stream.audited
    passed_wrong = int((stream.wrong & passed).sum())
    since = len(passed) if stream.changed is None else stream.changed
    return {
        "setting": setting,
        "false": stream.is_false,
        "first": np.inf if stream.first is None else stream.first,
        "strictest": np.inf if stream.first_of_strictest is None else stream.first_of_strictest,
        "review": stream.labelled[:FIRST].mean(),
        "judgements": judged[:FIRST].mean(),
        "steady": stream.labelled[-STEADY:].mean(),
        "passed": passed.sum(),
        "passed wrong": passed_wrong,
        "too many": passed.sum() >= 100 and passed_wrong > TARGET_ERROR * passed.sum(),
        "passed after the change": passed[since:].sum(),
        "stopped after": np.inf if stream.stopped is None else stream.stopped - since,
        "claims": stream.claims,
    }


def main(file: Path, streams: int, processes: int, answers: Path | None, only: list[str]) -> None:
    fresh_installation()
    begun = time.perf_counter()
    SETTINGS.extend(setting for setting in settings_of(prepared(file, answers)) if setting.name.startswith(tuple(only)))
    tasks = [(setting, seed) for setting in range(len(SETTINGS)) for seed in range(streams)]
    with get_context("fork").Pool(processes) as workers:
        figures = workers.map(measured, tasks, chunksize=5)
    show([[figure for figure in figures if figure["setting"] == setting] for setting in range(len(SETTINGS))])
    print(f"\n{streams} streams a setting, seeds 0 to {streams - 1}; {time.perf_counter() - begun:.0f} s")


def show(runs: Sequence[Sequence[dict[str, float]]]) -> None:
    columns = [
        f"false certificate, of {len(runs[0])}",
        "first at labels",
        "strictest asked first",
        f"effort, first {FIRST}",
        "all judgements",
        f"effort, last {STEADY}",
        "wrong among passed",
        "streams with too many",
        "after the change: passed",
        "tickets until stopped",
        "claims",
    ]
    rows = [[setting.name, *_figures(setting, run)] for setting, run in zip(SETTINGS, runs, strict=True)]
    table("what is certified, and what it takes", ["setting", *columns], rows)


def _figures(setting: Setting, run: Sequence[dict[str, float]]) -> Iterator[str]:
    by_name = {name: np.array([figures[name] for figures in run]) for name in run[0]}
    low, high = wilson(by_name["false"].sum(), len(run))
    yield f"{by_name['false'].mean():.1%} ({low:.1%} to {high:.1%})" if setting.promised else "-"
    yield _interval(by_name["first"])
    yield _median(by_name["strictest"])
    yield from (f"{by_name[name].mean():.1%}" for name in ("review", "judgements", "steady"))
    yield f"{by_name['passed wrong'].sum() / max(by_name['passed'].sum(), 1):.2%}"
    yield f"{by_name['too many'].mean():.1%}"
    changes = setting.then is not None
    yield from (_median(by_name[name]) if changes else "-" for name in ("passed after the change", "stopped after"))
    yield f"{by_name['claims'].mean():.1f}"


def _interval(numbers: Floats) -> str:
    """The median, and the 95% interval of its estimate by order statistics."""
    spread = 0.98 / np.sqrt(len(numbers))
    low, high = (np.quantile(numbers, np.clip(0.5 + side, 0, 1), method="higher") for side in (-spread, spread))
    return f"{_median(numbers)} ({low:.0f} to {high:.0f})"


def _median(numbers: Floats) -> str:
    return f"{np.quantile(numbers, 0.5, method='higher'):.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with id, text, category and split")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--answers", type=Path, help="file that stores the models' answers between runs")
    parser.add_argument("--only", nargs="*", default=[""], help="settings whose names begin like this")
    main(**vars(parser.parse_args()))
