"""Splits from text files that list the clips: train.txt with one name per line, or with the paths of their frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vssbench.errors import counted

SPLITS = ("train", "val", "test")
_WORD = re.compile(rf"(?:.*[_.\-])?(trainval|training|{'|'.join(SPLITS)}|validation|valid)(?:[_.\-].*)?", re.IGNORECASE)
_MOST_MISSING = 0.1


def find(root: Path, texts: Sequence[Path], clips: Sequence[str]) -> tuple[dict[str, str | list[str]], list[str]]:
    """(split -> a file below `root`, or names; other files that also list clips, in words).

    A file with one name per line is returned as it is; for a file of paths the clips' names are extracted.
    """
    known, found, others = set(clips), {}, []
    for path in texts:
        match = _WORD.fullmatch(path.stem)
        if not match or path.suffix.lower() not in (".txt", ".lst"):
            continue
        lines = [line.strip() for line in _read(path) if line.strip()]
        named = [_clip(line, known) for line in lines]
        listed = list(dict.fromkeys(name for name in named if name is not None))
        if not listed or named.count(None) > _MOST_MISSING * len(named):
            continue
        split, place = match[1].lower(), path.relative_to(root).as_posix()
        if split in found:
            others.append(f"{split}: {place} ({counted(len(listed), 'clip')})")
            continue
        found[split] = place if listed == lines else listed
    return found, others


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _clip(line: str, known: set[str]) -> str | None:
    """The clip that a line names: the line itself, or the last folder of a path in it that is a clip."""
    if line in known:
        return line
    parts = [part for part in re.split(r"[/\\\s,]+", line) if part in known]
    return parts[-1] if parts else None
