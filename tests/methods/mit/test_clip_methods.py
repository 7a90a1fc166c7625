"""What cffm, mrcfa and tv3s share: frames that look back at three earlier ones, or at a state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.clip_methods import fill, run, varied
from vssbench import load_method
from vssbench.methods.mit.references import reference_frames
from vssbench.methods.mit.steps import stack
from vssbench.testing import check_method

GAINS = {"cffm": 1.5, "mrcfa": 1.0, "tv3s": 1.0}
"""Method -> gain of its weights."""
CACHED, RECOMPUTE, STREAM = "references=cached", "references=recompute", "memory=stream"
forms = pytest.mark.parametrize(
    ("name", "memory"), [*((name, memory) for name in GAINS for memory in (CACHED, RECOMPUTE)), ("tv3s", STREAM)]
)


def untrained(name: str, *arguments: str):
    return load_method(f"{name}({','.join(arguments)})", checkpoint="untrained")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mit")
    return {
        name: fill(untrained(name, "labels=vspw", "backbone=tiny").network, folder / f"{name}.safetensors", gain)
        for name, gain in GAINS.items()
    }


@pytest.fixture
def opened(weights):
    """The tiny network on VSPW's classes, with weights that make its outputs depend on everything."""
    return lambda name, memory: load_method(
        f"{name}(labels=vspw,backbone=tiny,resize=none,{memory})", checkpoint=weights[name]
    )


@pytest.mark.parametrize("name", GAINS)
def test_cached_and_recomputed_references_give_the_same_outputs(name, opened):
    clip = varied()
    cached, recomputed = opened(name, CACHED), opened(name, RECOMPUTE)
    seen: set[int] = set()
    for t, (one, other) in enumerate(zip(run(cached, clip), run(recomputed, clip), strict=True)):
        torch.testing.assert_close(one.scores, other.scores, rtol=1e-4, atol=1e-4, msg=f"frame {t}")
        assert one.kind == other.kind == ("warmup" if t < 9 else "key")
        labels = cached.decode(one).labels
        differ = labels != recomputed.decode(other).labels  # only where two classes are nearly equal
        assert (np.ptp(np.sort(cached.scores(one), axis=0)[-2:], axis=0)[differ] < 2e-4).all()
        seen |= set(labels.flat)
    assert len(seen) > 3


@forms
def test_each_frame_depends_only_on_itself_and_its_memory(name, memory, opened):
    method, clip = opened(name, memory), varied()
    before = run(method, clip)
    for changed in (0, 2, 5):
        other = [replace(frame, image=255 - frame.image) if frame.index == changed else frame for frame in clip]
        for t, (one, two) in enumerate(zip(before, run(method, other), strict=True)):
            expected = changed <= t if memory == STREAM else changed == t or changed in reference_frames(t)
            assert expected == (not torch.equal(one.scores, two.scores)), f"frame {changed} in frame {t}"


@forms
def test_backbone_runs_once_per_frame_unless_references_are_recomputed(name, memory):
    method = untrained(name, memory)
    images: list[int] = []
    method.network.backbone.stages[0].register_forward_pre_hook(lambda module, given: images.append(len(given[0])))
    run(method, varied(length=12))
    assert images == ([1] * 3 + [4] * 9 if memory == RECOMPUTE else [1] * 12)


@forms
def test_method_satisfies_the_contract(name, memory):
    check_method(lambda: untrained(name, memory))


@forms
def test_cost_module_computes_the_same_scores_as_the_method(name, memory, opened):
    method = opened(name, memory)
    clip, size, network = varied(size=(50, 70), length=4), (50, 70), method.network
    images = [method.prepare(frame).image for frame in clip]
    with torch.inference_mode():
        if memory == STREAM:
            cases = [("key", run(method, clip[:1])[0], (images[0], *tensors(network.blank(images[0]))))]
        else:
            held = stack([network.memory(network.features(image)) for image in images[:3]])
            regular = (torch.cat(images),) if memory == RECOMPUTE else (images[3], *tensors(held))
            outputs = run(method, clip)
            cases = [("warmup", outputs[0], (images[0],)), ("key", outputs[3], regular)]
        for kind, y, values in cases:
            module, given = method.cost_module(kind, size)
            assert [x.shape for x in given] == [x.shape for x in values]
            np.testing.assert_allclose(module(*values)[0][0].numpy(), method.scores(y), rtol=1e-4, atol=1e-4)


def tensors(held) -> list[torch.Tensor]:
    """The tensors of nested tuples, in order."""
    return [held] if isinstance(held, torch.Tensor) else [tensor for part in held for tensor in tensors(part)]
