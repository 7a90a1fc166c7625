"""Cross-frame affinities: selection of reference tokens (STM), refinement of one scale (SAR), merging of scales (MAA).

Sun et al., ECCV 2022, section 3. The paper's 4D convolution is, in the official code, a 2D one over target positions:
every (reference, selected token) pair is an image of its own, and the same few weights filter all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.methods.mrcfa.backbones import Config

STRONGEST = 5
"""A reference token's score is the sum of this many of its largest affinities."""


def select_tokens(affinity: Tensor, share: float) -> Tensor:
    """Selective Token Masking: which tokens of each reference to keep.

    affinity: float[B, R, P, n], target positions by reference tokens at 1/32
    Returns int64[B, R, s]: token indices in raster order; s is floor(n * share), at least 1.
    """
    score = affinity.topk(min(STRONGEST, affinity.shape[-2]), dim=-2).values.sum(-2)
    kept = score.topk(max(1, int(score.shape[-1] * share)), dim=-1).indices
    return kept.sort(dim=-1).values


def gather_tokens(tokens: Tensor, kept: Tensor) -> Tensor:
    """float[B, R, n, C] and int64[B, R, s] -> float[B, R, s, C]."""
    return tokens.gather(2, kept.unsqueeze(-1).expand(-1, -1, -1, tokens.shape[-1]))


class Block(nn.Module):
    """Convolution (same padding), GroupNorm with one group, ReLU on a stack of images, each by itself.

    The images are side by side in the channel axis, channels last. Each is one group of a grouped convolution and of
    the GroupNorm. That is the same arithmetic as with images in the batch axis, but 5 to 10 times as fast on a CPU:
    its vector units work along channels, and the official layout leaves them only one or two.
    """

    def __init__(self, before: int, after: int, size: int):
        """before, after: channels of one image; size: the convolution's kernel size."""
        super().__init__()
        self.conv = nn.Conv2d(before, after, size, padding=size // 2)
        self.norm = nn.GroupNorm(1, after)

    def forward(self, x: Tensor, images: int) -> Tensor:
        """float[N, images * before, H, W] -> float[N, images * after, H, W]."""
        weight, bias, scale, shift = (
            parameter.repeat(images, *[1] * (parameter.ndim - 1))
            for parameter in (*self.conv.parameters(), *self.norm.parameters())
        )
        x = F.conv2d(x, weight, bias, padding=self.conv.kernel_size[0] // 2, groups=images)
        return F.relu(F.group_norm(x, images, scale, shift, self.norm.eps))


class Refine(nn.Module):
    """Blocks one after the other."""

    def __init__(self, channels: int, blocks: tuple[tuple[int, int], ...]):
        """channels: of one image; blocks: (kernel size, output channels) of each."""
        super().__init__()
        widths = [channels, *(width for _, width in blocks)]
        self.blocks = nn.ModuleList(
            Block(before, after, size) for before, (size, after) in zip(widths, blocks, strict=False)
        )

    def forward(self, x: Tensor, images: int) -> Tensor:
        """float[N, images * channels, H, W] -> float[N, images * channels of the last block, H, W]."""
        for block in self.blocks:
            x = block(x, images)
        return x


class CrossFrameAffinity(nn.Module):
    """Queries of the target against keys of the references at 1/8, 1/16 and 1/32, refined and merged.

    No scaling and no softmax: the caller applies the softmax over the kept tokens.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.share = config.kept
        self.queries = nn.ModuleList(nn.Linear(width, width) for width in config.widths[1:])
        self.sar2 = Refine(1, config.sar2)
        self.sar3 = Refine(1, config.sar3)
        self.sar4 = Refine(1, config.sar4)
        self.maa3 = Refine(config.sar4[-1][1], config.maa3)
        self.maa2 = Refine(config.maa3[-1][1], config.maa2)

    def forward(self, maps: tuple[Tensor, ...], keys: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return the affinity at 1/8 of the target's maps to the references' keys.

        maps: c2, c3, c4 of the target, float[B, C_i, H_i, W_i]
        keys: of the references, deep maps last, float[B, R, n, C_i]
        Returns (affinity, kept): float[B, R, H/8 * W/8, s], and the kept tokens int64[B, R, s] in raster order.
        """
        query2, query3, query4 = (
            query(x.flatten(2).transpose(1, 2)).unsqueeze(1) for query, x in zip(self.queries, maps, strict=True)
        )
        # One query map against R sets of keys, by broadcasting as in the official code. fvcore's formula for matmul
        # counts such a product once, not R times, both in the published recount and here.
        affinity4 = query4 @ keys[2].transpose(-1, -2)
        kept = select_tokens(affinity4, self.share)
        affinity4 = affinity4.gather(3, kept.unsqueeze(2).expand(-1, -1, affinity4.shape[2], -1))
        affinity3 = query3 @ gather_tokens(keys[1], kept).transpose(-1, -2)
        affinity2 = query2 @ gather_tokens(keys[0], kept).transpose(-1, -2)
        size2, size3, size4 = (x.shape[-2:] for x in maps)

        images = kept.shape[-1]
        x = self.sar4(_as_images(affinity4, size4), images)
        x = self.maa3(_upsample(x, size3) + self.sar3(_as_images(affinity3, size3), images), images)
        x = self.maa2(_upsample(x, size2) + self.sar2(_as_images(affinity2, size2), images), images)
        batch, references = kept.shape[:2]
        return x.permute(0, 2, 3, 1).reshape(batch, references, -1, images), kept


def _as_images(affinity: Tensor, size: Sequence[int]) -> Tensor:
    """float[B, R, H*W, s] -> float[B*R, s, H, W] in channels-last memory, without a copy."""
    batch, references, _, kept = affinity.shape
    return affinity.reshape(batch * references, *size, kept).permute(0, 3, 1, 2)


def _upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize bilinearly with aligned corners: the only place in the method that uses them."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)
