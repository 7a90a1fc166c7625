"""The names of clips and frames as one digest: the only place that hashes names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from vssbench.types import Dataset


class Fingerprint:
    """SHA-256 of the names of clips and of their frames, clip by clip; contents are not read."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, clip: str, stems: Iterable[str]) -> None:
        """Add the next clip."""
        self._digest.update(_joined([clip, *stems, "\n"]))

    def hexdigest(self) -> str:
        """The digest of the clips so far, hexadecimal."""
        return self._digest.hexdigest()


def fingerprint(dataset: Dataset) -> str:
    """SHA-256, hexadecimal, of the names of all clips and frames of the split."""
    whole = Fingerprint()
    for clip in dataset.clips():
        whole.add(clip, dataset.stems(clip))
    return whole.hexdigest()


def digest(names: Iterable[str]) -> str:
    """SHA-256, hexadecimal, of a list of names."""
    return hashlib.sha256(_joined(names)).hexdigest()


def _joined(names: Iterable[str]) -> bytes:
    return "\0".join(names).encode("utf-8", "surrogateescape")  # for names from disk that are not UTF-8
