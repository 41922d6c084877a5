"""Keeps a handful of child processes running until it is told to stop, and then stops them all.

It runs by itself, with nothing loaded but this file, for it has nothing to do but wait.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import NoReturn

STOP_SECONDS = 15.0
MOST_RESTARTS, WITHIN_SECONDS = 5, 60.0
_PR_SET_PDEATHSIG = 1


class KeepsFailing(Exception):
    """A child ends again and again; the message names it."""


class Child:
    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = command
        self._starts: deque[float] = deque(maxlen=MOST_RESTARTS)
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._starts.append(time.monotonic())
        # The command is ours, and gets a session of its own: Ctrl-C reaches the supervisor alone, which then stops the
        # children in order.
        return subprocess.Popen(self._command, start_new_session=True, preexec_fn=_end_with_parent)  # noqa: S603

    def revive(self) -> bool:
        """Start the child again if it has ended; whether it had. Raises KeepsFailing."""
        if self.process.poll() is None:
            return False
        if len(self._starts) == MOST_RESTARTS and time.monotonic() - self._starts[0] < WITHIN_SECONDS:
            raise KeepsFailing(f"The {self.name} process keeps ending (exit code {self.process.returncode}).")
        self.process = self._start()
        return True

    def stop(self, deadline: float) -> None:
        try:
            self.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def take_over(commands: dict[str, Sequence[str]]) -> NoReturn:
    """Run the named commands in the place of this process."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", __file__, json.dumps(commands)])  # noqa: S606 - this very file


def run(commands: dict[str, Sequence[str]]) -> None:
    """Run the named commands until SIGINT or SIGTERM; one that ends is started again, and that is told.

    Raises KeepsFailing after too many starts in a minute; the children are stopped then too.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    children = [Child(name, command) for name, command in commands.items()]
    try:
        while not stopping:
            time.sleep(0.2)
            for child in children:
                if not stopping and child.revive():
                    print(f"The {child.name} process ended unexpectedly and was started again.", file=sys.stderr)
    finally:
        _stop(children)


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.stop(deadline)


def _end_with_parent() -> None:
    """On Linux a child is told when the supervisor is killed outright, so that none is left behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    try:
        run(json.loads(sys.argv[1]))
    except KeepsFailing as error:
        sys.exit(str(error))
    print("Stopped.")
