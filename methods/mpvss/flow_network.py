"""The flow network of MPVSS (Weng et al., Mask Propagation for Efficient Video Semantic Segmentation, NeurIPS 2023).

From the current frame, the key frame and the key frame's queries, it makes one flow map per query, by which that
query's mask is warped. It is FlowNetSimple's encoder and refinement (Dosovitskiy et al., ICCV 2015; constants as in
mmtracking). Between them is a transformer: the queries and the tokens of one level attend to each other as a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.mask2former.modeling_mask2former import Mask2FormerSinePositionEmbedding

MEAN = (0.411, 0.432, 0.450)
"""Subtracted from RGB on the 0..1 scale, after the division by 255."""
DEVIATION = 0.2
"""The rough standard deviation of such values in ordinary frames."""
LEVELS = 3


@dataclass(frozen=True)
class FlowSize:
    """Widths of the network; the defaults are the paper's.

    encoder:    channels of the six blocks of convolutions, at strides 4 to 128 of the frame
    refinement: channels of the upward convolutions, to strides 64 to 8
    width:      of queries and tokens; heads, layers and feedforward are the transformer's
    even:       initialise so that features keep their size from layer to layer. This is not the paper's way, with which
                a small network's features start at a hundredth of the frames' and learn no flow for a long time.
    """

    encoder: tuple[int, ...] = (64, 128, 256, 512, 512, 1024)
    refinement: tuple[int, ...] = (128, 128, 128, 64)
    width: int = 256
    heads: int = 8
    layers: int = 9
    feedforward: int = 2048
    even: bool = False


TINY = FlowSize((12, 24, 48, 96, 96, 192), (24, 24, 24, 12), width=64, heads=4, layers=3, feedforward=256, even=True)


def flow_image(image: Tensor, padded: tuple[int, int], frame: tuple[int, int]) -> Tensor:
    """Return a flow network's input, float[3, h, w] at half the padded size, from float[3, H, W] RGB, 0..255.

    frame: (height, width) before any resizing. The official code blanks what is beyond it, which matters only where
    the frame was enlarged. That is kept, because the published numbers include it.
    """
    height, width = image.shape[-2:]
    image = image / 255 - image.new_tensor(MEAN)[:, None, None]
    image = F.pad(image, (0, padded[1] - width, 0, padded[0] - height))
    image[:, frame[0] :], image[:, :, frame[1] :] = 0, 0
    return F.interpolate(image[None], scale_factor=0.5, mode="bilinear", align_corners=False)[0]


def warp(masks: Tensor, flows: Tensor) -> Tensor:
    """Warp each query's mask logits, float[Q, C, H, W], along its flow, float[Q, 2, h, w], x first, in flow pixels.

    As in mmtracking, positions are scaled by W and H but sampled with corners aligned, so zero flow shrinks the mask
    slightly towards the top left. Positions outside take the border's value.
    """
    height, width = masks.shape[-2:]
    scale = width / flows.shape[-1]
    masks, flows = masks.float(), flows.float()  # in bf16, positions would be whole pixels
    flows = F.interpolate(flows, (height, width), mode="bilinear", align_corners=False) * scale
    x = torch.arange(width, device=masks.device, dtype=masks.dtype)
    y = torch.arange(height, device=masks.device, dtype=masks.dtype)[:, None]
    grid = torch.stack(((flows[:, 0] + x) / width * 2 - 1, (flows[:, 1] + y) / height * 2 - 1), dim=-1)
    return F.grid_sample(masks, grid, mode="bilinear", padding_mode="border", align_corners=True)


class FlowNetwork(nn.Module):
    """The flow of every query from the current frame to the key frame."""

    def __init__(self, queries: int, size: FlowSize = FlowSize()):
        super().__init__()
        self.encoder = Encoder(size.encoder)
        self.motion = MLP(size.encoder[1], 2 * size.width, 2 * size.width)
        self.transformer = JointTransformer(queries, size.encoder[:2:-1], size)
        self.refinement = Refinement(size)
        self.output_norm = nn.LayerNorm(size.width)
        self.output_head = MLP(size.width, 2 * size.width, size.width)
        self.fuse = nn.Conv2d(4, 2, 3, padding=1)
        self._initialise()
        if size.even:
            self._even()

    def forward(self, current: Tensor, key: Tensor, queries: Tensor) -> Tensor:
        """Frames as `flow_image` returns them, float[N, 3, h, w], and the key frame's queries, float[N, Q, D], to
        flows, float[N, Q, 2, h / 4, w / 4] (a quarter of the input, an eighth of the frame), x first, in its pixels."""
        stride8, stride16, *coarse = self.encoder(torch.cat((current, key), dim=1))
        queries, coarse = self.transformer(queries, coarse[::-1])
        shared = self.refinement(coarse, stride16, stride8)
        y, x = self._query_motion(queries, stride8)
        fields = torch.cat((shared[:, None].expand(-1, x.shape[1], -1, -1, -1), x, y), dim=2)
        return self.fuse(fields.flatten(0, 1)).unflatten(0, x.shape[:2])

    def _query_motion(self, queries: Tensor, features: Tensor) -> tuple[Tensor, ...]:
        """Inner products of the queries with the two halves of the motion map: y, then x, float[N, Q, 1, h, w] each."""
        halves = self.motion(features.permute(0, 2, 3, 1)).chunk(2, dim=-1)
        queries = self.output_head(self.output_norm(queries))
        return tuple(torch.einsum("nqc,nhwc->nqhw", queries, half)[:, :, None] for half in halves)

    def _initialise(self) -> None:
        """Use Kaiming (fan-out) in convolutions, Xavier in the transformer, and a constant flow of (1, 1) at first."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, 0.1, "fan_out", "leaky_relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for parameter in self.transformer.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.zeros_(self.fuse.weight)
        if self.fuse.bias is not None:
            nn.init.ones_(self.fuse.bias)

    @torch.no_grad()
    def _even(self) -> None:
        """Use Kaiming by the inputs per output instead, and scale frames up to a deviation of about 1."""
        for module in (*self.encoder.modules(), *self.refinement.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, 0.1, "fan_in", "leaky_relu")
            elif isinstance(module, nn.ConvTranspose2d):  # torch's names are those of the convolution it reverses
                nn.init.kaiming_normal_(module.weight, 0.1, "fan_out", "leaky_relu")
                module.weight *= module.stride[0]
        next(self.encoder.parameters()).div_(DEVIATION)  # the first convolution's weight


class Encoder(nn.Module):
    """FlowNetSimple's convolutions, each followed by a LeakyReLU; outputs at strides 8 to 128 of the frame."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        kernels = [(7,), (5,), (5, 3), (3, 3), (3, 3), (3, 3)]
        widths = [6, *channels]
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(outer if second else inner, outer, kernel, 1 if second else 2, kernel // 2)
                for second, kernel in enumerate(block)
            )
            for block, inner, outer in zip(kernels, widths[:-1], widths[1:], strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for block in self.blocks:
            for convolution in block.children():
                x = _leaky(convolution(x))
            outputs.append(x)
        return outputs[1:]


class JointTransformer(nn.Module):
    """Self-attention over [queries; tokens of one level], one level after the other, coarsest first.

    Positions are added into the residual stream before every layer, not only to queries and keys: they accumulate.
    """

    def __init__(self, queries: int, channels: Sequence[int], size: FlowSize):
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(inner, size.width, 1) for inner in channels)
        self.level_embed = nn.Embedding(LEVELS, size.width)
        self.query_embed = nn.Embedding(queries, size.width)
        self.position = Mask2FormerSinePositionEmbedding(size.width // 2, normalize=True)
        self.layers = nn.ModuleList(JointLayer(size) for _ in range(size.layers))

    def forward(self, queries: Tensor, maps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Queries, float[N, Q, D], and maps from coarse to fine, to refined queries and maps of D channels."""
        positions = [_tokens(self.position(m.shape, m.device, m.dtype)) for m in maps]
        tokens = [
            _tokens(project(m)) + embed
            for project, m, embed in zip(self.project, maps, self.level_embed.weight, strict=True)
        ]
        queries, count = queries.transpose(0, 1), queries.shape[1]
        for index, layer in enumerate(self.layers):
            level = index % LEVELS
            queries = queries + self.query_embed.weight[:, None]
            tokens[level] = tokens[level] + positions[level]
            joint = layer(torch.cat((queries, tokens[level])))
            queries, tokens[level] = joint[:count], joint[count:]
        refined = [t.permute(1, 2, 0).unflatten(2, m.shape[-2:]) for t, m in zip(tokens, maps, strict=True)]
        return queries.transpose(0, 1), refined


class JointLayer(nn.Module):
    """One post-norm transformer layer on a sequence, float[L, N, D]."""

    def __init__(self, size: FlowSize):
        super().__init__()
        self.attention = nn.MultiheadAttention(size.width, size.heads)
        self.attention_norm = nn.LayerNorm(size.width)
        self.linear1 = nn.Linear(size.width, size.feedforward)
        self.linear2 = nn.Linear(size.feedforward, size.width)
        self.feedforward_norm = nn.LayerNorm(size.width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention_norm(x + self.attention(x, x, x)[0])
        return self.feedforward_norm(x + self.linear2(F.relu(self.linear1(x))))


class Refinement(nn.Module):
    """FlowNetSimple's refinement: flow predicted at strides 128 to 16, each fed to the next, and at stride 8 last."""

    def __init__(self, size: FlowSize):
        super().__init__()
        ups, width = size.refinement, size.width
        finer = [width, width, size.encoder[2], size.encoder[1]]
        inner = [width, *(f + up + 2 for f, up in zip(finer, ups, strict=True))]
        self.predict = nn.ModuleList(nn.Conv2d(channels, 2, 3, padding=1, bias=False) for channels in inner)
        self.upsample_flow = nn.ModuleList(nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=False) for _ in ups)
        self.deconvolve = nn.ModuleList(
            nn.ConvTranspose2d(channels, up, 4, 2, 1, bias=False) for channels, up in zip(inner, ups, strict=False)
        )

    def forward(self, coarse: list[Tensor], stride16: Tensor, stride8: Tensor) -> Tensor:
        """Refined maps, coarsest first, then the encoder's finer ones, to one flow for all, float[N, 2, h, w]."""
        x = coarse[0]
        finer = (*coarse[1:], stride16, stride8)
        steps = zip(finer, self.predict, self.upsample_flow, self.deconvolve, strict=False)
        for target, predict, upsample_flow, deconvolve in steps:
            height, width = target.shape[-2:]
            flow = upsample_flow(predict(x))[..., :height, :width]
            x = torch.cat((target, _leaky(deconvolve(x))[..., :height, :width], flow), dim=1)
        return self.predict[-1](x)


class MLP(nn.Module):
    """Three linear layers with ReLU between them, on the last axis."""

    def __init__(self, inner: int, hidden: int, outer: int):
        super().__init__()
        sizes = ((inner, hidden), (hidden, hidden), (hidden, outer))
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in sizes)

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.layers
        return third(F.relu(second(F.relu(first(x)))))


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


def _tokens(x: Tensor) -> Tensor:
    """float[N, C, H, W] to a sequence, float[H * W, N, C]."""
    return x.flatten(2).permute(2, 0, 1)
