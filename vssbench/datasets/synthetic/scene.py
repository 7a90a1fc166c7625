"""One synthetic clip as geometry: layers painted from far to near, and what every pixel shows.

A layer's pose is a closed form of time and can be inverted. It is therefore exact which layer and texel a pixel shows,
and where that texel was in any other frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vssbench.datasets.synthetic.layers import DENSITY, make_layers
from vssbench.datasets.synthetic.pose import Pose
from vssbench.datasets.synthetic.textures import palette, texture


@dataclass(frozen=True)
class View:
    """What every pixel of one frame shows. layer: uint8[H, W], texel: int32[H, W] (an index into `Scene.texels`)."""

    layer: NDArray[np.uint8]
    texel: NDArray[np.int32]
    poses: Sequence[Pose]


class Scene:
    """The layers of one clip, far to near. `key`: the integers that every random number of the clip comes from."""

    def __init__(self, key: Sequence[int], height: int, width: int):
        self.key, self.height, self.width = tuple(key), height, width
        self.layers = make_layers(np.random.default_rng([*self.key, 0]), height, width)
        sizes = [layer.mask.size for layer in self.layers]
        self.bases = [sum(sizes[:k]) for k in range(len(sizes))]
        self.classes = np.array([layer.label for layer in self.layers], np.uint8)

    @cached_property
    def texels(self) -> NDArray[np.uint8]:
        """uint8[N]: position on the palette of every texel of every layer."""
        fields = []
        for k, layer in enumerate(self.layers):
            rng = np.random.default_rng([*self.key, 1, k])
            rows, columns = layer.mask.shape
            fields.append(texture(layer.pattern, rng, rows, columns, layer.size.unit * DENSITY).ravel())
        return np.concatenate(fields)

    @cached_property
    def palettes(self) -> NDArray[np.uint32]:
        """uint32[layers * 256], packed colours."""
        return np.concatenate([palette(np.random.default_rng([*self.key, 2, k])) for k in range(len(self.layers))])

    def view(self, time: float) -> View:
        """Paint the layers, far to near, as they are at the given time."""
        layer_map = np.zeros((self.height, self.width), np.uint8)
        texel_map = np.zeros((self.height, self.width), np.int32)
        poses = [layer.pose(time) for layer in self.layers]
        for k, (layer, pose) in enumerate(zip(self.layers, poses, strict=True)):
            box, x, y = layer.box(pose)
            if not (x.size and y.size):
                continue
            index, seen = layer.find(pose, x, y)
            np.copyto(layer_map[box], k, where=seen)
            np.copyto(texel_map[box], index + self.bases[k], where=seen)
        return View(layer_map, texel_map, poses)

    def labels(self, view: View) -> NDArray[np.uint8]:
        return self.classes[view.layer]

    def colours(self, view: View) -> NDArray[np.uint8]:
        """uint8[H, W, 3] RGB under even light, without noise."""
        place = view.layer.astype(np.int32) << 8 | self.texels.take(view.texel)
        packed = self.palettes.take(place).astype("<u4")
        return packed.view(np.uint8).reshape(self.height, self.width, 4)[..., :3]

    def flow(self, view: View, to: View) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Exact motion of every pixel of `view` to its place in `to`, and whether it is visible there.

        Returns float32[H, W, 2] (pixels, x first: place in `to` = pixel + flow) and bool[H, W]: the pixel nearest to
        that place is in the frame and shows the same layer.
        """
        flow = np.zeros((self.height, self.width, 2), np.float32)
        for k, layer in enumerate(self.layers):
            box, x, y = layer.box(view.poses[k])
            seen = view.layer[box] == k
            if not seen.any():
                continue
            source_x, source_y = to.poses[k].pixels(*view.poses[k].texels(x, y))
            np.copyto(flow[box][..., 0], source_x - x, where=seen, casting="same_kind")
            np.copyto(flow[box][..., 1], source_y - y, where=seen, casting="same_kind")
        x = np.floor(flow[..., 0] + np.arange(self.width) + 0.5).astype(np.int32)
        y = np.floor(flow[..., 1] + np.arange(self.height)[:, None] + 0.5).astype(np.int32)
        valid = (x.view(np.uint32) < self.width) & (y.view(np.uint32) < self.height)
        valid &= to.layer.take(y * self.width + x, mode="clip") == view.layer
        return flow, valid
