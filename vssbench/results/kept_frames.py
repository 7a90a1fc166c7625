"""Pictures of a run's worst frames, and what every other method predicted for the same frames.

The frames that may be kept are drawn by digests of clip names and frame indices, so they are the same for every method,
in one process or eight, fresh or resumed. For each drawn frame, a method keeps its prediction, and where that changed
since the previous frame without any motion to explain it; for those that it got most wrong, one per clip where there
are enough clips, also the image and the ground truth. Reports can then show methods side by side, and nothing runs
twice.

    <method>/frames/<clip>.json    the drawn frames of one clip; pictures are at most SIDE pixels wide or high

Nothing is measured here: the accuracy is that of single frames, to rank them.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from vssbench.datasets.fingerprint import digest
from vssbench.errors import UserError
from vssbench.files.atomic import write_text
from vssbench.metrics.accuracy.flicker import flicker
from vssbench.results.run_folder import slug
from vssbench.types import IGNORE, Frame, LabelSpace, Prediction, UInt8

FOLDER = "frames"
SIDE = 256
FRAMES, A_CLIP = 400, 8
"""The most frames drawn from a whole dataset, and from one clip."""
LABEL_BYTES, IMAGE_BYTES = 3_000, 20_000
"""Limits of a picture; a larger one, such as noise, is scaled down. With three images, at most 2 MB per method."""


Seen = tuple[Frame, Prediction]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class KeptFrame(_Record):
    """One frame. Label maps are grey PNGs of train ids (255: none); the image is a JPEG.

    kind, age: of the prediction
    accuracy:  share of its labelled pixels that are right, in percent, at full size
    flicker:   share of pixels whose label change no motion explains, in percent of those that can be compared with the
               previous frame (`metrics.accuracy.flicker`); None where no pixel can be
    changed:   grey PNG of where these pixels are, brighter where there are more; present whenever flicker is
    image, labels: of the worst frames only
    """

    index: int
    stem: str
    kind: str
    age: int
    accuracy: float
    prediction: bytes
    flicker: float | None = None
    changed: bytes | None = None
    image: bytes | None = None
    labels: bytes | None = None


class KeptClip(_Record):
    """The drawn frames of a clip, in order. colours: uint8[C, 3] RGB of the classes."""

    clip: str
    colours: bytes
    frames: list[KeptFrame]

    def reduced(self, chosen: Collection[tuple[str, int]]) -> KeptClip:
        """Return the same clip, with image and labels only for the chosen (clip, index)."""
        frames = [
            frame if (self.clip, frame.index) in chosen else frame.model_copy(update={"image": None, "labels": None})
            for frame in self.frames
        ]
        return self.model_copy(update={"frames": frames})


class Draw:
    """Decides what a run keeps. clips: of the whole split, whatever the limit; count: pictures per method."""

    def __init__(self, clips: Iterable[str], count: int):
        names = list(clips)
        self.a_clip = max(1, min(A_CLIP, FRAMES // len(names)))
        self.pictures = min(self.a_clip, -(-count // len(names)))
        self.clips = frozenset(heapq.nsmallest(FRAMES, names, key=_lot) if count else ())

    def watch(self, clip: str, space: LabelSpace) -> Watch | None:
        """Return the observer for a run of the clip; None where nothing of the clip is kept."""
        return Watch(clip, space, self.a_clip, self.pictures) if clip in self.clips else None


class Watch:
    """Observes a method as it runs a clip, and keeps the drawn frames."""

    def __init__(self, clip: str, space: LabelSpace, frames: int, pictures: int):
        self.clip, self.space, self.frames, self.pictures = clip, space, frames, pictures
        self._held: list[tuple[int, int, Seen, Seen | None]] = []
        self._last: Seen | None = None

    def __call__(self, frame: Frame, prediction: Prediction) -> None:
        own = replace(prediction, labels=prediction.labels.copy())  # a method may reuse the array for its next one
        before, self._last = self._last, (frame, own)
        if frame.labels is None:
            return
        lot = -_lot(f"{self.clip}\0{frame.index}")  # the heap drops its smallest, and small lots must stay
        if len(self._held) == self.frames and lot < self._held[0][0]:
            return
        if (frame.labels == IGNORE).all():
            return
        heapq.heappush(self._held, (lot, frame.index, (frame, own), before))
        if len(self._held) > self.frames:
            heapq.heappop(self._held)

    def kept(self) -> KeptClip:
        """Return the drawn frames, the worst of them with their pictures."""
        drawn = sorted(((seen, before) for *_, seen, before in self._held), key=lambda pair: pair[0][0].index)
        frames = [_kept(seen, before, self.space.classes) for seen, before in drawn]
        worst = {frame.index for frame in heapq.nsmallest(self.pictures, frames, key=_badness)}
        for kept, ((frame, _), _) in zip(frames, drawn, strict=True):
            if kept.index in worst and frame.labels is not None:
                kept.image, kept.labels = _image(frame.image), _labels(frame.labels)
        return KeptClip(clip=self.clip, colours=self.space.colours.tobytes(), frames=frames)


class FrameFolder:
    """The kept frames of one method on disk, with `count` pictures: the worst of all clips that were added."""

    def __init__(self, method: Path, count: int):
        self.folder, self.count = method / FOLDER, count
        found = read_frames(method) if count else []
        self._pictures = {(kept.clip, frame.index): frame.accuracy for kept in found for frame in _pictured(kept)}

    def add(self, kept: KeptClip) -> None:
        """Write one clip; where there are too many pictures, the best of the frames that have them lose theirs."""
        self._pictures |= {(kept.clip, frame.index): frame.accuracy for frame in _pictured(kept)}
        chosen = heapq.nsmallest(self.count, self._pictures, key=lambda key: (self._pictures[key], key))
        self._write(kept.reduced(chosen))
        for clip in sorted({clip for clip, _ in self._pictures.keys() - set(chosen)} - {kept.clip}):
            self._write(_read(self._path(clip)).reduced(chosen))
        self._pictures = {key: self._pictures[key] for key in chosen}

    def _write(self, kept: KeptClip) -> None:
        self.folder.mkdir(exist_ok=True)
        write_text(self._path(kept.clip), kept.model_dump_json() + "\n")

    def _path(self, clip: str) -> Path:
        return self.folder / f"{slug(clip)}.json"


def read_frames(method: Path) -> list[KeptClip]:
    """Read the kept frames of a method's folder, by clip; may be empty. Raises UserError for a damaged file."""
    return sorted((_read(path) for path in (method / FOLDER).glob("*.json")), key=lambda kept: kept.clip)


def _read(path: Path) -> KeptClip:
    try:
        return KeptClip.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UserError(
            f"cannot be read: {why}",
            where=path,
            expected="the frames that vssbench run keeps of a clip",
            fix="delete the file: its pictures are gone, the numbers do not depend on it",
        ) from None


def _pictured(kept: KeptClip) -> list[KeptFrame]:
    return [frame for frame in kept.frames if frame.image is not None]


def _badness(frame: KeptFrame) -> tuple[float, int]:
    return frame.accuracy, frame.index


def _lot(name: str) -> int:
    return int(digest([name])[:16], 16)


def _kept(seen: Seen, before: Seen | None, classes: int) -> KeptFrame:
    frame, prediction = seen
    assert frame.labels is not None
    found = None if before is None else flicker((before[0], before[1].labels), (frame, prediction.labels), classes)
    labelled = frame.labels != IGNORE
    right = np.count_nonzero((prediction.labels == frame.labels) & labelled) / np.count_nonzero(labelled)
    return KeptFrame(
        index=frame.index,
        stem=frame.stem,
        kind=prediction.kind,
        age=prediction.age,
        accuracy=100 * right,
        prediction=_labels(prediction.labels),
        flicker=None if found is None else found.share,
        changed=None if found is None or found.share is None else _changes(found.changed),
    )


def _labels(labels: UInt8) -> bytes:
    return _small(
        labels, cv2.INTER_NEAREST, LABEL_BYTES, ".png", [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    )


def _changes(changed: NDArray[np.bool_]) -> bytes:
    """Encode the map of changes so that small areas become darker when it is scaled down, and do not vanish."""
    return _small(255 * changed.astype(np.uint8), cv2.INTER_AREA, LABEL_BYTES, ".png", [])


def _image(image: UInt8) -> bytes:
    return _small(image[..., ::-1], cv2.INTER_AREA, IMAGE_BYTES, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 80])


def _small(picture: UInt8, filter_: int, limit: int, ending: str, options: list[int]) -> bytes:
    """Return the encoded picture at the largest size of SIDE, SIDE / 2, ... that fits the limit."""
    side = min(SIDE, max(picture.shape[:2]))
    while True:
        factor = side / max(picture.shape[:2])
        height, width = (max(1, round(length * factor)) for length in picture.shape[:2])
        shown = cv2.resize(picture, (width, height), interpolation=filter_) if factor < 1 else picture
        data = bytes(cv2.imencode(ending, shown, options)[1])
        if len(data) <= limit or side <= 32:
            return data
        side //= 2
