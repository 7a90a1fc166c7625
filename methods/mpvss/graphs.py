"""The two kinds of frame as graphs: a key frame leaves segments, and a nonkey frame warps their masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graph, GraphInput, Graphs, interval
from vssbench.deploy.model_file import Crop, FromOutput, FromPicture, Interpolate, Normalise, Pad, Picture, When
from vssbench.methods.mask2former.adapter import SEGMENTS, Decode, SegmentGraph, from_segments
from vssbench.methods.mask2former.network import Geometry, Segments
from vssbench.methods.mask2former.preprocessing import FrameReader
from vssbench.methods.mpvss.flow_network import MEAN
from vssbench.methods.mpvss.network import MPVSS
from vssbench.schedule import FixedInterval, OnChange


class NonkeyGraph(nn.Module):
    """A nonkey frame from the flow network's inputs and the key frame's segments to its own classes and masks."""

    def __init__(self, network: MPVSS):
        super().__init__()
        self.network = network

    def forward(self, current: Tensor, key: Tensor, *segments: Tensor) -> tuple[Tensor, ...]:
        """Frames float[1, 3, h, w], and the key frame's segments."""
        return tuple(self.network.nonkey(current[0], key[0], Segments(*segments))[:2])


def graphs(
    network: MPVSS, frames: FrameReader, size: tuple[int, int], schedule: FixedInterval | OnChange, order: Decode
) -> Graphs:
    """See `vssbench.deploy.graphs.HasGraphs`."""
    geometry, config = frames.geometry(size), network.segmentor.config
    height, width = geometry.padded
    small = torch.zeros(1, 3, height // 2, width // 2)
    shapes = (config.num_labels + 1,), (height // 4, width // 4), (config.hidden_dim,)
    held = {
        f"key_{name}": GraphInput(FromOutput(output=name, of="key"), torch.zeros(config.num_queries, *shape))
        for name, shape in zip(SEGMENTS, shapes, strict=True)
    }
    image = GraphInput(FromPicture(picture="image"), torch.zeros(1, 3, height, width))
    current, key = (GraphInput(FromPicture(picture="flow", of=of), small) for of in ("this", "key"))
    return Graphs(
        pictures={"image": frames.picture(size), "flow": flow_picture(frames, geometry)},
        graphs={
            "key": Graph(
                "key", SegmentGraph(network.segmentor, queries=True), {"image": image}, SEGMENTS, When(key=True)
            ),
            "nonkey": Graph(
                "nonkey", NonkeyGraph(network), {"current": current, "key": key, **held}, SEGMENTS[:2], When(key=False)
            ),
        },
        decode=from_segments(geometry, order),
        schedule=interval(schedule),
    )


def flow_picture(frames: FrameReader, geometry: Geometry) -> Picture:
    """The operations of `flow_image` on a frame; what it blanks is cropped before the padding."""
    height, width = geometry.padded
    seen = (min(geometry.resized[0], geometry.frame[0]), min(geometry.resized[1], geometry.frame[1]))
    red, green, blue = (255 * mean for mean in MEAN)
    return (
        *frames.resizing(geometry),
        Normalise(mean=(red, green, blue), std=(255, 255, 255)),
        *(() if seen == geometry.resized else (Crop(size=seen),)),
        Pad(size=geometry.padded),
        Interpolate(size=(height // 2, width // 2)),
    )
