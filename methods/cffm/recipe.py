"""Training CFFM (Sun et al., CVPR 2022, section 4.1, with the settings of the authors' release)."""

from __future__ import annotations

from dataclasses import replace

from vssbench.methods.cffm.weights import OWN
from vssbench.methods.mit.recipe import TINY, ClipRecipe, deviations


class CffmRecipe(ClipRecipe):
    """See `vssbench.methods.mit.recipe`."""

    name, own, tiny = "cffm", OWN, replace(TINY, steps=1200)
    deviations = deviations(tiny)
