#!/usr/bin/env python3
"""Creates .venv and installs the pinned packages into it, unless that is done already.

`make` runs it with the system's Python, so it uses only the standard library. The argument is one of `KINDS`.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
KINDS = ("base", "data", "dev")
"""For running; plus Parquet and Hugging Face datasets; plus tests and checks."""


def main() -> None:
    wanted = sys.argv[1]
    if any(_stamp(kind).exists() for kind in KINDS[KINDS.index(wanted) :]):
        return
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever Python the system has runs this
        sys.exit(f"ticketclf needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}.")
    if not (VENV / "bin" / "pip").exists():
        _make_venv()
    _install(ROOT / "requirements" / f"{wanted}.txt")
    _stamp(wanted).touch()


def _stamp(kind: str) -> Path:
    requirements = (ROOT / "requirements" / f"{kind}.txt").read_bytes()
    return VENV / f".{kind}-{hashlib.sha256(requirements).hexdigest()[:16]}"


def _make_venv() -> None:
    try:
        import ensurepip  # noqa: F401 - Debian has it in a separate package
        import venv
    except ImportError:
        sys.exit("Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv")
    try:
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"Cannot make {VENV}: {getattr(error, 'strerror', None) or error}. Is the folder writable?")


def _install(requirements: Path) -> None:
    print(f"Installing the packages of {requirements.relative_to(ROOT)} into .venv ...", flush=True)
    options = ["--require-hashes", "--no-deps", "--quiet", "--disable-pip-version-check", "--retries", "2"]
    # Python compiles what is imported; the rest, half of it, would only take time and room.
    options.append("--no-compile")
    done = subprocess.run(
        [VENV / "bin" / "python", "-m", "pip", "install", *options, "-r", requirements], capture_output=True, text=True
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        log = VENV / "install.log"
        log.write_text(done.stdout + done.stderr)
        hint = " Is there a network?" if "No matching distribution" in done.stderr else ""
        sys.exit(f"Installing failed: {errors[-1] if errors else 'pip gave no reason'}.{hint} All of it: {log}")


if __name__ == "__main__":
    main()
