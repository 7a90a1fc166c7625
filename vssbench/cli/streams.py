"""Standard output as the caller has left it: closed, full, read by nobody, or in an encoding that lacks our signs."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Any

SPELLED = "vssbench.spelled"
"""Name of the error handler that writes signs out."""
_SIGNS = dict(zip("≥≤≈±×–−→←…†", (">=", "<=", "~", "+-", "x", "-", "-", "->", "<-", "...", "+"), strict=True))


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """In place of characters that the encoding lacks: their ASCII spelling, or their number."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign, sign.encode("ascii", "backslashreplace").decode()) for sign in lacking), error.end


codecs.register_error(SPELLED, _spelled)


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


def open_streams() -> None:
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
        sys.stdout = io.TextIOWrapper(raw, encoding=given.encoding, errors=SPELLED, line_buffering=buffering)
