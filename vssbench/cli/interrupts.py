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
    """SIGTERM came."""


def interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, which an interruption ends with its own status: 1 would mean a regression."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        with ended_by_signals(""):
            command(*arguments, **options)

    return wrapped


@contextmanager
def ended_by_signals(advice: str) -> Iterator[None]:
    """SIGTERM, as schedulers send it, ends a command as Ctrl-C does: with a message, and no worker is left.

    advice: what to do, in that message
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
        raise typer.Exit(128 + number) from None  # as shells say it
    finally:
        signal.signal(signal.SIGTERM, before)
