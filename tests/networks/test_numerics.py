"""dtype and compile: outputs in narrow types stay close to float32, and what must not be rounded is not."""

from __future__ import annotations

import inspect
from shutil import which

import numpy as np
import pytest
import torch
from torch import Tensor

from vssbench import load_method
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.methods import BUILTIN
from vssbench.methods.mpvss.flow_network import warp
from vssbench.metrics.cost.gflops import gflops
from vssbench.registry import resolve
from vssbench.testing import random_clip

METHODS = ["mask2former", "mpvss(key_interval=3)", "mrcfa", "videomt", "psp18", "segformer"]


def with_option(spec: str, option: str) -> str:
    return f"{spec[:-1]},{option})" if spec.endswith(")") else f"{spec}({option})"


def labels(method, frames) -> np.ndarray:
    method.reset()
    return np.stack([method.decode(method.step(method.prepare(frame))).labels for frame in frames])


def video(spec: str):
    dataset = load_dataset("synthetic(clips=1,frames=10)")
    if spec == "arseg":
        dataset = Compressed(dataset, CodecSpec.read("h264", "synthetic"))
    return list(dataset.frames(dataset.clips()[0]))


@pytest.mark.parametrize("spec", METHODS)
def test_bf16_gives_nearly_the_same_labels(spec: str) -> None:
    frames = video(spec)
    expected, found = (labels(load_method(one), frames) for one in (spec, with_option(spec, "dtype=bf16")))
    assert (expected != found).any() or spec == "segformer"  # untrained, its classes are far apart
    assert (expected == found).mean() > 0.97


def test_bf16_gives_nearly_the_same_labels_with_codec_motion() -> None:
    frames = video("arseg")
    expected, found = (labels(load_method(one), frames) for one in ("arseg", "arseg(dtype=bf16)"))
    assert (expected == found).mean() > 0.97


@pytest.mark.parametrize("spec", METHODS)
def test_step_outputs_are_float32_under_bf16(spec: str) -> None:
    method = load_method(with_option(spec, "dtype=bf16"))
    y = method.step(method.prepare(random_clip(length=1, size=(64, 96))[0]))
    found = [x for x in torch.utils._pytree.tree_leaves(tuple(y)) if isinstance(x, Tensor)]
    assert found
    assert {x.dtype for x in found} == {torch.float32}


def test_fp16_gives_nearly_the_same_labels() -> None:
    frames = random_clip(length=1, size=(64, 96))
    assert (labels(load_method("psp18"), frames) == labels(load_method("psp18(dtype=fp16)"), frames)).mean() > 0.97


def test_warp_positions_are_not_rounded_in_bf16() -> None:
    """bf16 has eight significant bits: at column 200 it cannot represent 200.5."""
    ramp = torch.arange(256.0)[None, None, None].expand(1, 1, 8, 256)
    flows = torch.zeros(1, 2, 4, 128)
    flows[:, 0] = 0.25  # half a pixel of the masks
    exact = warp(ramp, flows)
    assert torch.equal(warp(ramp.bfloat16(), flows.bfloat16()).float(), exact)


@pytest.mark.parametrize("option", ["dtype=int8", "compile=yes", "decode=quick"])
def test_invalid_option_value_is_refused(option: str) -> None:
    with pytest.raises(UserError, match="is not valid"):
        load_method(f"mpvss({option})")


def test_option_that_a_method_lacks_is_refused() -> None:
    with pytest.raises(UserError, match="no argument 'dtype'"):
        load_method("oracle(dtype=bf16)", labels="synthetic")


@pytest.mark.slow
@pytest.mark.skipif(not (which("g++") or which("clang++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("spec", ["psp18", "mpvss(key_interval=2)", "mrcfa(references=none)"])
def test_compiled_network_gives_the_same_labels_and_gflops(spec: str) -> None:
    frames = random_clip(length=3, size=(64, 96))
    plain, compiled = load_method(spec), load_method(with_option(spec, "compile=true"))
    assert (labels(plain, frames) == labels(compiled, frames)).mean() > 0.99
    assert gflops(compiled, None, (64, 96))["key"] == gflops(plain, None, (64, 96))["key"]


def test_method_table_lists_exactly_the_speed_options_of_each_method() -> None:
    for name, entry in BUILTIN.items():
        taken = inspect.signature(resolve("methods", name)).parameters
        named = {part.partition("=")[0].strip() for part in entry.faster.split(",") if part}
        assert named == {"dtype", "compile", "decode"} & set(taken), name
