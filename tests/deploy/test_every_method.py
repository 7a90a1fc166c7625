"""Every method of the registry can be exported, or says why not; its graphs are consistent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.helpers.command import Outcome
from tests.helpers.huggingface_models import MODELS, saved
from vssbench.deploy.export import graphs_of
from vssbench.deploy.graphs import Graphs
from vssbench.deploy.model_file import FromOutput, FromPicture
from vssbench.deploy.pictures import Pictures
from vssbench.errors import UserError
from vssbench.load import load_method
from vssbench.methods import BUILTIN
from vssbench.specs import Spec, parse
from vssbench.testing import random_clip

SIZE = (64, 96)
REFUSED = {
    "hold(of=espnet)": "then run hold(of=onnx(model=DIR))",
    "flowwarp(of=espnet)": "then run flowwarp(of=onnx(model=DIR))",
    "ema(of=espnet)": "then run ema(of=onnx(model=DIR))",
    "accel(reference=mask2former,update=espnet)": "accel(reference=onnx(model=DIR),update=onnx(model=DIR))",
    "oracle": "no network",
    "replay(predictions=.)": "no network",
    "espnet(void=true)": "leave void out",
}
ELSEWHERE = {"huggingface", "mmseg", "onnx"}
"""They need a user's model: tested below, or in tests of their own."""
EXPORTED = sorted(set(BUILTIN) - {parse(spec).name for spec in REFUSED} - ELSEWHERE | {"espnet"})
HUGGINGFACE = {"segformer", "mask2former", "maskformer", "upernet", "dpt", "beit", "data2vec"}
CONFIG = """
_base_ = "mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"
norm = dict(type="BN", requires_grad=True)
model = dict(backbone=dict(embed_dims=8), decode_head=dict(
    in_channels=[8, 16, 40, 64], channels=16, num_classes=11, norm_cfg=norm), test_cfg=dict(mode="MODE"{MORE}))
"""


def check(found: Graphs) -> None:
    """The examples run, and every state is left in the shape in which it is read."""
    (frame,) = random_clip(size=SIZE, length=1)
    pictures = Pictures(found.pictures).of(frame.image, found.pictures)
    left: dict[str, set[tuple[int, ...]]] = {}
    with torch.no_grad():
        for graph in found.graphs.values():
            outputs = graph.module(*(one.example for one in graph.inputs.values()))
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            for name, output in zip(graph.outputs, outputs, strict=True):
                left.setdefault(name, set()).add(tuple(output.shape))
            assert set(found.decode.outputs) <= set(graph.outputs)
            assert not set(graph.inputs) & set(graph.outputs)
    for graph in found.graphs.values():
        for one in graph.inputs.values():
            shape = tuple(one.example.shape)
            if isinstance(one.source, FromPicture):
                assert shape == pictures[one.source.picture].shape
            elif isinstance(one.source, FromOutput):
                assert left[one.source.output] == {shape}


@pytest.mark.parametrize("name", EXPORTED)
def test_graphs_of_every_method_are_consistent(name: str) -> None:
    check(graphs_of(load_method(name), Spec(name), SIZE))


@pytest.mark.parametrize("name", MODELS)
def test_transformers_models_have_consistent_graphs_or_are_refused(name: str, tmp_path: Path) -> None:
    saved(tmp_path, *MODELS[name])
    spec = Spec("huggingface", (("model", str(tmp_path)),))
    method = load_method(spec)
    if name in HUGGINGFACE:
        check(graphs_of(method, spec, SIZE))
    else:
        with pytest.raises(UserError, match="does more to a frame"):
            graphs_of(method, spec, SIZE)


@pytest.mark.extra("mmseg")
def test_mmseg_networks_have_consistent_graphs_unless_tiled(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    spec = Spec("mmseg", (("config", str(file)),))
    file.write_text(CONFIG.replace("MODE", "whole").replace("{MORE}", ""))
    check(graphs_of(load_method(spec), spec, SIZE))
    file.write_text(CONFIG.replace("MODE", "slide").replace("{MORE}", ", crop_size=(48, 48), stride=(32, 32)"))
    with pytest.raises(UserError, match="cuts a frame into tiles"):
        graphs_of(load_method(spec), spec, SIZE)


@pytest.mark.parametrize("text", REFUSED)
def test_method_that_cannot_be_exported_says_why(text: str) -> None:
    with pytest.raises(UserError) as refused:
        graphs_of(load_method(text), parse(text), SIZE)
    assert REFUSED[text] in str(refused.value)


@pytest.mark.slow
@pytest.mark.extra("onnx")
@pytest.mark.parametrize("name", EXPORTED)
def test_exported_graphs_of_every_method_pass_the_parity_check(
    name: str, vssbench: Callable[..., Outcome], tmp_path: Path
) -> None:
    done = vssbench("export-model", name, "--size", "64x96", "--output", tmp_path / "out")
    assert done.status == 0, done.stderr
