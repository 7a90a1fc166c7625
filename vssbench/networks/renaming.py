"""Substitutions from one naming of a network's entries to another, such as from ours to an official file's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Substitutions = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
"""Patterns, each with its replacement as `re.sub` takes it."""


def renamed(name: str, substitutions: Substitutions) -> str:
    """Return the name after all substitutions that match, made in this order."""
    for pattern, replacement in substitutions:
        name = re.sub(pattern, replacement, name)
    return name
