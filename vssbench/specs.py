"""Specs: identity is a canonical string, such as `mIoU`, `VC@8` or `mpvss(backbone=swin_t,key_interval=5)`.

The same string is the command-line argument, the key on disk and the table header, and
`parse(str(spec)) == spec` for every spec. Grammar:

    spec  := name ["@" INT] ["(" [arg ("," arg)*] ")"]
    name  := NAME | FILE ".py:" NAME          something in a Python file that is not installed
    arg   := KEY "=" value | WORD (in names of figures only: `fps(step)`, `latency(p99,end_to_end)`)
    value := none | true | false | INT | FLOAT | spec with "(" | bare word | JSON string in double quotes
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from vssbench.errors import UserError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
_IN_FILE = re.compile(r"([^\s,()\"=\x00-\x1f\x7f]+\.py):([A-Za-z_][A-Za-z0-9_]*)")
_AT = re.compile(r"@(\d{1,9})")
_BARE = re.compile(r"[^\s,()\"=\x00-\x1f\x7f]+")
_INT = re.compile(r"-?\d{1,18}\Z")  # longer ones would be read as floats: refused, see _format
_FLOAT = re.compile(r"-?(\d+\.\d*|\.\d+|\d+)(e[+-]?\d+)?\Z", re.IGNORECASE)
INSIDE = ("of", "reference", "update")
"""Arguments that name a method: the inner one of a wrapper, or the two of a composite."""
_WORDS = {"none": None, "true": True, "false": False}
_MAX_DEPTH = 16
_LONGEST = 100_000


@dataclass(frozen=True, eq=False)
class Spec:
    """A name, an optional number after "@", bare words (in order), and named arguments (kept sorted).

    Two specs are equal if their strings are: to Python, 1, 1.0 and True are equal, but as arguments they differ.
    """

    name: str
    args: tuple[tuple[str, object], ...] = ()
    at: int | None = None
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        plain = ((key, _plain(value)) for key, value in self.args)
        object.__setattr__(self, "args", tuple(sorted(plain, key=lambda pair: pair[0])))
        object.__setattr__(self, "name", _plain(self.name))
        for word in (self.name, *dict(self.args)):
            if not _NAME.fullmatch(word) and not (word == self.name and in_file(word)):
                raise UserError(f"{word!r} cannot be a name", expected="a letter, then letters, digits and '_.-'")
        for word in self.words:
            if not _BARE.fullmatch(word):
                raise UserError(f"{word!r} cannot be a word", expected='no space and none of ()=,"')

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Spec) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def get(self, key: str, default: object = None) -> object:
        return dict(self.args).get(key, default)

    def with_args(self, **changes: object) -> Spec:
        """The same spec with arguments added or replaced."""
        return Spec(self.name, tuple({**dict(self.args), **changes}.items()), self.at, self.words)

    def __str__(self) -> str:
        at = f"@{self.at}" if self.at is not None else ""
        args = ",".join([*self.words, *(f"{key}={_format(value)}" for key, value in self.args)])
        return f"{self.name}{at}({args})" if args else f"{self.name}{at}"


def parse(text: str | Spec, words: bool = False) -> Spec:
    """Parse one spec; a Spec is returned unchanged. words: bare words are arguments too, as in `fps(step)`."""
    if isinstance(text, Spec):
        return text
    reader = _Reader(text, words)
    spec = reader.spec(0)
    reader.end()
    return spec


def parse_list(text: str, words: bool = False) -> list[Spec]:
    """Parse specs separated by commas, e.g. `mpvss,hold(of=oracle,key_interval=2)`."""
    reader = _Reader(text, words)
    specs = [reader.spec(0)]
    while reader.take(","):
        specs.append(reader.spec(0))
    reader.end("nothing more, or a comma")
    return specs


def parse_value(text: str) -> object:
    """Parse one argument value."""
    reader = _Reader(text)
    value = reader.value(0)
    reader.end()
    return value


def inside(spec: Spec) -> list[Spec]:
    """The methods that a spec's `INSIDE` arguments name, in that order; `auto(...)` in another argument is not one."""
    named = (spec.get(argument) for argument in INSIDE)
    return [parse(one) for one in named if isinstance(one, Spec | str)]


def walk(spec: Spec) -> Iterator[Spec]:
    """Yield the spec and those inside it, from the outside in.

    >>> [one.name for one in walk(parse("hold(of=accel(reference=mask2former,update=psp18))"))]
    ['hold', 'accel', 'mask2former', 'psp18']
    """
    yield spec
    for one in inside(spec):
        yield from walk(one)


def in_file(name: str) -> tuple[str, str] | None:
    """Split a name such as `my_file.py:MyMethod` into (file, name in it); None for any other name.

    >>> in_file("code/my_file.py:MyMethod"), in_file("mpvss")
    (('code/my_file.py', 'MyMethod'), None)
    """
    found = _IN_FILE.fullmatch(name) if name.isprintable() else None
    return (found[1], found[2]) if found else None


def _plain(value: object) -> object:
    """Return one form for equal values: a spec without arguments and its bare word, or a file under two paths."""
    if isinstance(value, Spec) and not (value.args or value.words):
        return str(value)
    found = in_file(value) if isinstance(value, str) else None
    return f"{posixpath.normpath(found[0])}:{found[1]}" if found else value


def _format(value: object) -> str:
    if isinstance(value, Spec):
        return str(value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        if not _INT.match(str(value)):
            raise UserError(f"{value} cannot be an argument", expected="an integer of at most 18 digits")
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UserError(f"{value} cannot be an argument", expected="a finite number")
        return repr(value)
    if not isinstance(value, str | PurePath):
        raise TypeError(f"{value!r} has no place in a spec")
    text = str(value)
    bare = _BARE.fullmatch(text) and _literal(text) == text and text.isprintable()
    return text if bare else json.dumps(text)


def _literal(word: str) -> object:
    if word in _WORDS:
        return _WORDS[word]
    if _INT.match(word):
        return int(word)
    if _FLOAT.match(word) and math.isfinite(float(word)):
        return float(word)
    return word


class _Reader:
    """A cursor over the text; every error message names the position."""

    def __init__(self, text: str, words: bool = False):
        if len(text) > _LONGEST:
            raise UserError(f"a spec of {len(text)} characters: {text[:40]!r} ...", expected=f"at most {_LONGEST}")
        self.text, self.words, self.pos = text, words, 0

    def fail(self, expected: str) -> UserError:
        found = repr(self.text[self.pos]) if self.pos < len(self.text) else "the end"
        return UserError(
            f"cannot read {self.text[:120]!r}: found {found} at position {self.pos + 1}",
            expected=expected,
            fix='write it like mpvss(backbone=swin_t,key_interval=5); quote odd strings with "..."',
        )

    def spaces(self) -> None:
        while self.pos < len(self.text) and self.text[self.pos].isspace():
            self.pos += 1

    def take(self, mark: str) -> bool:
        self.spaces()
        if self.text.startswith(mark, self.pos):
            self.pos += len(mark)
            return True
        return False

    def match(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        found = pattern.match(self.text, self.pos)
        if not found:
            raise self.fail(expected)
        self.pos = found.end()
        return found

    def end(self, expected: str = "nothing more") -> None:
        self.spaces()
        if self.pos != len(self.text):
            raise self.fail(expected)

    def spec(self, depth: int) -> Spec:
        if depth > _MAX_DEPTH:
            raise self.fail(f"at most {_MAX_DEPTH} nested specs")
        self.spaces()
        found = _IN_FILE.match(self.text, self.pos)
        name = self.match(_IN_FILE if found and in_file(found[0]) else _NAME, "a name").group()
        at = int(self.match(_AT, "a number after '@'").group(1)) if self.text.startswith("@", self.pos) else None
        args: dict[str, object] = {}
        words: list[str] = []
        if self.take("(") and not self.take(")"):
            while True:
                self.spaces()
                key = self.match(_BARE if self.words else _NAME, "an argument's name").group()
                if key in args or key in words:
                    raise self.fail(f"{key} only once")
                if self.take("="):
                    args[key] = self.value(depth + 1)
                elif self.words:
                    words.append(key)
                else:
                    raise self.fail(f"'=' after {key}")
                if self.take(")"):
                    break
                if not self.take(","):
                    raise self.fail("',' or ')'")
        return Spec(name, tuple(args.items()), at, tuple(words))

    def value(self, depth: int) -> object:
        self.spaces()
        if self.text.startswith('"', self.pos):
            try:
                value, self.pos = json.JSONDecoder().raw_decode(self.text, self.pos)
            except json.JSONDecodeError:
                raise self.fail("a closed string in double quotes") from None
            return value
        start = self.pos
        word = self.match(_BARE, "a value").group()
        if self.text.startswith("(", self.pos):
            self.pos = start
            return self.spec(depth)
        return _literal(word)
