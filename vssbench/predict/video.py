"""The side-by-side video of `vssbench predict --video`: each frame next to its prediction."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from vssbench.errors import UserError
from vssbench.predict.fixed_legend import FixedLegend
from vssbench.predict.pictures import blend
from vssbench.predict.stream import cannot_write
from vssbench.types import Frame, LabelSpace, Prediction, UInt8

RATE = Fraction(15)
"""Frames per second where the source does not have a rate."""
CONTAINERS = (".mp4", ".mkv", ".mov")


class SideBySide:
    """An H.264 video file: each frame next to its prediction, all clips one after the other. A context manager.

    Its size follows the first frame; clips of a different size are fitted into it. The file is complete after `close`.
    """

    def __init__(self, path: Path, space: LabelSpace, rate: Fraction | None = None):
        """path: a new file; rate: frames per second. Raises UserError where the file cannot be written."""
        import av

        if path.suffix.lower() not in CONTAINERS:
            raise UserError("not a video format that can be written here", where=path, expected=" or ".join(CONTAINERS))
        if path.exists() or path.is_symlink():
            raise UserError("already exists", where=path, fix="name a new file in --video")
        if not path.parent.is_dir():
            raise UserError("no such folder", where=path.parent, expected="a folder to write the video into")
        self.path, self.space, self.rate = path, space, (rate or RATE).limit_denominator(1001)
        self._av: Any = av
        self._container: Any = None
        self._stream: Any = None
        self._legends: dict[int, FixedLegend] = {}  # by the width of the frames

    def __call__(self, frame: Frame, prediction: Prediction) -> None:
        width = 2 * frame.image.shape[1]
        if width not in self._legends:
            self._legends[width] = FixedLegend(self.space, width)
        picture = side_by_side(frame, prediction, self._legends[width])
        try:
            if self._stream is None:
                self._open(*picture.shape[:2])
            fitted = fit(picture, self._stream.height, self._stream.width)
            encoded = self._stream.encode(self._av.VideoFrame.from_ndarray(fitted, format="rgb24"))
            self._container.mux(encoded)
        except (OSError, ValueError, self._av.error.FFmpegError) as error:  # ValueError: no such encoder
            raise cannot_write(self.path, error) from None

    def _open(self, height: int, width: int) -> None:
        self._container = self._av.open(str(self.path), "w")
        self._stream = self._container.add_stream(
            "libx264", rate=self.rate, options={"crf": "20", "preset": "veryfast"}
        )
        self._stream.height, self._stream.width = height + height % 2, width + width % 2  # 4:2:0 needs even sizes
        self._stream.pix_fmt = "yuv420p"

    def close(self) -> None:
        """Write what the encoder still holds; after this, the file can be played."""
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            with ExitStack() as last:
                last.callback(container.close)
                if self._stream is not None:
                    container.mux(self._stream.encode())
        except (OSError, self._av.error.FFmpegError) as error:
            raise cannot_write(self.path, error) from None

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except UserError:
            if error is None:  # else the first failure is the one to report
                raise


def side_by_side(frame: Frame, prediction: Prediction, legend: FixedLegend) -> UInt8:
    """Return uint8[H + h, 2 W, 3]: the frame, the blend to its right, caption and legend below."""
    pair = np.hstack((frame.image, blend(frame.image, prediction.labels, legend.space)))
    caption = f"{frame.clip}  {frame.stem}  {prediction.kind}"
    return np.vstack((pair, legend.draw(prediction.labels, caption)))


def fit(picture: UInt8, height: int, width: int) -> UInt8:
    """Return uint8[height, width, 3]: the picture as large as fits, on black; unchanged where the size is right."""
    h, w = picture.shape[:2]
    if (h, w) == (height, width):
        return picture
    scale = min(height / h, width / w)
    h, w = max(1, round(h * scale)), max(1, round(w * scale))
    sheet = np.zeros((height, width, 3), np.uint8)
    top, left = (height - h) // 2, (width - w) // 2
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sheet[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=how)
    return sheet
