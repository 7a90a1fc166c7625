"""What a clip's numbers rest on, as two numbers: digests of its frames and of its labels, made while they are read.

Readers of files hash the bytes that they decode (`Frame.digests`), so nothing is read twice. A video file is hashed as
a whole, made video by what it is made from; a dataset that says nothing is known by its arrays.
"""

from __future__ import annotations

from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np

from vssbench.types import Digests, Frame


class ClipDigest:
    """SHA-256 over the frames of one clip that were added, in their order, with their names."""

    def __init__(self) -> None:
        self._frames, self._labels, self._labelled = sha256(), sha256(), False

    def add(self, frame: Frame) -> None:
        """Take in the next frame; its labels only where it has some to be scored against."""
        image, labels = digests(frame)
        self._frames.update(f"{frame.stem}\0{image}\n".encode("utf-8", "surrogateescape"))
        if labels is not None:
            self._labels.update(f"{frame.stem}\0{labels}\n".encode("utf-8", "surrogateescape"))
            self._labelled = True

    @property
    def frames(self) -> str:
        """Hexadecimal."""
        return self._frames.hexdigest()

    @property
    def labels(self) -> str | None:
        """Hexadecimal; None where no frame had labels."""
        return self._labels.hexdigest() if self._labelled else None


def digests(frame: Frame) -> Digests:
    """What the frame says it was read from, else its arrays; of its labels only where it has some."""
    image, labels = frame.digests or (of_array(frame.image), None)
    return Digests(image, None if frame.labels is None else labels or of_array(frame.labels))


def of_array(array: np.ndarray) -> str:
    """SHA-256, hexadecimal, of an array's type, shape and values."""
    digest = sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """SHA-256, hexadecimal, of a file's bytes."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
