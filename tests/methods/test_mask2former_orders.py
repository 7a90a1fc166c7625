"""The cheaper orders of Mask2Former's inference against transformers' own modules, which train and are counted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerMaskPredictor,
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention,
    Mask2FormerPixelDecoderEncoderOnly,
)

from vssbench import load_method
from vssbench.methods.mask2former import network as net
from vssbench.methods.mask2former.attention_masks import MaskPredictor, masks_of
from vssbench.methods.mask2former.deformable_attention import DeformableAttention
from vssbench.metrics.cost.gflops import gflops
from vssbench.testing import random_clip

SIZES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=3)


def attention(reach: float, seed: int = 0) -> Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention:
    """reach: deviation of the offsets, in cells"""
    torch.manual_seed(seed)
    published = Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention(16, 4, 3, 4)
    nn.init.normal_(published.sampling_offsets.weight, std=reach / 16**0.5)
    return published


def arguments(shapes: list[tuple[int, int]], seed: int = 0) -> dict[str, object]:
    random = torch.Generator().manual_seed(seed)
    count = sum(rows * columns for rows, columns in shapes)
    reference = Mask2FormerPixelDecoderEncoderOnly.get_reference_points(shapes, torch.ones(1, 3, 2), "cpu")
    hidden, position = torch.randn(2, 1, count, 16, generator=random)
    return {
        "hidden_states": hidden,
        "encoder_hidden_states": hidden,
        "position_embeddings": position,
        "reference_points": reference,
        "spatial_shapes_list": shapes,
    }


@given(SIZES, st.sampled_from([0.1, 2.0, 30.0]), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_deformable_attention_equals_the_published_module(shapes, reach: float, seed: int) -> None:
    """Offsets within a cell, over several, and far beyond the border; also maps of one cell."""
    published, given_ = attention(reach, seed), arguments(shapes, seed)
    ours = DeformableAttention(published)
    assert ours.state_dict().keys() == published.state_dict().keys()
    with torch.no_grad():
        expected = published(**given_)[0]
        assert torch.equal(ours(**given_)[0], expected)
    with torch.inference_mode():
        torch.testing.assert_close(ours(**given_)[0], expected, rtol=1e-4, atol=1e-4)


def test_deformable_attention_has_the_published_gradients() -> None:
    published, given_ = attention(2.0), arguments([(3, 4), (5, 6), (7, 8)])
    weight = published.sampling_offsets.weight  # both have the same
    (expected,) = torch.autograd.grad(published(**given_)[0].square().sum(), weight)
    (found,) = torch.autograd.grad(DeformableAttention(published)(**given_)[0].square().sum(), weight)
    assert torch.equal(found, expected)


def test_non_finite_offsets_give_nan_and_no_invalid_reads() -> None:
    """A position that is not a number must not become an index: it would read unallocated memory."""
    published, given_ = attention(1.0), arguments([(3, 4), (5, 6), (7, 8)])
    with torch.inference_mode():
        published.sampling_offsets.bias.data[0] = float("nan")
        published.sampling_offsets.bias.data[3] = float("inf")
        found = DeformableAttention(published)(**given_)[0]
    assert found.isnan().any()


def test_masks_and_attention_masks_equal_the_published_predictors() -> None:
    torch.manual_seed(0)
    published = Mask2FormerMaskPredictor(16, 4, 16)
    ours = MaskPredictor(published)
    assert ours.state_dict().keys() == published.state_dict().keys()
    queries, features = torch.randn(7, 1, 16), torch.randn(1, 16, 24, 40)
    for size in ((3, 5), (6, 10), (12, 20), (24, 40)):
        with torch.no_grad():
            masks, hidden = published(queries, features, size)
            same, where = ours(queries, features, size)
        assert torch.equal(same, masks)
        assert torch.equal(where, hidden)
        with torch.inference_mode():
            head, where = ours(queries, features, size)
            torch.testing.assert_close(masks_of(head, features), masks, rtol=1e-5, atol=1e-5)
        assert head.shape == (1, 7, 16)  # nothing of the size of a mask was computed
        assert (where != hidden).float().mean() < 1e-3  # where a logit is 0 but for rounding


@pytest.mark.parametrize("backbone", ["tiny", pytest.param("swin_t", marks=pytest.mark.slow)])
def test_whole_network_equals_the_published_order(backbone: net.Backbone) -> None:
    method = load_method(f"mask2former(backbone={backbone})", checkpoint="untrained")
    x = method.prepare(random_clip(length=1, size=(96, 128))[0])
    with torch.no_grad():
        published = net.segment(method.network, x.image)
    for found, expected in zip(method.step(x).segments, published, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_gflops_count_the_published_order() -> None:
    """What a run saves by its order of operations is not a saving of the method."""
    plain = load_method("mask2former", checkpoint="untrained")
    record = gflops(plain, None, (128, 224))
    assert "grid_sampler" in " ".join(record["by_operator"]["key"])
    heads = plain.network.config.decoder_layers  # each computes a whole mask
    mask = 20 * 64 * (128 // 4) * (224 // 4) / 1e9
    assert record["by_operator"]["key"]["einsum"] > heads * mask * 0.99


@given(st.integers(1, 3), st.integers(1, 3), st.tuples(st.integers(0, 31), st.integers(0, 31)), st.booleans())
@settings(max_examples=30, deadline=None)
def test_fast_labels_are_the_argmax_of_the_fast_scores(
    rows: int, columns: int, cut: tuple[int, int], enlarge: bool
) -> None:
    random = torch.Generator().manual_seed(rows)
    padded = (32 * rows, 32 * columns)
    resized = (padded[0] - cut[0], padded[1] - cut[1])
    geometry = net.Geometry(padded, resized, (2 * resized[0] + 1, 2 * resized[1]) if enlarge else resized)
    classes, masks = torch.randn(7, 6, generator=random), 4 * torch.randn(7, 8 * rows, 8 * columns, generator=random)
    scores = net.fast_scores(classes, masks, geometry)
    assert scores.shape == (5, *geometry.frame)
    labels = torch.from_numpy(net.fast_labels(classes, masks, geometry))
    best = scores.max(0).values - scores.gather(0, labels[None].long())[0]
    assert best.max() < 1e-5


def test_fast_and_exact_labels_differ_on_3_percent_of_pixels_near_borders() -> None:
    """Where a mask is large and certain, both orders agree; a run reports the share (`bench.approximation`)."""
    exact, fast = (load_method(f"mask2former(decode={order})") for order in ("exact", "fast"))
    frame = random_clip(length=1, size=(128, 224))[0]
    y = exact.step(exact.prepare(frame))
    assert fast.weights.sha256 == exact.weights.sha256
    labels = exact.decode(y).labels
    differ = fast.decode(y).labels != labels
    assert differ.mean() < 0.03
    cell = np.ones((2 * 4 + 1, 2 * 4 + 1), np.uint8)  # up to a cell of stride 4 away
    near_a_border = cv2.dilate(labels, cell) != cv2.erode(labels, cell)
    assert near_a_border.mean() < 0.7
    assert near_a_border[differ].mean() > 0.99


def test_fast_decoding_costs_less() -> None:
    exact, fast = (load_method(f"mask2former(decode={order})", checkpoint="untrained") for order in ("exact", "fast"))
    counts = [gflops(method, None, (128, 224))["key"] for method in (exact, fast)]
    assert counts[0] - counts[1] > 20 * 11 * 128 * 224 * 0.9 / 1e9
