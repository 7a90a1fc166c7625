"""Standard output as the caller left it: closed, full, read by nobody, or in an encoding that lacks our symbols."""

from __future__ import annotations

import codecs
import ctypes
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

SPELLED = "vssbench.spelled"
"""Name of the error handler that spells such symbols out."""
_SIGNS = dict(zip("≥≤≈±×–−→←…†", (">=", "<=", "~", "+-", "x", "-", "-", "->", "<-", "...", "+"), strict=True))


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Return replacements for characters that the encoding lacks: their ASCII spelling, or their number."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign, sign.encode("ascii", "backslashreplace").decode()) for sign in lacking), error.end


codecs.register_error(SPELLED, _spelled)


class _Stdout(io.FileIO):
    """Standard output. If its reader stops early (`| head`), a pass stays a pass and a failure stays a failure.

    Any other error, such as a full disk, is raised only once, although the interpreter flushes again at exit.
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


def open_streams() -> None:
    """Make the standard streams writable, whatever state the caller left them in."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a closed one: the next file opened would take its number, and be written to
    os.close(handle)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (stays open to the end)
    given, foreign = sys.stdout, sys.stdout is not sys.__stdout__
    if given is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif not foreign:  # such as a test's capture
        raw = io.BufferedWriter(_Stdout(1, "w", closefd=False))
        buffering = bool(given.line_buffering)
        sys.stdout = io.TextIOWrapper(raw, encoding=given.encoding, errors=SPELLED, line_buffering=buffering)


def is_own(stream: Any) -> bool:
    """Whether the stream is what `open_streams` made of standard output."""
    return isinstance(getattr(getattr(stream, "buffer", None), "raw", None), _Stdout)


@contextmanager
def only_ours() -> Iterator[None]:
    """Send to standard error whatever other code prints meanwhile, in Python, below it or in worker processes.

    Standard output is for the verb's own output: JSON that a program reads, or a table.
    """
    if not is_own(sys.stdout):
        with redirect_stdout(sys.stderr):
            yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C libraries still have buffered
        os.dup2(kept, 1)
        os.close(kept)
