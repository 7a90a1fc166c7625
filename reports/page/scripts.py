"""The page's scripts as one: modules that import from each other, put in order and stripped of `import` and `export`.

A file cannot import from itself, and a page that loads nothing has no other files. All names then share one scope: no
two modules may define the same name at top level, which a browser would refuse.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
ENTRY = "page"
_IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"\./(\w+)\.js";.*\n', re.MULTILINE)


def script() -> str:
    """Return all that the entry needs, each module after those that it uses, without `import` and `export`."""
    parts = []
    for name in order(ENTRY):
        text = _IMPORT.sub("", _read(name))
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


def order(name: str) -> list[str]:
    """Return the module and all that it uses, each used module before its user."""
    found: dict[str, None] = {}

    def add(one: str, users: tuple[str, ...]) -> None:
        if one in users:
            raise ValueError(f"{' uses '.join([*users, one])}: modules in a circle")
        if one not in found:
            for used in _IMPORT.findall(_read(one)):
                add(used, (*users, one))
            found[one] = None

    add(name, ())
    return list(found)


def _read(name: str) -> str:
    return (FOLDER / f"{name}.js").read_text(encoding="utf-8")
