"""The sizes of MRCFA: the official configurations (MiT-B0, B1, B2, B5) and `tiny` for small synthetic video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Backbone = Literal["tiny", "mit_b0", "mit_b1", "mit_b2", "mit_b5"]

_WIDTHS = (64, 128, 320, 512)


@dataclass(frozen=True)
class Config:
    """One network.

    widths, depths, heads: of the four stages of the MiT backbone
    strides:    of the patch embeddings before them; what is said of 1/8, 1/16 and 1/32 elsewhere is of the official
                ones. The last two are 2 and 2: the kernels that make tokens of keys and values follow from that.
    embed:      channels of the MLP decoder and of the reference values
    kept:       share of each reference's tokens that Selective Token Masking keeps
    sar4..2:    kernel sizes and output channels of the blocks that refine one scale's affinity (deep to shallow)
    maa3, maa2: the same for the blocks that merge a deeper scale's affinity into 1/16 and 1/8
    """

    widths: tuple[int, ...] = _WIDTHS
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    embed: int = 256
    kept: float = 0.5
    sar4: tuple[tuple[int, int], ...] = ((3, 1),)
    sar3: tuple[tuple[int, int], ...] = ((5, 1),)
    sar2: tuple[tuple[int, int], ...] = ((5, 1),)
    maa3: tuple[tuple[int, int], ...] = ((3, 1),)
    maa2: tuple[tuple[int, int], ...] = ((3, 1),)


CONFIGS: dict[Backbone, Config] = {
    "tiny": Config(  # strides half as large for frames a quarter as large
        widths=(24, 32, 64, 96), depths=(1, 1, 1, 1), heads=(1, 2, 4, 6), strides=(4, 1, 2, 2), embed=64
    ),
    "mit_b0": Config(widths=(32, 64, 160, 256), kept=0.8),
    "mit_b1": Config(
        sar4=((3, 1), (3, 2)),
        sar3=((3, 1), (3, 2)),
        sar2=((5, 1), (3, 2)),
        maa3=((3, 2), (3, 2)),
        maa2=((3, 2), (3, 1)),
    ),
    "mit_b2": Config(depths=(3, 4, 6, 3)),
    "mit_b5": Config(depths=(3, 6, 40, 3)),
}
