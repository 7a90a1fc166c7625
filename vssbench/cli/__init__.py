"""The command line: one module a verb, each light to import (heavy imports stand inside the functions)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module

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


def _until_closed(command: Callable[..., None]) -> Callable[..., None]:
    """The command; a reader of its output that has seen enough (`vssbench ... | head`) is no failure.

    Typer would leave with 1 then, which is the status of findings.
    """

    @wraps(command)
    def wrapped(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes it once more
            raise typer.Exit(0) from None

    return wrapped


for verb in VERBS:
    module = import_module(f"vssbench.cli.{verb.replace('-', '_')}")
    app.command(verb)(_until_closed(module.command))


def main() -> None:
    """Entry point: a UserError is one message on stderr and its exit status, never a traceback."""
    try:
        app()
    except UserError as error:
        if os.environ.get("VSSBENCH_DEBUG"):
            raise
        print(f"vssbench: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:  # a folder without permission, a name too long, a full disk, wherever it shows
        if os.environ.get("VSSBENCH_DEBUG"):
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"vssbench: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(UserError.exit_status)
