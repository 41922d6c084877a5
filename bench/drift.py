"""How soon the auto-accept stops when more of what passes is wrong than was promised, and how often for nothing.

The error among accepted tickets rises at one ticket. Either answers get worse in general: messages that the first model
gets wrong come more often, so that it is less sure and the second family disagrees more; or only those come more often
that pass, of which less can be seen. Or silently: the labels that are right change, and nothing can be seen of it but
by audits. Each with the watch over all tickets, and by audits alone.
"""

from __future__ import annotations

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
from review.certification.drift import QUIET_AUDITS, DriftMonitor, Observation, audit_error_detector, burst_verdict

PROMISED = 0.03
BEFORE, AFTER = 0.02, 0.08
AUDITS = 0.05
"""Share of the accepted tickets that are audited: the lowest that the product proposes."""
CHANGE = 3_000
"""The ticket at which things change."""
LABELS = 1_500
"""That the scorer was fitted on."""
QUIET = 20_000
LONGEST = 8_000
"""Tickets after the change, until it counts as never noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A pool as the scorer sees it, what passes of it, and what the watch sees of each message."""

    pool: Pool
    passes: Bools
    seen: Sequence[Observation]

    @classmethod
    def of(cls, pool: Pool) -> Scene:
        """With the threshold at which as many accepted ones are wrong as shall be before the change."""
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
    """At which ticket nothing passed any more, why, and at which the certificate was revoked, if it was."""

    at: int
    kind: str
    revoked: int | None


class Guard:
    """Watch, audits and bursts, as the product has them look at one ticket after the other."""

    def __init__(self, scene: Scene, *, watched: bool) -> None:
        self._scene, self._watch = scene, DriftMonitor() if watched else None
        self._audits: list[bool] = []
        self._burst: list[bool] = []
        self._stopped: tuple[int, str] | None = None

    def stops(self, rows: Ints, wrong: Bools, drawn: Bools) -> Iterator[Stop]:
        """The last one is where it was revoked, if it was."""
        for at, (row, one, chosen) in enumerate(zip(rows.tolist(), wrong.tolist(), drawn.tolist(), strict=True)):
            passes = bool(self._scene.passes[row])
            if self._watch:
                self._watch.observe(self._scene.seen[row])
            if passes and (chosen or self._stopped):
                self._audits.append(one)
                self._burst.append(one)
            if self._stopped is None:
                self._stopped = self._noticed(at, audited=passes and chosen)
            if (stop := self._settled(at)) is not None:
                yield stop
                if stop.revoked is not None:
                    return
        if self._stopped:
            yield Stop(*self._stopped, None)

    def _noticed(self, at: int, *, audited: bool) -> tuple[int, str] | None:
        self._burst = []
        if audited and audit_error_detector(self._audits, PROMISED).change_point(QUIET_AUDITS) is not None:
            return at, "errors"
        alarm = self._watch.change() if self._watch else None
        return (at, alarm[0]) if alarm else None

    def _settled(self, at: int) -> Stop | None:
        """An alarm of the audits needs no burst."""
        if self._stopped is None:
            return None
        begun, kind = self._stopped
        says = True if kind == "errors" else burst_verdict(self._burst, PROMISED)
        if says is None:
            return None
        self._stopped = None
        if not says and self._watch:
            self._watch.restart()
        return Stop(begun, kind, at if says else None)


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


KINDS = ("in general", "among what passes", "silently")


class Task(NamedTuple):
    kind: str
    watched: bool
    seed: int


SCENES: list[Scene] = []
"""One; where the processes find it."""


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
    stops = list(Guard(scene, watched=task.watched).stops(rows, wrong, drawn))
    if task.kind == "quiet":
        return stops
    after = [Stop(at - CHANGE + 1, kind, end and end - CHANGE + 1) for at, kind, end in stops]
    return [stop for stop in after if stop.at > 0]


def main(file: Path, streams: int, processes: int, kept: Path | None, pool: str) -> None:
    fresh_installation()
    begun = time.perf_counter()
    SCENES.append(Scene.of(prepared(file, kept)[pool]))
    scene = SCENES[0]
    print(f"{scene.passes.mean():.1%} pass, of which {scene.risk:.2%} are wrong; {time.perf_counter() - begun:.0f} s")
    seeds = range(streams)
    drifts = [(kind, watched) for kind in KINDS for watched in (True, False)]
    tasks = [Task(*drift, seed) for drift in [*drifts, ("quiet", True), ("quiet", False)] for seed in seeds]
    with get_context("fork").Pool(processes) as workers:
        found = dict(zip(tasks, workers.map(measured, tasks, chunksize=5), strict=True))
    table(
        f"accepted error from {BEFORE:.0%} to {AFTER:.0%}: tickets until",
        ["change", "watch", "stopped: median", "80%", "revoked: median", "80%", "noticed by"],
        [
            [kind, _yes(watched), *_delays([found[Task(kind, watched, seed)] for seed in seeds])]
            for kind, watched in drifts
        ],
    )
    table(
        f"{QUIET} quiet tickets",
        ["watch", "false stops: mean", "most", "streams with more than one", "revoked", "noticed by"],
        [
            [_yes(watched), *_quiet([found[Task("quiet", watched, seed)] for seed in seeds])]
            for watched in (True, False)
        ],
    )
    print(f"\n{streams} streams each, seeds 0 to {streams - 1}; {time.perf_counter() - begun:.0f} s")


def _yes(watched: bool) -> str:
    return "yes" if watched else "no"


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
    parser.add_argument("--kept", type=Path, help="where the models' answers are kept from one run to the next")
    parser.add_argument("--pool", default="past", help="the second family: past, words, new or strong")
    main(**vars(parser.parse_args()))
