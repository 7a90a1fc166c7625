"""The command line: one module per verb, each light to import (heavy imports are inside the functions)."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from importlib import import_module
from typing import Annotated

import typer

from vssbench import __version__
from vssbench.cli.interrupts import interruptible
from vssbench.cli.one_value import Command
from vssbench.cli.options import at_home
from vssbench.cli.streams import is_own, open_streams
from vssbench.errors import UserError, listed, printable

GRACE = 10.0
"""Seconds that threads have to end after the last output."""
VERBS = (
    *("run", "profile", "predict", "train", "score", "report", "check", "baseline", "verify", "cite", "history"),
    *("export", "export-model", "export-results", "describe", "doctor", "list"),
)


app = typer.Typer(
    name="vssbench",
    help="Which video segmentation method gives the most accuracy for the least computation?",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"vssbench {__version__}")
        raise typer.Exit


@app.callback()
def command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Take the options before the verb."""


for verb in VERBS:
    module = import_module(f"vssbench.cli.{verb.replace('-', '_')}")
    summary = " ".join(module.command.__doc__.partition("\n\n")[0].split())  # the list would cut off the whole help
    app.command(verb, cls=Command, short_help=summary)(interruptible(at_home(module.command)))


def _fail(error: Exception, message: str) -> None:
    if os.environ.get("VSSBENCH_DEBUG"):
        raise error
    with contextlib.suppress(OSError):  # stderr may be on the same full disk
        print(f"vssbench: {printable(message)}", file=sys.stderr)
    sys.exit(error.exit_status if isinstance(error, UserError) else UserError.exit_status)


def main() -> None:
    """Run the command line: a UserError becomes one message on stderr and its exit status, never a traceback."""
    open_streams()
    try:
        _run()
    except SystemExit as done:
        if is_own(sys.stdout):  # not where a test or a notebook called this
            _leave(done.code)
        raise


def _leave(status: object) -> None:
    """End this process even if threads that a method or a library started never end: they have had their time."""
    until = time.monotonic() + GRACE
    others = [one for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]
    for one in others:
        one.join(max(0.0, until - time.monotonic()))
    if names := [one.name for one in others if one.is_alive()]:
        text = f"vssbench: ended although threads were still running: {printable(listed(names, 3))}"
        with contextlib.suppress(OSError):  # nobody may be reading any more
            print(text, file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status if isinstance(status, int) else 0 if status is None else 1)


def _run() -> None:
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
