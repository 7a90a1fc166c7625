"""The command line: one module a verb, each light to import (heavy imports stand inside the functions)."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from importlib import import_module
from typing import Any

import typer

from vssbench.errors import UserError

VERBS = (
    *("run", "profile", "predict", "train", "score", "report", "check", "baseline"),
    *("export", "export-results", "doctor", "list"),
)

app = typer.Typer(
    name="vssbench",
    help="Which video segmentation method gives the most accuracy for the least computation?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


for verb in VERBS:
    module = import_module(f"vssbench.cli.{verb.replace('-', '_')}")
    app.command(verb)(module.command)


class _Stdout(io.FileIO):
    """Standard output. A reader that has seen enough (`| head`) makes no failure of a pass, nor a pass of a failure.

    Any other failure, such as a full disk, is raised once; the interpreter writes what is left once more in the end.
    """

    _lost = False

    def write(self, data: Any) -> int:
        if not self._lost:
            try:
                return super().write(data)
            except OSError as error:
                self._lost = True
                if error.errno != errno.EPIPE:
                    raise OSError(error.errno, error.strerror, "standard output") from None
        return len(memoryview(data))


def _open_streams() -> None:
    """Standard streams that can be written to, whatever the caller has left of them."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # one that was closed: any file would take its place, and be written to
    os.close(handle)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (open to the end)
    given, foreign = sys.stdout, sys.stdout is not sys.__stdout__
    if given is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif not foreign:  # as a test that captures it is
        raw = io.BufferedWriter(_Stdout(1, "w", closefd=False))
        buffering = bool(given.line_buffering)
        sys.stdout = io.TextIOWrapper(raw, encoding=given.encoding, errors=given.errors, line_buffering=buffering)


def _fail(error: Exception, message: str) -> None:
    if os.environ.get("VSSBENCH_DEBUG"):
        raise error
    with contextlib.suppress(OSError):  # stderr too is on the disk that is full
        print(f"vssbench: {message}", file=sys.stderr)
    sys.exit(error.exit_status if isinstance(error, UserError) else UserError.exit_status)


def main() -> None:
    """Entry point: a UserError is one message on stderr and its exit status, never a traceback."""
    _open_streams()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except UserError as error:
        _fail(error, str(error))
    except OSError as error:  # a folder without permission, a name too long, a full disk, wherever it shows
        where = f"{error.filename}: " if error.filename is not None else ""
        _fail(error, f"{where}{error.strerror or error}")
