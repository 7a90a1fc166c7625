"""Any per-frame network in one graph: what `model.yaml` would say about it, for frames of any size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vssbench.deploy.graph_file import GraphInfo, Value
from vssbench.deploy.model_file import (
    Decode,
    FromLabels,
    FromPicture,
    FromScores,
    GraphFile,
    ModelFile,
    Normalise,
    Operation,
    Resize,
    Size,
    Upsample,
)
from vssbench.errors import UserError
from vssbench.networks.sizes import MEAN, STD

Layout = Literal["nchw", "nhwc"]
FORM = "one image, float32[1, 3, H, W] or uint8[1, H, W, 3]"
_NUMBER = re.compile(r"-?\d{1,6}(\.\d{1,9})?")


@dataclass(frozen=True)
class SingleGraph:
    """One graph with one image as its input.

    image, output: names of the input and of the first output
    layout:  position of the channels: nchw, normalised floats; nhwc, bytes
    size:    (H, W) to which the frame is resized; None: the frame's own
    classes: number of scores per pixel; None: the graph returns labels, or does not say
    labels:  whether it returns labels
    """

    info: GraphInfo
    image: str
    output: str
    layout: Layout
    size: Size | None
    classes: int | None
    labels: bool
    statistics: tuple[tuple[float, float, float], tuple[float, float, float]]

    @classmethod
    def of(
        cls, info: GraphInfo, layout: Layout | None, resize: Size | None, mean: str | None, std: str | None
    ) -> SingleGraph:
        """Describe such a graph. Raises UserError for other inputs or outputs, and for arguments that do not fit it."""
        where = info.path
        if len(info.inputs) != 1:
            names = ", ".join(f"{name} {value}" for name, value in info.inputs.items())
            raise UserError(f"takes {len(info.inputs)} inputs: {names}", where=where, expected=FORM)
        (image, taken), (output, given) = next(iter(info.inputs.items())), next(iter(info.outputs.items()))
        floats = taken.dtype in ("float32", "float16")
        found: Layout = "nchw" if floats else "nhwc"
        fits = taken.fits((1, 3, None, None) if floats else (1, None, None, 3)) and (floats or taken.dtype == "uint8")
        if not fits or layout not in (None, found):
            asked = f", layout={layout}" if layout else ""
            raise UserError(f"the input {image!r} is {taken}{asked}", where=where, expected=FORM)
        if not floats and (mean or std):
            raise UserError("mean and std are for floats; this graph takes bytes", where=where, fix="leave them out")
        labels = "int" in given.dtype
        if not given.fits((1, None, None) if labels else (1, None, None, None)) or given.dtype in ("bool", "object"):
            raise UserError(
                f"the first output {output!r} is {given}",
                where=where,
                expected="scores, float32[1, C, h, w], or labels, int64[1, h, w]",
            )
        size = _size(taken, found, resize, where)
        statistics = (_three("mean", mean, MEAN), _three("std", std, STD))
        if min(statistics[1]) <= 0:
            raise UserError(f"std={std} is not valid", expected="more than 0")
        return cls(info, image, output, found, size, None if labels else given.shape[1], labels, statistics)

    def shape(self, frame: Size) -> tuple[int, ...]:
        """The input's shape for a frame of that size."""
        size = self.size or frame
        return (1, 3, *size) if self.layout == "nchw" else (1, *size, 3)

    def model(self, frame: Size, classes: Sequence[str]) -> ModelFile:
        """Describe how frames of that size are run; decode resizes the scores to the frame."""
        resize: list[Operation] = [Resize(size=self.size, by="opencv")] if self.size else []
        mean, std = self.statistics
        picture = (*resize, *([Normalise(mean=mean, std=std)] if self.layout == "nchw" else []))
        decode: Decode = FromLabels() if self.labels else FromScores(steps=(Upsample(size=frame, kept=frame),))
        graph = GraphFile(
            file=self.info.path.name,
            kind="key",
            inputs={self.image: FromPicture(picture="image")},
            outputs=decode.outputs,
        )
        return ModelFile(
            method=f"onnx(model={self.info.path.name})",
            frame=frame,
            classes=tuple(classes),
            labels="",
            pictures={"image": picture},
            graphs={"frame": graph},
            decode=decode,
        )


def _size(taken: Value, layout: Layout, resize: Size | None, where: Path) -> Size | None:
    height, width = taken.shape[2:] if layout == "nchw" else taken.shape[1:3]
    fixed = (height, width) if height and width else None
    if resize is not None and not taken.fits((1, 3, *resize) if layout == "nchw" else (1, *resize, 3)):
        raise UserError(
            f"resize={'x'.join(map(str, resize))}: the graph takes {taken}", where=where, fix="leave it out"
        )
    if resize is None and fixed is None and (height or width):
        raise UserError(f"the graph takes {taken}: one side is fixed", where=where, fix="resize=HEIGHTxWIDTH")
    return resize or fixed


def _three(name: str, text: str | None, usual: tuple[float, float, float]) -> tuple[float, float, float]:
    """Read three numbers such as `123.675/116.28/103.53`."""
    if text is None:
        return usual
    parts = text.split("/")
    if len(parts) != 3 or not all(map(_NUMBER.fullmatch, parts)):
        raise UserError(f"{name}={text} is not valid", expected=f"RGB on the 0..255 scale, {'/'.join(map(str, usual))}")
    red, green, blue = map(float, parts)
    return red, green, blue
