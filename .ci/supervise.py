"""Run a command, and end whatever it has left behind, by process ids: `supervise.py COMMAND ...`.

Processes that outlive their parent, in sessions of their own too (Ray's nodes), become children of this one (Linux's
PR_SET_CHILD_SUBREAPER), so its tree of children holds all that the command has started. Nothing else is touched. The
exit status is the command's own, or 128 + the signal that ended this process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""


def main(command: list[str]) -> int:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT: a job in the background starts without it
        signal.signal(number, _interrupt)
    try:
        status = subprocess.Popen(command).wait()
        return status if status >= 0 else 128 - status
    except KeyboardInterrupt as error:
        return 128 + (error.args[0] if error.args else signal.SIGINT)
    finally:
        _end_all()


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt(number)


def _end_all() -> None:
    """SIGTERM to all descendants, SIGKILL to those that are there after the grace, until none is left."""
    deadline = time.monotonic() + GRACE
    told: set[int] = set()
    while running := set(_descendants(os.getpid())):
        late = time.monotonic() > deadline
        for pid in running if late else running - told:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        told |= running
        _reap()
        time.sleep(0.1)


def _descendants(pid: int) -> Iterator[int]:
    """Children, their children and so on."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = [int(child) for child in children.read_text().split()]
        except OSError:  # it has just ended
            continue
        for child in found:
            yield child
            yield from _descendants(child)


def _reap() -> None:
    """Take note of children that have ended: they are listed until then."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
