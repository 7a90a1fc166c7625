"""Ctrl-C and SIGTERM: one message that names what was running, and the exit status that shells expect."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer

from vssbench.errors import printable


class _Terminated(KeyboardInterrupt):
    """Raised on SIGTERM."""


def interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that an interruption ends it with its own status: 1 would mean a regression."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        with ended_by_signals(""):
            command(*arguments, **options)

    return wrapped


@contextmanager
def ended_by_signals(advice: str) -> Iterator[None]:
    """Make SIGTERM, which schedulers send, end a command as Ctrl-C does: with a message, and no worker left behind.

    advice: what to do next, for that message
    """

    def terminate(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as error:
        where = f" in {error.__notes__[0]}" if getattr(error, "__notes__", None) else ""
        print(printable(f"vssbench: interrupted{where}{advice and f'; {advice}'}"), file=sys.stderr)
        number = signal.SIGTERM if isinstance(error, _Terminated) else signal.SIGINT
        raise typer.Exit(128 + number) from None  # the convention of shells
    finally:
        signal.signal(signal.SIGTERM, before)
