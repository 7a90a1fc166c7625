"""The `vssbench` command in this process, as its entry point runs it."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from vssbench.cli import main

MAIN = "from vssbench.cli import main; main()"
"""The same for a separate process, after `python -c`."""


class Outcome(NamedTuple):
    status: int
    stdout: str
    stderr: str


def vssbench(*arguments: object) -> Outcome:
    """Run a command line. An exception that would be a traceback is raised here."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["vssbench", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as done:
            status = done.code if isinstance(done.code, int) else 0 if done.code is None else 1
        else:
            status = 0
    return Outcome(status, out.getvalue(), err.getvalue())
