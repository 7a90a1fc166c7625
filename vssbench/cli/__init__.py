"""The command line: one module a verb, each light to import (heavy imports stand inside the functions)."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module

import typer

from vssbench.cli.streams import open_streams
from vssbench.errors import UserError, printable

VERBS = (
    *("run", "profile", "predict", "train", "score", "report", "check", "baseline", "verify"),
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


def _fail(error: Exception, message: str) -> None:
    if os.environ.get("VSSBENCH_DEBUG"):
        raise error
    with contextlib.suppress(OSError):  # stderr too is on the disk that is full
        print(f"vssbench: {printable(message)}", file=sys.stderr)
    sys.exit(error.exit_status if isinstance(error, UserError) else UserError.exit_status)


def main() -> None:
    """Entry point: a UserError is one message on stderr and its exit status, never a traceback."""
    open_streams()
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
