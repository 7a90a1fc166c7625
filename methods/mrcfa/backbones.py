"""The sizes of MRCFA: the official configurations (MiT-B0, B1, B2, B5) and `tiny` for small synthetic video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vssbench.methods.mit.network import SIZES, MitConfig

Backbone = Literal["tiny", "mit_b0", "mit_b1", "mit_b2", "mit_b5"]


@dataclass(frozen=True)
class Config(MitConfig):
    """One network. The kernels that turn keys and values into tokens follow from the backbone's last two strides.

    kept:       share of each reference's tokens that Selective Token Masking keeps
    sar4..2:    kernel sizes and output channels of the blocks that refine one scale's affinity (deep to shallow)
    maa3, maa2: the same for the blocks that merge a deeper scale's affinity into 1/16 and 1/8
    """

    kept: float = 0.5
    sar4: tuple[tuple[int, int], ...] = ((3, 1),)
    sar3: tuple[tuple[int, int], ...] = ((5, 1),)
    sar2: tuple[tuple[int, int], ...] = ((5, 1),)
    maa3: tuple[tuple[int, int], ...] = ((3, 1),)
    maa2: tuple[tuple[int, int], ...] = ((3, 1),)


CONFIGS: dict[Backbone, Config] = {
    "tiny": Config(**SIZES["tiny"]),
    "mit_b0": Config(**SIZES["mit_b0"], kept=0.8),
    "mit_b1": Config(
        **SIZES["mit_b1"],
        sar4=((3, 1), (3, 2)),
        sar3=((3, 1), (3, 2)),
        sar2=((5, 1), (3, 2)),
        maa3=((3, 2), (3, 2)),
        maa2=((3, 2), (3, 1)),
    ),
    "mit_b2": Config(**SIZES["mit_b2"]),
    "mit_b5": Config(**SIZES["mit_b5"]),
}
