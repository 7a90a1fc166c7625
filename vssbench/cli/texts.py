"""What a flag's texts mean: lists of specs, sweeps, distances and checkpoints; a flag given twice has two texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vssbench.errors import UserError
from vssbench.specs import Spec, parse, parse_list, parse_value

RANGE = re.compile(r"(\d{1,9})\s*(-|–|:|\.{2,}|…)\s*(\d{1,9})")
"""A range of whole numbers, in any of the usual notations; the one used here is `..`."""
MOST = 1000
"""Maximum number of values in a range."""
BRANCHES = ("hr", "lr", "reference", "update")


def specs(texts: Sequence[str], words: bool = False) -> list[Spec]:
    """`["mpvss,hold(of=oracle)", "cffm"]` -> the specs, in order. words: as in `vssbench.specs.parse`"""
    return [spec for text in texts for spec in parse_list(text, words)]


def names(texts: Sequence[str]) -> list[str]:
    """`["mIoU, BIoU(width=0.2)"]` -> canonical strings."""
    return [str(spec) for spec in specs(texts)]


def sweep(texts: Sequence[str]) -> dict[str, list[object]]:
    """`["key_interval=1,2,5", "offset=0..4"]` -> `{"key_interval": [1, 2, 5], "offset": [0, 1, 2, 3, 4]}`."""
    found: dict[str, list[object]] = {}
    for text in texts:
        key, equals, listed = text.partition("=")
        if not equals or not key.isidentifier() or not listed:
            raise UserError(f"--sweep {text!r} cannot be read", expected="ARGUMENT=VALUE,VALUE,... or ARGUMENT=0..4")
        if key in found:
            raise UserError(f"--sweep names {key!r} twice", expected="all its values in one --sweep")
        found[key] = _values(listed, f"--sweep {key}=")
    return found


def distances(texts: Sequence[str]) -> list[int]:
    """`["0..11"]` or `["0,3", "6"]` -> the numbers, in order."""
    found: set[int] = set()
    for text in texts:
        values = _values(text, "--distances ")
        numbers = [value for value in values if isinstance(value, int)]
        if len(numbers) != len(values):
            raise UserError(f"--distances {text!r} cannot be read", expected="0..11, or 0,3,6")
        found.update(numbers)
    return sorted(found)


def rates(texts: Sequence[str]) -> list[float]:
    """`["10,15", "29.97"]` -> frames per second."""
    try:
        return [float(value) for text in texts for value in text.split(",")]
    except ValueError:
        raise UserError(f"--stream {','.join(texts)!r} cannot be read", expected="frame rates: 10,15,30") from None


def checkpoints(texts: Sequence[str]) -> dict[str, str | dict[str, str]]:
    """`["mpvss=a.pth", "arseg=hr:b.pth,lr:c.pth"]` -> `{"mpvss": "a.pth", "arseg": {"hr": "b.pth", "lr": "c.pth"}}`.

    The name may be a whole spec, to tell apart two of the same method in one run: `mpvss(backbone=r50)=a.pth`.
    """
    files: dict[str, str | dict[str, str]] = {}
    for text in texts:
        start = text.find(")=") + 1 if "(" in text.partition("=")[0] else text.find("=")
        name, path = (text[:start], text[start + 1 :]) if start > 0 else ("", "")
        if not name or not path:
            raise UserError(f"--checkpoint {text!r} cannot be read", expected="METHOD=PATH")
        name = str(parse(name))
        if name in files:
            raise UserError(f"--checkpoint names {name!r} twice", expected="one file per method")
        files[name] = branches(path)
    return files


def branches(text: str) -> str | dict[str, str]:
    """`hr:FILE,lr:FILE`, or one of them -> branch of arseg (or of accel) -> file; any other text is a path as it is."""
    parts = [part.partition(":") for part in text.split(",")]
    files = {branch: file for branch, colon, file in parts if colon and branch in BRANCHES}
    return files if len(files) == len(parts) else text


def _values(text: str, flag: str) -> list[object]:
    """`0..4` or `slow,fast` -> the values. flag: the flag's name, for messages"""
    ends = RANGE.fullmatch(text)
    if ends is None:
        return [parse_value(value) for value in text.split(",")]
    low, between, high = int(ends[1]), ends[2], int(ends[3])
    if between == ".." and low <= high < low + MOST:
        return list(range(low, high + 1))
    raise UserError(
        f"{flag}{text} cannot be read",
        expected=f"LOW..HIGH for whole numbers from LOW to HIGH, at most {MOST} of them",
        fix=f"{flag}{min(low, high)}..{max(low, high)}" if abs(high - low) < MOST else None,
    )
