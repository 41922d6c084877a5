"""How soon auto-accept stops after the error rate rises beyond the target, and how often without reason.

The error rate among auto-accepted tickets rises at one ticket, in one of three ways. In general: messages that the
first model gets wrong come more often, so it is less confident and the second family disagrees more. Among
auto-accepted: only wrong ones with high scores come more often, which shows less. Silently: the right labels change,
which only audits show. Each is measured with the drift monitor and with audits alone.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.harness import fresh_installation, table
from bench.streams import Bools, Ints, Pool, prepared
from classifier.scoring.scorer import fit
from review.certification.drift import QUIET_AUDITS, DriftMonitor, Observation, audit_error_detector, exceeds
from review.certification.sequential_test import DrawBatch, SequentialTest, risk_for_claim

MAX_ERROR, RISK, MAX_CLEARING = 0.03, 0.05, 1_000
BEFORE, AFTER = 0.02, 0.08
AUDITS = 0.03
"""The share of auto-accepted tickets that are audited: the product's lowest default."""
CHANGE = 3_000
"""The ticket at which things change."""
LABELS = 1_500
"""Labels that the scorer is fitted on."""
QUIET = 20_000
LONGEST = 8_000
"""Tickets after the change until it counts as never detected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A pool, which of it is auto-accepted, and what the drift monitor sees of each message."""

    pool: Pool
    passes: Bools
    seen: Sequence[Observation]

    @classmethod
    def from_pool(cls, pool: Pool) -> "Scene":
        """With the lowest threshold at which the error rate is BEFORE."""
        from review.certification.alarms import observation

        taught = np.random.default_rng(0).permutation(len(pool.answer))[:LABELS]
        values = pool.values(fit(pool.judged(taught, pool.chance[taught] > 0)))
        rows = zip(values.tolist(), pool.signals, pool.answer.tolist(), strict=True)
        seen = [observation(value, signals, label, "category") for value, signals, label in rows]
        return cls(pool=pool, passes=values >= pool.furthest(values, BEFORE), seen=seen)

    @property
    def risk(self) -> float:
        return float(self.pool.chance[self.passes].mean())


class Stop(NamedTuple):
    """The ticket at which auto-accept stopped, why, and the ticket at which the certificate was revoked, if it was."""

    at: int
    kind: str
    revoked: int | None


class Guard:
    """Drift monitor and audits, as the product applies them ticket by ticket."""

    def __init__(self, scene: Scene, *, monitored: bool) -> None:
        self._scene, self._monitor = scene, DriftMonitor() if monitored else None
        self._audits: list[bool] = []
        self._audits_since: list[bool] = []
        self._stopped: tuple[int, str] | None = None

    def stops(self, rows: Ints, wrong: Bools, drawn: Bools) -> Iterator[Stop]:
        """All stops; the stream ends when the certificate is revoked."""
        for at, (row, is_wrong, chosen) in enumerate(zip(rows.tolist(), wrong.tolist(), drawn.tolist(), strict=True)):
            passes = bool(self._scene.passes[row])
            if self._monitor:
                self._monitor.observe(self._scene.seen[row])
            if passes and (chosen or self._stopped):
                self._audits.append(is_wrong)
                self._audits_since.append(is_wrong)
            if self._stopped is None:
                self._stopped = self._detect(at, audited=passes and chosen)
            if (stop := self._resolve(at)) is not None:
                yield stop
                if stop.revoked is not None:
                    return
        if self._stopped:
            yield Stop(*self._stopped, None)

    def _detect(self, at: int, *, audited: bool) -> tuple[int, str] | None:
        self._audits_since = []
        if audited and audit_error_detector(self._audits, MAX_ERROR).change_point(QUIET_AUDITS) is not None:
            return at, "errors"
        alarm = self._monitor.change() if self._monitor else None
        return (at, alarm[0]) if alarm else None

    def _resolve(self, at: int) -> Stop | None:
        if self._stopped is None:
            return None
        begun, kind = self._stopped
        worse = settled(self._audits_since)
        if worse is None:
            return None
        self._stopped = None
        if not worse and self._monitor:
            self._monitor.restart()
        return Stop(begun, kind, at if worse else None)


def settled(audits: Sequence[bool]) -> bool | None:
    """Whether the audits since an alarm confirm it (True) or clear it (False), as in the product; None if neither."""
    test = SequentialTest.start([0.0], MAX_ERROR, risk_for_claim(RISK, 1))
    test.add(DrawBatch.carried((1.0, is_wrong, False) for is_wrong in audits))
    if test.certified:
        return False
    return True if exceeds(audits, MAX_ERROR) or len(audits) >= MAX_CLEARING else None


# --- streams -----------------------------------------------------------------------------------------------------


def changed(scene: Scene, kind: str, count: int, rng: np.random.Generator) -> tuple[Ints, Bools]:
    """Tickets after the change, and which of them are wrong."""
    pool, size = scene.pool, len(scene.pool.answer)
    wrong = pool.chance > 0
    if kind == "silently":
        rows = rng.integers(0, size, count)
        return rows, wrong[rows] | (rng.random(count) < (AFTER - scene.risk) / (1 - scene.risk))
    more = (AFTER / (1 - AFTER)) / (scene.risk / (1 - scene.risk))
    weights = np.where(wrong & (scene.passes | (kind == "in general")), more, 1.0)
    rows = rng.choice(size, count, p=weights / weights.sum())
    return rows, wrong[rows]


KINDS = ("in general", "among auto-accepted", "silently")


class Task(NamedTuple):
    kind: str
    monitored: bool
    seed: int


SCENES: list[Scene] = []
"""A single scene, shared with forked processes."""


def measured(task: Task) -> list[Stop]:
    """All stops in a quiet stream, for a change those after it, counted from it."""
    scene, rng = SCENES[0], np.random.default_rng(task.seed)
    before = QUIET if task.kind == "quiet" else CHANGE
    rows = rng.integers(0, len(scene.pool.answer), before)
    wrong = scene.pool.chance[rows] > 0
    if task.kind != "quiet":
        later, worse = changed(scene, task.kind, LONGEST, rng)
        rows, wrong = np.concatenate([rows, later]), np.concatenate([wrong, worse])
    drawn = rng.random(len(rows)) < AUDITS
    stops = list(Guard(scene, monitored=task.monitored).stops(rows, wrong, drawn))
    if task.kind == "quiet":
        return stops
    after = [Stop(at - CHANGE + 1, kind, end and end - CHANGE + 1) for at, kind, end in stops]
    return [stop for stop in after if stop.at > 0]


def main(file: Path, streams: int, processes: int, answers: Path | None, pool: str) -> None:
    fresh_installation()
    begun = time.perf_counter()
    SCENES.append(Scene.from_pool(prepared(file, answers)[pool]))
    scene = SCENES[0]
    print(
        f"{scene.passes.mean():.1%} auto-accepted, {scene.risk:.2%} of them wrong; {time.perf_counter() - begun:.0f} s"
    )
    seeds = range(streams)
    drifts = [(kind, monitored) for kind in KINDS for monitored in (True, False)]
    tasks = [Task(*drift, seed) for drift in [*drifts, ("quiet", True), ("quiet", False)] for seed in seeds]
    with get_context("fork").Pool(processes) as workers:
        stops_by_task = dict(zip(tasks, workers.map(measured, tasks, chunksize=5), strict=True))
    table(
        f"accepted error from {BEFORE:.0%} to {AFTER:.0%}: tickets until",
        ["change", "monitor", "stopped: median", "80%", "revoked: median", "80%", "noticed by"],
        [
            [kind, _yes(monitored), *_delays([stops_by_task[Task(kind, monitored, seed)] for seed in seeds])]
            for kind, monitored in drifts
        ],
    )
    table(
        f"{QUIET} quiet tickets",
        ["monitor", "false stops: mean", "most", "streams with more than one", "revoked", "noticed by"],
        [
            [_yes(monitored), *_quiet([stops_by_task[Task("quiet", monitored, seed)] for seed in seeds])]
            for monitored in (True, False)
        ],
    )
    print(f"\n{streams} streams each, seeds 0 to {streams - 1}; {time.perf_counter() - begun:.0f} s")


def _yes(monitored: bool) -> str:
    return "yes" if monitored else "no"


def _delays(runs: Sequence[Sequence[Stop]]) -> Iterator[str]:
    first = [run[0].at if run else np.inf for run in runs]
    revoked = [next((stop.revoked for stop in run if stop.revoked is not None), np.inf) for run in runs]
    for delays in (first, revoked):
        yield from (f"{np.quantile(delays, share, method='higher'):.0f}" for share in (0.5, 0.8))
    yield _reasons([run[0] for run in runs if run])


def _quiet(runs: Sequence[Sequence[Stop]]) -> Iterator[str]:
    numbers = [len(run) for run in runs]
    yield f"{np.mean(numbers):.2f}"
    yield str(max(numbers))
    yield str(sum(number > 1 for number in numbers))
    yield str(sum(stop.revoked is not None for run in runs for stop in run))
    yield _reasons([stop for run in runs for stop in run])


def _reasons(stops: Sequence[Stop]) -> str:
    return ", ".join(f"{kind} {number}" for kind, number in Counter(stop.kind for stop in stops).most_common())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="gzipped JSON lines with id, text, category and split")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--answers", type=Path, help="file that stores the models' answers between runs")
    parser.add_argument("--pool", default="past", help="the second family: past, words, new or strong")
    main(**vars(parser.parse_args()))
