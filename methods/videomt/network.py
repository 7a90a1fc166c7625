"""VidEoMT (CVPR 2026), an encoder-only video segmenter, on transformers' model: streamed part by part, at any size.

A plain vision transformer (DINOv2) sees the frame. Before its last blocks the query tokens join the patches; after
them each query is a class and a mask. A frame's queries are made from the learned ones and from the previous frame's
queries after the blocks: that is all a frame knows of the past.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import VideomtConfig, VideomtForUniversalSegmentation

from vssbench.networks.checkpoints import seeded
from vssbench.networks.transformers_models import quiet_transformers

Backbone = Literal["tiny", "vit_s", "vit_b", "vit_l"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
IMAGE_SIZE = 1280
"""Side of the square picture for which the table of positions is made, in the VSPW configuration."""

_VITS = {  # width, depth, heads, blocks that the queries go through
    "vit_s": (384, 12, 6, 3),
    "vit_b": (768, 12, 12, 3),
    "vit_l": (1024, 24, 16, 4),
}
_TINY = {  # for the synthetic dataset's small frames: the same network, narrow and shallow
    "hidden_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_blocks": 3,
    "num_queries": 20,
    "num_register_tokens": 1,
    "image_size": 256,
}


class Found(NamedTuple):
    """The network's output for one frame, and what it passes to the next.

    classes: float[Q, C + 1] logits, the last column is "no object"
    masks:   float[Q, h, w] logits at stride 4 of the padded frame
    state:   float[1, Q, D], the query tokens after the last block, before the final normalisation
    """

    classes: Tensor
    masks: Tensor
    state: Tensor


def build(backbone: Backbone, classes: int) -> VideomtForUniversalSegmentation:
    """The network in evaluation mode, with random weights that follow from the arguments."""
    with seeded(f"videomt {backbone} {classes}"), quiet_transformers():
        network = VideomtForUniversalSegmentation(configure(backbone, classes))
    del network.embeddings.mask_token  # nothing reads it, and the official network lacks it
    return network.eval()


def configure(backbone: Backbone, classes: int) -> VideomtConfig:
    """Return transformers' configuration of a backbone of the table: 200 queries except for `tiny`."""
    if backbone == "tiny":
        return VideomtConfig(num_labels=classes, **_TINY)
    width, depth, heads, blocks = _VITS[backbone]
    return VideomtConfig(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        num_blocks=blocks,
        image_size=IMAGE_SIZE,
        num_labels=classes,
    )


def positions(network: VideomtForUniversalSegmentation, padded: tuple[int, int]) -> Tensor:
    """Return the table of positions for a padded frame of that size, float[1, patches, D]: bicubic, antialiased."""
    table = network.embeddings.position_embeddings.weight
    side, grid = round(len(table) ** 0.5), _grid(network, padded)
    if grid == (side, side):
        return table[None]
    square = table.T.reshape(1, -1, side, side).float()
    return F.interpolate(square, grid, mode="bicubic", antialias=True).flatten(2).mT


def tokens(network: VideomtForUniversalSegmentation, images: Tensor, table: Tensor) -> Tensor:
    """Normalised frames float[B, 3, H, W] through the blocks before the queries join: float[B, 1 + registers + N, D].

    table: see `positions`
    """
    parts = network.embeddings
    patches = parts.patch_embeddings(images) + table
    ahead = (one.expand(len(images), -1, -1) for one in (parts.cls_token, parts.register_tokens))
    found = torch.cat((*ahead, patches), dim=1)
    for layer in network.layers[: -network.config.num_blocks]:
        found = layer(found)
    return found


def queries(network: VideomtForUniversalSegmentation, state: Tensor | None) -> Tensor:
    """The query tokens of a frame, float[B, Q, D]; state: what the frame before left, None at the start (B is 1)."""
    learned = network.query.weight[None]
    return learned if state is None else network.query_updater(state) + learned


def predict(network: VideomtForUniversalSegmentation, mixed: Tensor, padded: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Class logits float[B, Q, C + 1] and mask logits float[B, Q, h, w] of tokens [queries, cls, registers, patches].

    mixed: float[B, Q + 1 + registers + N, D], as returned by the last block or one before it, normalised or not
    """
    count = network.config.num_queries
    found, patches = mixed[:, :count], mixed[:, count + network.embeddings.num_prefix_tokens :]
    maps = network.upscale_block(patches.mT.unflatten(2, _grid(network, padded)))
    masks = torch.einsum("bqc,bchw->bqhw", network.mask_head(found), maps)
    return network.class_predictor(found), masks


def segment(network: VideomtForUniversalSegmentation, image: Tensor, table: Tensor, state: Tensor | None) -> Found:
    """Segment a normalised, padded frame, float[1, 3, H, W]; table: see `positions`; state: None at a clip's start."""
    return answer(network, image, table, queries(network, state))


def answer(network: VideomtForUniversalSegmentation, image: Tensor, table: Tensor, asked: Tensor) -> Found:
    """Segment the frame with these query tokens as they are, float[1, Q, D]."""
    mixed = torch.cat((asked, tokens(network, image, table)), dim=1)
    for layer in network.layers[-network.config.num_blocks :]:
        mixed = layer(mixed)
    height, width = image.shape[-2:]
    classes, masks = predict(network, network.layernorm(mixed), (height, width))
    return Found(classes[0], masks[0], mixed[:, : network.config.num_queries])


def _grid(network: VideomtForUniversalSegmentation, padded: tuple[int, int]) -> tuple[int, int]:
    return padded[0] // network.config.patch_size, padded[1] // network.config.patch_size
