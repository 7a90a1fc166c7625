"""Training MRCFA (Sun et al., ECCV 2022, section 4.1, and the settings of the authors' release)."""

from __future__ import annotations

from vssbench.methods.mit.recipe import ClipRecipe
from vssbench.methods.mrcfa.losses import MrcfaLosses
from vssbench.methods.mrcfa.weights import OWN


class MrcfaRecipe(ClipRecipe):
    """See `vssbench.methods.mit.recipe`."""

    name, own, losses = "mrcfa", OWN, MrcfaLosses
