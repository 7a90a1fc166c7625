"""Formulas against counts by hand, and the counters against each other."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import count as numbers
from math import prod

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from ptflops import get_model_complexity_info
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vssbench.metrics.cost import flops
from vssbench.metrics.cost.flops import CONVOLUTION, PRODUCT, count
from vssbench.metrics.cost.fvcore_rules import counts_nothing

_name = numbers()


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.modules_used = function, nn.ModuleList(modules)

    def forward(self, *inputs):
        return self.function(*inputs)


class Mixed(nn.Module):
    """Every family of operators, with a real constant among its operands."""

    def __init__(self):
        super().__init__()
        self.strided, self.transposed = nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.ConvTranspose2d(8, 4, 4, 2, 1)
        self.grouped, self.norm = nn.Conv2d(4, 8, 3, groups=2, padding="same"), nn.GroupNorm(2, 8)
        self.linear, self.attention = nn.Linear(8, 16), nn.MultiheadAttention(16, 4, batch_first=True)
        self.constant = torch.ones(16)

    def forward(self, x):
        x = self.norm(self.grouped(self.transposed(self.strided(x))))
        _, _, height, width = x.shape
        tokens = self.linear(x.flatten(2).transpose(1, 2)) + torch.ones(height * width, 16, device=x.device)
        tokens = tokens * self.constant
        tokens.add_(1)
        mask = torch.zeros(height * width, height * width, dtype=torch.bool, device=x.device)
        tokens, _ = self.attention(tokens, tokens, tokens, attn_mask=mask)
        return torch.einsum("bqc,bkc->bqk", tokens, tokens), F.interpolate(x, scale_factor=2, mode="bilinear")


def test_counting_by_shapes_equals_counting_a_real_run():
    module, image = Mixed().eval(), torch.rand(1, 3, 16, 16)
    by_shapes, by_running = count(module, (image,)), flops._count(module, (image,), nullcontext)
    assert not by_shapes.values
    assert by_running.values
    assert by_shapes.by_operator == by_running.by_operator
    assert by_shapes.products == by_running.products
    assert not by_shapes.disagreements
    assert not by_shapes.uncounted


def test_inference_mode_does_not_change_the_count():
    module, image = Mixed().eval(), torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert count(module, (torch.rand(1, 3, 16, 16),)) == count(module, (image,))


@settings(max_examples=15, deadline=None)
@given(
    groups=st.integers(1, 3), before=st.integers(1, 3), after=st.integers(1, 3), size=st.integers(5, 9),
    kernel=st.integers(1, 3), stride=st.integers(1, 2), transposed=st.booleans(),
)  # fmt: skip
def test_convolution_macs_are_one_per_weight_and_position(groups, before, after, size, kernel, stride, transposed):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(groups * before, groups * after, kernel, stride, groups=groups)
    image = torch.rand(1, groups * before, size, size)
    swept = image if transposed else layer(image)
    found = count(layer, (image,))
    assert found.macs == layer.weight.numel() * prod(swept.shape[2:])
    assert found.products[CONVOLUTION] == (found.macs, found.macs)


@pytest.mark.parametrize(
    ("function", "shapes", "macs"),
    [
        (lambda a, b: a @ b, [(2, 5, 7), (2, 7, 3)], 2 * 5 * 7 * 3),
        (torch.baddbmm, [(2, 5, 3), (2, 5, 7), (2, 7, 3)], 2 * 5 * 7 * 3),
        (lambda a, b: torch.einsum("qc,qhw->chw", a, b), [(5, 4), (5, 6, 7)], 5 * 4 * 6 * 7),
        (F.scaled_dot_product_attention, [(1, 2, 5, 8), (1, 2, 6, 8), (1, 2, 6, 8)], 2 * 5 * 6 * (8 + 8)),
        (F.linear, [(3, 5, 7), (4, 7)], 3 * 5 * 7 * 4),
        (torch.mv, [(5, 7), (7,)], 5 * 7),
        (torch.addmv, [(5,), (5, 7), (7,)], 5 * 7),
        (torch.dot, [(7,), (7,)], 7),
        (torch.vdot, [(7,), (7,)], 7),
        (torch.inner, [(5, 7), (3, 7)], 5 * 7 * 3),
        (torch.addbmm, [(5, 3), (2, 5, 7), (2, 7, 3)], 2 * 5 * 7 * 3),
        (lambda a, b: torch.tensordot(a, b, 2), [(4, 5, 7), (5, 7, 3)], 4 * 5 * 7 * 3),
    ],
)
def test_both_counters_agree_on_matrix_products(function, shapes, macs):
    inputs = tuple(torch.rand(shape) for shape in shapes)
    for found in (count(Apply(function), inputs), flops._count(Apply(function), inputs, nullcontext)):
        assert found.products == {PRODUCT: (pytest.approx(macs, abs=1), macs)}  # fvcore rounds einsum to four digits


def test_cpu_attention_is_counted_although_torch_counts_nothing():
    inputs = tuple(torch.rand(1, 2, 16, 8) for _ in range(3))
    with FlopCounterMode(display=False) as bare:
        F.scaled_dot_product_attention(*inputs)
    assert bare.get_total_flops() == 0
    assert flops._count(Apply(F.scaled_dot_product_attention), inputs, nullcontext).second == 2 * 16 * 16 * 16


def test_resizing_sampling_and_norms_count_macs_and_elementwise_none():
    image = torch.rand(1, 4, 6, 8)
    resize = Apply(lambda x: F.interpolate(x, (12, 16), mode="bilinear"))
    assert count(resize, (image,)).by_operator == {"upsample_bilinear2d": 4 * 4 * 12 * 16}
    sample = Apply(lambda x, grid: F.grid_sample(x, grid, align_corners=False))
    assert count(sample, (image, torch.zeros(1, 3, 5, 2))).by_operator == {"grid_sampler": 4 * 4 * 3 * 5}
    assert count(nn.BatchNorm2d(4).eval(), (image,)).macs == 2 * image.numel()
    assert count(nn.GroupNorm(2, 4), (image,)).macs == 5 * image.numel()
    elementwise = count(Apply(lambda x: (x * 2).sigmoid().softmax(1)), (image,))
    assert elementwise.macs == 0
    assert set(elementwise.left_out) == {"aten::mul", "aten::sigmoid", "aten::softmax"}
    assert not elementwise.uncounted


IMAGE, VIDEO, LINE = (1, 4, 6, 8), (1, 4, 3, 6, 8), (1, 4, 6)


@pytest.mark.parametrize(
    ("function", "shape", "macs"),
    [
        (
            lambda x: F.interpolate(x, (12, 16), mode="bicubic"),
            IMAGE,
            16 * 4 * 12 * 16,
        ),  # 4 x 4 neighbours per output value
        (lambda x: F.interpolate(x, (6, 12, 16), mode="trilinear"), VIDEO, 8 * 4 * 6 * 12 * 16),
        (lambda x: F.interpolate(x, 12, mode="linear"), LINE, 2 * 4 * 12),
        (lambda x: F.interpolate(x, (12, 16), mode="nearest"), IMAGE, 4 * 12 * 16),
        (lambda x: F.interpolate(x, (12, 16), mode="nearest-exact"), IMAGE, 4 * 12 * 16),
        (lambda x: F.avg_pool2d(x, 2), IMAGE, 4 * 6 * 8),
        (lambda x: F.adaptive_avg_pool2d(x, 2), IMAGE, 4 * 6 * 8),
        (lambda x: F.avg_pool1d(x, 2), LINE, 4 * 6),
        (lambda x: F.adaptive_avg_pool3d(x, 2), VIDEO, 4 * 3 * 6 * 8),
    ],
)
def test_resizing_and_pooling_macs_by_mode_and_dimension(function, shape, macs):
    found = count(Apply(function), (torch.rand(shape),))
    assert found.macs == macs
    assert not found.uncounted


NOTHING = {
    "ceil": torch.ceil,
    "rand": lambda x: x + torch.rand(x.shape, device=x.device),
    "randn_like": lambda x: x + torch.randn_like(x),
    "linalg_vector_norm": F.normalize,
    "embedding": lambda x: F.embedding(torch.zeros(3, dtype=torch.long, device=x.device), x[0, 0]),
    "empty_strided": lambda x: x + torch.empty_strided((8,), (1,), device=x.device),
    "hardswish": F.hardswish,
    "mish": F.mish,
    "glu": lambda x: F.glu(x, 1),
    "isnan": torch.isnan,
    "var": lambda x: x.var(1),
    "logsumexp": lambda x: x.logsumexp(1),
    "sort": lambda x: x.sort().values,
    "max_pool2d_with_indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "scatter_add": lambda x: x.scatter_add(0, torch.zeros(x.shape, dtype=torch.long, device=x.device), x),
    "tril": torch.tril,
    "cosine_similarity": lambda x: F.cosine_similarity(x, x),
}


@pytest.mark.parametrize(("name", "function"), NOTHING.items(), ids=NOTHING)
def test_zero_cost_operators_are_listed_and_make_no_lower_bound(name, function):
    found = count(Apply(function), (torch.rand(IMAGE),))
    assert found.macs == 0
    assert f"aten::{name}" in found.left_out
    assert not found.uncounted


def test_matrix_products_are_never_classified_as_zero_cost():
    """torch's own tags for elementwise operators and reductions decide; no matrix product may have one."""
    for name in ("mm", "bmm", "matmul", "conv2d", "_convolution", "einsum", "linear", "cdist", "lstm", "fft_rfft2"):
        assert not counts_nothing(f"aten::{name}")
    assert not counts_nothing("planted::ceil")


def test_counter_difference_in_a_tiny_share_is_not_a_disagreement():
    weight = torch.rand(256, 256)

    def mostly(x):
        x[:1, :2] @ x[:2, :2]  # feeds no output, so the trace drops it
        return F.conv2d(x[None, None], torch.rand(64, 1, 9, 9, device=x.device))

    found = count(Apply(mostly), (weight,))
    assert found.products[PRODUCT] == (0, 4)
    assert not found.disagreements


def test_ptflops_count_equals_the_output_of_ptflops():
    module, image = Mixed().eval(), torch.rand(1, 3, 16, 16)
    printed, _ = get_model_complexity_info(
        module, (3, 16, 16), print_per_layer_stat=False, as_strings=False, backend="aten"
    )
    assert count(module, (image,)).ptflops == flops._count(module, (image,), nullcontext).ptflops == printed
    layer = nn.Conv2d(3, 8, 3)
    assert count(layer, (image,)).ptflops == 14 * 14 * 8 * (3 * 3 * 3 + 1)  # a bias counts as one
    assert count(layer, (image,)).macs == 14 * 14 * 8 * 3 * 3 * 3


def test_product_without_use_in_the_output_is_a_disagreement():
    def wasteful(x):
        x @ x
        return x @ x

    found = count(Apply(wasteful), (torch.rand(8, 8),))
    assert found.disagreements == {PRODUCT: (8**3, 2 * 8**3)}


def test_broadcast_product_is_a_disagreement_with_its_repeats():
    found = count(Apply(lambda a, b: a @ b), (torch.rand(1, 5, 7), torch.rand(3, 7, 2)))
    assert found.disagreements == {PRODUCT: (5 * 7 * 2, 3 * 5 * 7 * 2)}
    assert found.repeats == 2 * 5 * 7 * 2


@pytest.mark.parametrize("with_rule", [True, False])
def test_custom_operator_unknown_to_both_counters_is_listed(with_rule):
    name = f"planted::op{next(_name)}"
    operator = torch.library.custom_op(name, lambda x: x.clone(), mutates_args=(), schema="(Tensor x) -> Tensor")
    if with_rule:
        operator.register_fake(torch.empty_like)
    found = count(Apply(lambda x: operator(operator(x)) @ x), (torch.rand(4, 4),))
    assert found.uncounted == {name: 2}
    assert found.values is not with_rule
    assert not found.disagreements


def test_cdist_is_listed_as_uncounted():
    assert count(Apply(torch.cdist), (torch.rand(4, 3), torch.rand(5, 3))).uncounted == {"aten::cdist": 1}


def test_value_dependent_work_is_counted_by_running():
    weight = torch.rand(8, 4)
    found = count(Apply(lambda x: x[x[:, 0] > 0.5] @ weight), (torch.eye(8),))
    assert found.values
    assert found.products[PRODUCT] == (1 * 8 * 4, 1 * 8 * 4)


def test_failing_module_raises_its_own_error():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        count(Apply(lambda x: x @ x), (torch.rand(2, 3),))
