"""What a clip's numbers are based on: digests of its frames and of its labels, computed while they are read.

Readers of files hash the bytes that they decode (`Frame.digests`), so nothing is read twice. A video file is hashed as
a whole, synthetic video by its settings; any other dataset by its arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np

from vssbench import hooks
from vssbench.errors import UserError
from vssbench.files.atomic import regular
from vssbench.types import Dataset, Digests, Frame

SHORT = 16


class ClipDigest:
    """SHA-256 over the frames that were added from one clip, in order, with their names."""

    def __init__(self) -> None:
        self._frames, self._labels, self._labelled = sha256(), sha256(), False

    def add(self, stem: str, read: Digests) -> None:
        """Add the next frame, with its labels if it has any to be scored against."""
        self._frames.update(f"{stem}\0{read.image}\n".encode("utf-8", "surrogateescape"))
        if read.labels is not None:
            self._labels.update(f"{stem}\0{read.labels}\n".encode("utf-8", "surrogateescape"))
            self._labelled = True

    def noting(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the same frames, adding each along the way."""
        for frame in frames:
            self.add(frame.stem, digests(frame))
            yield frame

    def record(self) -> dict[str, str]:
        """The digests for a clip record: "frames", and "labels" if there are any, 16 hexadecimal digits each."""
        found = {"frames": self.frames[:SHORT]}
        return found if self.labels is None else found | {"labels": self.labels[:SHORT]}

    @property
    def frames(self) -> str:
        """The digest of the frames, hexadecimal."""
        return self._frames.hexdigest()

    @property
    def labels(self) -> str | None:
        """The digest of the labels, hexadecimal; None if no frame had any."""
        return self._labels.hexdigest() if self._labelled else None


def clip_digest(dataset: Dataset, clip: str) -> ClipDigest:
    """The current digests of a clip; nothing is decoded if the dataset has `hooks.HasDigests`."""
    found = ClipDigest()
    for stem, read in named_digests(dataset, clip):
        found.add(stem, read)
    return found


def named_digests(dataset: Dataset, clip: str) -> Iterator[tuple[str, Digests]]:
    """(stem, digests) of every frame of a clip in order."""
    own = hooks.offered(dataset, "digests")
    return ((frame.stem, digests(frame)) for frame in dataset.frames(clip)) if own is None else own(clip)


def files_digest(files: Iterable[Path]) -> str:
    """One digest, 16 hexadecimal digits, of some files' bytes in that order; a missing one counts as missing."""
    whole = sha256()
    for file in files:
        whole.update((of_file(file) if file.is_file() else "missing").encode())
    return whole.hexdigest()[:SHORT]


def digests(frame: Frame) -> Digests:
    """The frame's own digests, else those of its arrays; labels are included only if it has any."""
    image, labels = frame.digests or (of_array(frame.image), None)
    return Digests(image, None if frame.labels is None else labels or of_array(frame.labels))


def of_array(array: np.ndarray) -> str:
    """SHA-256, hexadecimal, of an array's type, shape and values."""
    digest = sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """SHA-256, hexadecimal, of a file's bytes; raises UserError for one that cannot be read."""
    try:
        with regular(path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path) from None
