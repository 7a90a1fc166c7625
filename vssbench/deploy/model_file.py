"""`model.yaml`: which graph runs on which frame, its inputs and outputs, and how to encode frames and decode labels.

It contains all that a program needs to run the graphs next to it, without vssbench and without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from vssbench.types import Kind

Side = Annotated[int, Field(ge=1, le=16384)]
Size = tuple[Side, Side]
"""Height and width."""
Number = Annotated[int, Field(ge=0, le=2**31)]
Count = Annotated[int, Field(ge=1, le=2**31)]


class Part(BaseModel):
    """A part of the file, in which unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _by_key(*keys: str) -> Discriminator:
    """Tell parts apart by the key that only one of them has."""

    def find(value: Any) -> str | None:
        names = value if isinstance(value, Mapping) else type(value).model_fields if isinstance(value, Part) else ()
        return next((key for key in keys if key in names), None)

    return Discriminator(find, custom_error_type="part", custom_error_message=f"has none of {', '.join(keys)}")


class Resize(Part):
    """Resizing of integers 0..255, as by OpenCV with INTER_LINEAR or INTER_CUBIC, or by Pillow with BILINEAR or
    BICUBIC."""

    op: Literal["resize"] = "resize"
    size: Size
    by: Literal["opencv", "pillow"]
    kernel: Literal["bilinear", "bicubic"] = "bilinear"


class Normalise(Part):
    """Normalisation, (pixel - mean) / std per channel, RGB, on the 0..255 scale: uint8[h, w, 3] to float32[3, h, w]."""

    op: Literal["normalise"] = "normalise"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Interpolate(Part):
    """Bilinear interpolation of float32[3, h, w]: torch's interpolate(mode="bilinear")."""

    op: Literal["interpolate"] = "interpolate"
    size: Size
    align_corners: bool = False
    antialias: bool = False


class Crop(Part):
    """Cropping of float32[3, h, w] to the first rows and columns."""

    op: Literal["crop"] = "crop"
    size: Size


class Pad(Part):
    """Padding of float32[3, h, w] with `value` at the bottom and on the right, up to a size."""

    op: Literal["pad"] = "pad"
    size: Size
    value: float = 0.0


Operation = Annotated[Resize | Normalise | Interpolate | Crop | Pad, Field(discriminator="op")]
Picture = tuple[Operation, ...]
"""The operations, in order, that make float32[1, 3, h, w] from a frame, uint8[H, W, 3]; or uint8[1, h, w, 3] without
`Normalise`. Resizing of integers comes before it, operations on floats after it."""


class FromPicture(Part):
    """The picture of that name: of this frame, or of the last key frame before it."""

    picture: str
    of: Literal["this", "key"] = "this"


class FromSide(Part):
    """A side input of the dataset, such as `motion`: float32[H, W, D] becomes float32[1, D, H, W]."""

    side: str


class FromOutput(Part):
    """The output of a graph, by name, on an earlier frame.

    of:    "key", the last key frame before this one, or the number of frames from that frame to this one
    early: this frame's number in the clip -> number of frames instead of `of`, for the first frames of a clip
    start: the value while the clip has no such frame yet: "zeros" of the input's shape. None: this cannot happen
    """

    output: str
    of: Literal["key"] | Count
    early: Mapping[Number, Count] = {}
    start: Literal["zeros"] | None = None


Source = Annotated[
    Annotated[FromPicture, Tag("picture")] | Annotated[FromSide, Tag("side")] | Annotated[FromOutput, Tag("output")],
    _by_key("picture", "side", "output"),
]


class When(Part):
    """The frames on which a graph runs: all conditions given must hold; without any, it runs on every frame.

    frames: first and last frame number in the clip (from 0); without a last one, the rest of the clip
    turn:   [n, i]: frames whose number in the clip has remainder i when divided by n
    key:    whether the schedule makes it a key frame
    """

    frames: tuple[Number, Number | None] | None = None
    turn: tuple[Count, Number] | None = None
    key: bool | None = None

    def holds(self, number: int, key: bool) -> bool:
        """Whether the conditions hold. number: of the frame in the clip; key: whether it is a key frame."""
        first, last = self.frames or (0, None)
        count, turn = self.turn or (1, 0)
        inside = first <= number and (last is None or number <= last)
        return inside and number % count == turn and self.key in (None, key)


EVERY_FRAME = When()


class GraphFile(Part):
    """One graph.

    file:    next to model.yaml; graphs that differ only in kind or in the source of inputs may share one
    kind:    the kind of frame that it runs on, as in a result
    inputs:  name of the graph's input -> where it comes from
    outputs: names of the graph's outputs, in order
    gflops:  10^9 multiply-accumulates per frame, counted on the original method, up to class scores
    """

    file: str
    kind: Kind
    inputs: Mapping[str, Source]
    outputs: tuple[str, ...]
    when: When = EVERY_FRAME
    gflops: float | None = None


class Interval(Part):
    """A key frame every `key_interval` frames, or auto(threshold=..,max=..): see `vssbench.schedule.schedule`."""

    key_interval: int | str
    offset: int = 0


class Unless(Part):
    """A key frame wherever the dataset lacks that side input: the codec's own key frames have no `motion`.

    gop: frames from one key frame to the next that an encoder is asked for
    """

    unless: str
    gop: int | None = None


Schedule = Annotated[
    Annotated[Interval, Tag("key_interval")] | Annotated[Unless, Tag("unless")], _by_key("key_interval", "unless")
]


class Upsample(Part):
    """Bilinear upsampling to `size`, cropped to the first `kept` rows and columns; see `networks.upsampling.Step`."""

    size: Size
    kept: Size
    corners: bool = False


class FromScores(Part):
    """Labels are the argmax over classes of the output `scores`, float[1, C, h, w], after these steps.

    log_softmax: whether class scores are the log-softmax of the result; labels are the same
    """

    form: Literal["scores"] = "scores"
    steps: tuple[Upsample, ...]
    log_softmax: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that it reads."""
        return ("scores",)


class FromSegments(Part):
    """Labels from the outputs `classes`, float[Q, C + 1] logits whose last column is "no object", and `masks`,
    float[Q, h, w] logits: softmax of the classes times sigmoid of the masks, summed over Q.

    order:   "exact": masks are upsampled to `padded` before the sigmoid; "fast": scores are upsampled; "late": masks
             are upsampled and cropped, their sigmoid is resized to `frame`, and the product comes last (as in VidEoMT)
    padded, resized, frame: sizes from the network back to the frame
    """

    form: Literal["segments"] = "segments"
    order: Literal["exact", "fast", "late"] = "exact"
    padded: Size
    resized: Size
    frame: Size

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that it reads."""
        return ("classes", "masks")


class FromLabels(Part):
    """Labels are the output `labels`, integers [1, H, W]."""

    form: Literal["labels"] = "labels"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that it reads."""
        return ("labels",)


Decode = Annotated[FromScores | FromSegments | FromLabels, Field(discriminator="form")]


class Origin(Part):
    """The exported weights; see `vssbench.types.Weights`."""

    origin: Literal["none", "file", "packaged", "untrained"]
    sha256: str | None = None


class Parity(Part):
    """Agreement of the graphs with their method on the same frames of one kind.

    equal:      share of the pixels with the same label, 0 to 1
    difference: the largest between class scores; none if the graph returns labels
    """

    frames: int
    equal: float
    difference: float | None = None


NAME = "model.yaml"
"""The schema of the file."""


class ModelFile(Part):
    """The whole file.

    method:      the spec that it was exported from
    frame:       (H, W) of the frames that it takes
    classes:     names of the network's own classes, in the order of its scores
    labels:      the label space that predictions are of, as `labels=` takes it: a name, or the format of labels/*.yaml
    groups:      if the network's own classes differ: which of them count as which, by name, or by number if several
                 share the name
    pictures:    name -> how a frame becomes an input
    graphs:      name -> graph, in the order in which they are tried: the first whose `when` holds runs
    schedule:    of key frames; none if no graph needs it
    precision:   "float32", "fp16" or "int8"; for int8, `calibration` says which frames its ranges were taken from
    kept_float:  names of layers that stayed in floating point -> why
    weights:     where they came from
    parity:      kind of frame -> how closely the graphs match the method; empty if this was not measured
    provenance:  versions, opset, options of the export
    """

    version: Literal[1] = 1
    method: str
    frame: Size
    classes: tuple[str, ...]
    labels: str | Mapping[str, Any]
    groups: Mapping[str, Sequence[str | int]] | None = None
    pictures: Mapping[str, Picture]
    graphs: Mapping[str, GraphFile]
    schedule: Schedule | None = None
    decode: Decode
    precision: Literal["float32", "fp16", "int8"] = "float32"
    calibration: str | None = None
    kept_float: Mapping[str, str] = {}
    weights: Origin = Origin(origin="none")
    parity: Mapping[Kind, Parity] = {}
    provenance: Mapping[str, Any] = {}

    def picture_size(self, name: str) -> Size:
        """Return the (H, W) of a picture as a graph sees it."""
        return (self.frame, *(one.size for one in self.pictures[name] if not isinstance(one, Normalise)))[-1]
