"""MPVSS: Mask2Former on key frames, its masks carried to the other frames by one flow per query."""

from __future__ import annotations

from torch import Tensor, nn

from vssbench.methods.mask2former.network import Backbone, Segments, build, segment
from vssbench.methods.mpvss.flow_network import TINY, FlowNetwork, FlowSize, warp
from vssbench.networks.checkpoints import seeded


class MPVSS(nn.Module):
    """The segmentor and the flow network; `key` and `nonkey` run on the two kinds of frame."""

    def __init__(self, backbone: Backbone, classes: int):
        super().__init__()
        self.segmentor = build(backbone, classes)
        queries = self.segmentor.config.num_queries
        with seeded(f"mpvss {queries}"):
            self.flow = FlowNetwork(queries, TINY if backbone == "tiny" else FlowSize())
        self.eval()

    def key(self, image: Tensor) -> Segments:
        """Per-frame Mask2Former on one normalised, padded frame, float[1, 3, H, W]."""
        return segment(self.segmentor, image)

    def nonkey(self, current: Tensor, key: Tensor, segments: Segments) -> Segments:
        """Return the key frame's segments with their masks warped to the current frame.

        Only the last head's masks are warped: the official code also warps those of the nine heads before it, which
        nothing uses. Frames are float[3, h, w] as `flow.flow_image` returns them.
        """
        flows = self.flow(current[None], key[None], segments.queries[None])[0]
        return segments._replace(masks=warp(segments.masks[:, None], flows)[:, 0])
