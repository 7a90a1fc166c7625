"""Losses of MRCFA (Sun et al., ECCV 2022): on the output at test, and on each reference's own view of the target."""

from __future__ import annotations

import torch
from torch import Tensor

from vssbench.methods.mit.losses import ClipLosses
from vssbench.methods.mit.network import Features, resize
from vssbench.methods.mrcfa.network import Memory


class MrcfaLosses(ClipLosses):
    """The network with its two losses; the second is on four maps."""

    def clip(self, target: Features, memory: Memory) -> Tensor:
        """Return float[B, 4, C, H/4, W/4]: the target as predicted from each of the three references, then from all of
        them and the target's own features, which is the output at test.
        """
        network = self.network
        seen = network.reconstruct(target, memory)
        alone = [
            classify(network.dropout(x)) for classify, x in zip(network.classify_reference, seen.unbind(1), strict=True)
        ]
        merged = network.classify(network.dropout(seen.mean(1) + target.coarse))
        return torch.stack([resize(x, target.fused.shape[-2:]) for x in (*alone, merged)], 1)
