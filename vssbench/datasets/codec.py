"""Any dataset seen through a video codec: the decoded frames, and the motion to the frame that starts their group.

A clip is encoded once and stored under a hash of its content; a user's video file is decoded as it is. Labels are those
of the dataset.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import count, repeat
from pathlib import Path

from vssbench import hooks
from vssbench.datasets.digest import digests as digests_of
from vssbench.datasets.digest import of_file
from vssbench.datasets.h264 import Chain, Codec, Size, check_encoder, decode, encoded
from vssbench.errors import UserError, suggest
from vssbench.specs import Spec, parse
from vssbench.types import Dataset, Digests, Frame, Method, UInt8

PAPER = {"camvid": Codec(bit_rate=3_000_000, fps=30), "cityscapes": Codec(bit_rate=5_000_000, fps=17)}
"""AR-Seg's settings (CVPR 2023, section 4.1); other datasets take CamVid's."""


@dataclass(frozen=True)
class CodecSpec:
    """How frames are compressed: `h264(bit_rate=3000000,chain=float,fps=30,gop=12)`.

    chain: how motion vectors are added up: float, or whole (pixels, as in AR-Seg's published maps)
    """

    codec: Codec
    chain: Chain = "float"

    @classmethod
    def read(cls, text: str | Spec, dataset: str, gop: int | None = None, rate: Fraction | None = None) -> CodecSpec:
        """Read a spec such as `h264` or `h264(bit_rate=1000000)`.

        dataset: its name without arguments, for the defaults
        gop:     the method's, used where the spec names none
        rate:    frames per second of the data, used likewise
        """
        spec = parse(text)
        if spec.name != "h264" or spec.at is not None:
            raise UserError(f"unknown codec {str(spec)!r}", where="--codec", expected="h264, or h264(bit_rate=...)")
        usual = PAPER.get(dataset, PAPER["camvid"])
        numbers = {"gop": gop or usual.gop, "bit_rate": usual.bit_rate, "fps": max(1, round(rate or usual.fps))}
        chain: Chain = "float"
        for key, value in spec.args:
            if key == "chain":
                if value not in ("float", "whole"):
                    raise UserError(f"chain={value} is not valid", where="--codec", expected="float or whole")
                chain = "whole" if value == "whole" else "float"
            elif key not in numbers:
                raise UserError(
                    f"h264 has no argument {key!r}", where="--codec", expected=suggest(key, [*numbers, "chain"])
                )
            elif type(value) is int and value >= 1:
                numbers[key] = value
            else:
                raise UserError(f"{key}={value} is not valid", where="--codec", expected="a whole number, 1 or more")
        return cls(Codec(**numbers), chain)

    def __str__(self) -> str:
        codec = self.codec
        args = {"bit_rate": codec.bit_rate, "chain": self.chain, "fps": codec.fps, "gop": codec.gop}
        return str(Spec("h264", tuple(args.items())))


class Compressed:
    """The dataset with every frame decoded, and side["motion"], float32[H, W, 2], on all but intra frames.

    motion_seconds: the time to make the dense motion, one number per frame that has motion, in reading order
    """

    side = frozenset({"motion"})

    def __init__(self, dataset: Dataset, spec: CodecSpec, cache: Path | None = None):
        self.dataset, self.spec = dataset, spec
        self.name, self.space = dataset.name, dataset.space
        self.cache = cache or cache_folder()
        self.motion_seconds: list[float] = []

    def check(self) -> None:
        """Raise UserError for anything that would stop a run at its first frame."""
        if hooks.video(self.dataset, self.dataset.clips()[0]) is None:
            check_encoder(self.cache)

    def clips(self) -> Sequence[str]:
        return self.dataset.clips()

    def stems(self, clip: str) -> Sequence[str]:
        return self.dataset.stems(clip)

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8 | None]]:
        return self.dataset.labels(clip)

    def frames(self, clip: str) -> Iterator[Frame]:
        video = hooks.video(self.dataset, clip)
        size: Size | None = None
        read: Iterator[tuple[int, Digests]] = zip(count(), repeat(Digests("" if video is None else of_file(video))))
        if video is None:
            plain: list[tuple[int, Digests, Size]] = []
            video = encoded(partial(self._images, clip, plain), self.cache, self.spec.codec)
            size, read = plain[0][2], ((index, digests) for index, digests, _ in plain)
        pictures = decode(video, size, self.spec.chain, self.motion_seconds)
        labelled = zip(pictures, self.dataset.labels(clip), strict=True)
        for ((image, motion), (stem, labels)), (index, digests) in zip(labelled, read, strict=False):
            side = {} if motion is None else {"motion": motion}
            yield Frame(clip, index, image, labels, side, stem, digests)

    def _images(self, clip: str, plain: list[tuple[int, Digests, Size]]) -> Iterator[UInt8]:
        """The frames before they are encoded. plain: filled with everything else that is kept per frame."""
        plain.clear()
        for frame in self.dataset.frames(clip):
            plain.append((frame.index, digests_of(frame), frame.image.shape[:2]))
            yield frame.image


def cache_folder() -> Path:
    """The folder of encoded clips."""
    named = os.environ.get("VSSBENCH_CACHE")
    return (
        Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vssbench" / "video"
    )


def codec_for(method: Method, codec: str | None, dataset: str, rate: Fraction | None = None) -> CodecSpec | None:
    """How frames are compressed for a method: as requested, or by default where it needs motion; None: not at all.

    dataset, rate: its name without arguments and its frames per second, for the defaults
    """
    if codec is None and "motion" not in method.needs:
        return None
    return CodecSpec.read(codec or "h264", dataset, hooks.gop(method), rate)
