"""The command line: one module a verb, each light to import (heavy imports stand inside the functions)."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import typer

from vssbench.errors import UserError

VERBS = ("run", "profile", "predict", "score", "report", "export", "doctor", "list")

app = typer.Typer(
    name="vssbench",
    help="Which video segmentation method gives the most accuracy for the least computation?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in VERBS:
    module = import_module(f"vssbench.cli.{verb}")
    app.command(verb)(module.command)


def main() -> None:
    """Entry point: a UserError is one message on stderr and its exit status, never a traceback."""
    try:
        app()
    except UserError as error:
        if os.environ.get("VSSBENCH_DEBUG"):
            raise
        print(f"vssbench: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except BrokenPipeError:  # `vssbench ... | head`
        sys.stderr.close()
        sys.exit(0)
