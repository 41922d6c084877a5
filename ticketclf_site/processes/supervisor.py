"""Keep child processes running, restart those that end, and stop all on a signal.

Runs as a script of its own, so that the waiting parent does not hold Django in memory.
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
MAX_RESTARTS, WITHIN_SECONDS = 5, 60.0
_PR_SET_PDEATHSIG = 1


class KeepsFailing(Exception):
    """A child keeps ending; the message names it."""


class Child:
    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = command
        self._starts: deque[float] = deque(maxlen=MAX_RESTARTS)
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._starts.append(time.monotonic())
        # In a session of its own, so that Ctrl-C reaches only the supervisor, which then stops the children.
        return subprocess.Popen(self._command, start_new_session=True, preexec_fn=_end_with_parent)  # noqa: S603

    def restart_if_ended(self) -> bool:
        """Restart the child if it has ended, and return whether it had. Raises KeepsFailing."""
        if self.process.poll() is None:
            return False
        if len(self._starts) == MAX_RESTARTS and time.monotonic() - self._starts[0] < WITHIN_SECONDS:
            raise KeepsFailing(f"The {self.name} process keeps ending (exit code {self.process.returncode}).")
        self.process = self._start()
        return True

    def stop(self, deadline: float) -> None:
        try:
            self.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def exec_supervisor(commands: dict[str, Sequence[str]]) -> NoReturn:
    """Replace this process by a supervisor of these commands."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", __file__, json.dumps(commands)])  # noqa: S606 - this very file


def run(commands: dict[str, Sequence[str]]) -> None:
    """Run the commands until SIGINT or SIGTERM, restarting those that end.

    Raises KeepsFailing, after stopping all, if one is started too often within a minute.
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
                if not stopping and child.restart_if_ended():
                    print(f"The {child.name} process ended unexpectedly and was restarted.", file=sys.stderr)
    finally:
        _stop(children)


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.stop(deadline)


def _end_with_parent() -> None:
    """On Linux, have the kernel stop the child if the supervisor is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    try:
        run(json.loads(sys.argv[1]))
    except KeepsFailing as error:
        sys.exit(str(error))
    print("Stopped.")
