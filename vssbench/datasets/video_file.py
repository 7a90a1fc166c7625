"""A video file through PyAV: its picture track, the pictures in order, and whether the file is complete.

A file that was cut short decodes without complaint. Counting pictures at a stated rate reveals that only if the rate
is even, and webcams and screen recorders vary: so the end of the track is compared with the end that is stated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from vssbench.errors import UserError
from vssbench.files.atomic import regular

SLACK, LEAST_SLACK = Fraction(1, 20), 2
"""What may be missing of a stated duration, which is rounded: this share of it, or the time of this many pictures."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open PyAV's container; FFmpeg's complaints while it is open become one message that names the file."""
    import av

    regular(path, "a video file")
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(
            f"cannot be decoded: {error.strerror or error}",  # without FFmpeg's number
            where=path,
            expected="a video file that decodes whole",
            fix="encode or copy it again",
        ) from None


def picture_track(container: Any, path: Path) -> Any:
    """The track that a player shows: the one with moving pictures, or if there are several, the one marked as default.

    Raises UserError if there is none, or if the file does not say which.
    """
    from av.stream import Disposition

    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not moving:
        raise UserError("no picture track in this file", where=path, expected="a video file")
    marked = [stream for stream in moving if stream.disposition & Disposition.default]
    if len(moving) > 1 and len(marked) != 1:
        raise UserError(
            f"{len(moving)} picture tracks, and not exactly one is marked as the default",
            where=path,
            expected="one picture track",
            fix="extract one: ffmpeg -i FILE -map 0:v:0 -c copy NEW_FILE",
        )
    return (marked if len(moving) > 1 else moving)[0]


def pictures(path: Path, options: dict[str, str] | None = None) -> Iterator[Any]:
    """Yield PyAV's pictures of the file, all of one size, in the order they are shown.

    options: for the decoder
    Raises UserError for a damaged file, a size that changes, and, after the last picture, if the file is incomplete.
    """
    with opened(path) as container:
        stream = picture_track(container, path)
        stream.codec_context.options = options or {}
        stream.thread_type = "AUTO"
        came, size = _Came(container, stream), None
        for packet in container.demux():  # all tracks: sound up to the stated end shows that nothing was cut off
            came.take(packet)
            for picture in packet.decode() if packet.stream.index == stream.index else ():
                here = (picture.height, picture.width)
                if size not in (None, here):
                    raise UserError(
                        f"picture {came.pictures} is {here[0]}x{here[1]}, earlier ones are {size[0]}x{size[1]}",
                        where=path,
                        expected="one size in a clip",
                        fix="cut the file where the size changes, or encode it again at one size",
                    )
                if picture.is_corrupt:
                    raise _damaged(path, f"picture {came.pictures} is damaged")
                size = here
                came.pictures += 1
                yield picture
        if lacking := came.lacking():
            raise _damaged(path, lacking)


class _Came:
    """What has been read of a file so far, to compare with what its container states."""

    def __init__(self, container: Any, stream: Any):
        self._container, self._stream = container, stream
        self._first: dict[int, Fraction] = {}
        self._end: dict[int, Fraction] = {}
        self.pictures: int = 0
        self._packets: int = 0

    def take(self, packet: Any) -> None:
        """Note where a packet ends, in seconds from the start of its track."""
        if not packet.size:
            return
        track = packet.stream.index
        self._packets += track == self._stream.index and not packet.is_discard  # e.g. those before an edit list's cut
        if packet.pts is not None and packet.time_base:
            begins = Fraction(packet.pts * packet.time_base)
            first = self._first[track] = min(begins, self._first.get(track, begins))
            length = (packet.duration or 0) * packet.time_base
            self._end[track] = max(begins + length - first, self._end.get(track, Fraction(0)))

    def lacking(self) -> str | None:
        """What is missing, in words; None if nothing is, or if the file does not say."""
        # Twice the slack: VP8 has pictures that are not shown, and a stream's first ones may lack their reference.
        least = min(Fraction(self._packets - LEAST_SLACK), self._packets * (1 - 2 * SLACK))
        if self.pictures < least:
            return f"{self.pictures} of its {self._packets} pictures decode"
        length, end = self._stated(), self._end.get(self._stream.index)
        if length is None:  # stated for the whole file only: any track may reach it
            length, end = self._of_the_file(), max(self._end.values(), default=None)
        if length is None or end is None or not self.pictures:
            return None
        if end < min(length - LEAST_SLACK * length / self.pictures, length * (1 - SLACK)):
            return f"it ends after {float(end):.2f} s, but states a length of {float(length):.2f} s"
        return None

    def _stated(self) -> Fraction | None:
        """The duration in seconds that the container states for the track itself; Matroska has it in a tag."""
        if self._stream.duration:
            return Fraction(self._stream.duration * self._stream.time_base)
        found = re.fullmatch(r"(\d+):(\d+):(\d+)(\.\d{1,9})?\d*", self._stream.metadata.get("DURATION", ""))
        if found is None:
            return None
        hours, minutes, seconds = (int(part) for part in found.groups()[:3])
        return Fraction(hours * 3600 + minutes * 60 + seconds) + Fraction(found[4] or 0)

    def _of_the_file(self) -> Fraction | None:
        duration = self._container.duration
        return Fraction(duration, 1_000_000) if duration else None


def _damaged(path: Path, what: str) -> UserError:
    return UserError(
        f"{what}: it was cut short, or parts are damaged",
        where=path,
        expected="a video file that decodes whole",
        fix="copy it again, or re-encode what is left: ffmpeg -i FILE NEW_FILE.mp4",
    )
