"""CReFF's local attention: the fast form against the definition, written out pixel by pixel."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from vssbench.methods.arseg.creff import CReFF, local_attention, plain_local_attention
from vssbench.methods.arseg.tiled_attention import tiled_attention


def definition(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """All 49 keys and values of every pixel at once, in float64."""
    query, key, value = (x.double() for x in (query, key, value))
    _, channels, height, width = query.shape
    keys, values = (F.unfold(x, 7, padding=3).view(channels, 49, height, width) for x in (key, value))
    weights = torch.softmax((query[0, :, None] * keys).sum(0), 0)
    return (weights * values).sum(1).unsqueeze(0)


def random(channels: int, height: int, width: int, seed: int = 0, scale: float = 1.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(1, channels, height, width, generator=generator) for _ in range(3)]


@settings(max_examples=40, deadline=None)
@given(
    channels=st.sampled_from([1, 3, 16]),
    height=st.integers(1, 23),
    width=st.integers(1, 23),
    tile=st.sampled_from([(2, 8), (1, 1), (4, 4), (16, 16), (3, 5)]),
    seed=st.integers(0, 99),
)
def test_local_attention_equals_its_definition_for_every_size_and_tile(channels, height, width, tile, seed):
    inputs = random(channels, height, width, seed)
    expected = definition(*inputs)
    with torch.no_grad():
        assert (local_attention(*inputs, tile) - expected).abs().max() < 1e-5
        for attend in (plain_local_attention, tiled_attention):
            assert (attend(*inputs) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_local_attention_is_exact_for_all_threads_and_memory_formats(threads, memory):
    inputs = [x.contiguous(memory_format=memory) for x in random(32, 61, 47)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                found = local_attention(*inputs)
                assert found.is_inference() == (mode is torch.inference_mode)
                assert (found - definition(*inputs)).abs().max() < 1e-5
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_scores_and_values_outside_the_map_are_zero():
    """One pixel: its own key against 48 zeros, which take their share of the softmax."""
    query, key, value = torch.full((3, 1, 4, 1, 1), 0.5).unbind()
    score = torch.tensor(4 * 0.25)
    expected = 0.5 * score.exp() / (score.exp() + 48)
    assert torch.allclose(local_attention(query, key, value), expected.expand(1, 4, 1, 1))


def test_large_scores_do_not_overflow():
    inputs = random(16, 12, 20, scale=30.0)
    found = local_attention(*inputs)
    assert found.isfinite().all()
    assert (found - definition(*inputs)).abs().max() < 1e-2


def test_gradients_are_those_of_the_definition():
    inputs = [x.double().requires_grad_() for x in random(2, 5, 9)]
    assert torch.autograd.gradcheck(lambda *x: local_attention(*x, (2, 4)), inputs)


def test_creff_adds_the_attention_to_the_resized_feature():
    torch.manual_seed(0)
    creff, reference, small = CReFF(8), torch.randn(1, 8, 24, 30), torch.randn(1, 8, 12, 15)
    upper = F.interpolate(small, (24, 30), mode="bilinear", align_corners=True)
    with torch.no_grad():
        expected = upper + definition(creff.query(upper), creff.key(reference), creff.value(reference))
        for attend in (local_attention, plain_local_attention, tiled_attention):
            assert torch.allclose(creff(reference, small, attend).double(), expected, atol=1e-5)
    kept = reference.clone()
    creff(reference, small).sum().backward()
    assert torch.equal(reference, kept)
    assert all(parameter.grad.isfinite().all() for parameter in creff.parameters())
