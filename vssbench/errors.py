"""Errors for people to read: one message, no traceback, and an exit status that a CI job can trust.

Exit status: 0 fine, 1 regression or findings, 2 usage or bad input, 3 not comparable.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


def printable(text: object) -> str:
    r"""The text with control characters escaped, so a name from a foreign file cannot move the cursor or hide words.

    Line breaks stay. Bidirectional controls and lone surrogates, which no stream accepts, are escaped too.

    >>> printable("road\x1b[2J")
    'road\\x1b[2J'
    """
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in str(text)
    )


class UserError(Exception):
    """A mistake that the user can fix. Its message is `printable`, whatever foreign text it quotes.

    what:     what is wrong, in one sentence
    where:    the file, line, key or clip in question
    expected: what was expected instead
    fix:      what to do, as a command if there is one
    """

    exit_status = 2

    def __init__(self, what: str, *, where: object = None, expected: str | None = None, fix: str | None = None):
        self.what, self.where, self.expected, self.fix = what, where, expected, fix
        parts = [f"{where}: {what}" if where is not None else what]
        if expected:
            parts.append(f"expected: {expected}")
        if fix:
            parts.append(f"fix: {fix}")
        super().__init__(printable("\n  ".join(parts)))

    @property
    def brief(self) -> str:
        """What is wrong and where, in one line."""
        return " ".join(printable(f"{self.where}: {self.what}" if self.where is not None else self.what).split())

    def __reduce__(self) -> tuple[Callable[..., UserError], tuple[object, ...]]:  # for worker processes
        return _rebuild, (type(self), self.what, self.where, self.expected, self.fix)


def _rebuild(cls: type[UserError], what: str, where: object, expected: str | None, fix: str | None) -> UserError:
    return cls(what, where=where, expected=expected, fix=fix)


class NotComparable(UserError):
    """Two results that must not be compared: they differ in protocol, dataset or machine."""

    exit_status = 3


class MissingExtra(UserError):
    """An optional dependency is needed but not installed."""

    @classmethod
    def of(cls, extra: str, package: str, purpose: str) -> MissingExtra:
        """Build the error. extra: name in pyproject.toml; package: what failed to import; purpose: what needs it."""
        return cls(f"{purpose} needs the package {package!r}", fix=f"pip install 'vssbench[{extra}]'")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return 'Did you mean ...? Known: ...' for a name that is not among the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known) or 'none'}"


def listed(names: Iterable[object], limit: int) -> str:
    """Return 'a, b and 3 more': the first `limit` names, and how many follow."""
    found = [str(name) for name in names]
    rest = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + rest


def counted(number: int | str, noun: str) -> str:
    """The number with its noun, in the singular or plural.

    >>> counted(1, "clip"), counted(2, "clip"), counted("1 of 3", "clip")
    ('1 clip', '2 clips', '1 of 3 clips')
    """
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def first_line(error: BaseException) -> str:
    """The first line of a foreign error's message; the name of its type if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def cause(error: BaseException) -> str:
    """The error's type and message, in one line."""
    kind, said = type(error).__name__, first_line(error)
    return kind if said == kind else f"{kind}: {said}"


@contextmanager
def blaming(whose: str, where: str) -> Iterator[None]:
    """Run foreign code in this context: what it raises becomes a UserError that names the owner and keeps the cause.

    Ctrl-C passes through, with a note that says whose code it interrupted: that code may have been hanging.
    """
    try:
        yield
    except UserError:
        raise
    except KeyboardInterrupt as error:
        error.add_note(f"{whose}, {where}")
        raise
    except BaseException as error:  # a sys.exit(0) in foreign code would look like a finished run
        if any(words in str(error) for words in ("read-only", "marked as readonly")):  # NumPy's wording, and OpenCV's
            raise UserError(
                f"{whose} writes into an array that it was given to read",
                where=where,
                expected="unchanged frames: whatever reads them next would measure something else",
                fix="write into a copy, frame.image.copy()",
            ) from error
        raise UserError(
            f"{whose} failed: {cause(error)}",
            where=where,
            fix="set VSSBENCH_DEBUG=1 to see the traceback",
        ) from error
