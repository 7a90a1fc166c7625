"""Training TV3S (Hesham et al., CVPR 2025, section 4.1, and the settings of the authors' release)."""

from __future__ import annotations

from dataclasses import replace

from vssbench.methods.mit.recipe import PAPER, TINY, ClipRecipe, deviations
from vssbench.methods.tv3s.weights import OWN
from vssbench.training.recipe import Settings


class Tv3sRecipe(ClipRecipe):
    """See `vssbench.methods.mit.recipe`. It trains memory=window; memory=stream runs on the same weights."""

    name, own, tiny = "tv3s", OWN, replace(TINY, steps=700, batch=2, crop=(96, 128))
    deviations = (
        *deviations(tiny),
        "a step has 8 clips, like CFFM's, on whose code the release is built; "
        "the authors do not say how many GPUs they had",
        "Cityscapes is trained like VSPW; the release crops to 512x1024 and takes the loss of frames by themselves on "
        "the labelled one alone, so that it weighs four times as much",
    )

    def paper(self, backbone: str) -> Settings:
        return replace(PAPER, steps=240_000, rate=3e-5) if backbone == "mit_b5" else PAPER
