"""Accel: fusion by hand, its laws without weights, known motion, and the published parameters and multiply-adds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.methods.test_flowwarp import Doubtful, Soft, right, shifting
from vssbench import Frame, Prediction, Weights, hooks, load_method, registry
from vssbench.errors import UserError
from vssbench.load import resolved
from vssbench.methods.accel.adapter import Accel
from vssbench.methods.accel.correction import Correction, joined
from vssbench.metrics.cost.flops import count
from vssbench.metrics.cost.method_cost import cost
from vssbench.networks.checkpoints import save
from vssbench.specs import parse
from vssbench.testing import check_method, random_clip

SPEC = "accel(reference=soft,update=inverse{})"
SIZE = (64, 128)
"""A sixteenth of 1024x2048 each way: every row of the table is a 256th."""


class Inverse(Soft):
    """The same scores with the opposite sign, and from a different image: the green channel."""

    def prepare(self, frame: Frame) -> np.ndarray:
        return frame.image[..., 1]

    def scores(self, y: np.ndarray) -> np.ndarray:
        return -super().scores(y)

    def cost_module(self, kind: str, size: tuple[int, int]) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
        if kind != "key":
            raise UserError("every frame is a key frame")
        return nn.Conv2d(3, 4, 1), (torch.zeros(1, 3, *size),)


class Priced:
    """A per-frame method without weights that costs `macs` multiply-adds per frame at `SIZE`, in convolutions."""

    name, needs, lookahead, kinds = "priced", frozenset(), 0, ("key",)
    scores = Soft.scores
    reset, prepare, step, decode = Soft.reset, Soft.prepare, Soft.step, Soft.decode

    def __init__(self, macs: float):
        inner = round((macs / np.prod(SIZE) - 64 * 19) / (3 + 64))
        self.module = nn.Sequential(
            *(nn.Conv2d(*widths, 1, bias=False) for widths in ((3, inner), (inner, 64), (64, 19)))
        )

    def cost_module(self, kind: str, size: tuple[int, int]) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
        if kind != "key":
            raise UserError("every frame is a key frame")
        return self.module, (torch.zeros(1, 3, *size),)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    made, resolve = {"soft": Soft, "inverse": Inverse, "doubtful": Doubtful, "priced": Priced}, registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda group, name: made.get(name) or resolve(group, name))
    monkeypatch.setattr("vssbench.methods.accel.adapter.load_space", lambda labels: SimpleNamespace(classes=4))


def loaded(arguments: str = "", reference: float = 1.0, update: float = 0.0, bias: float = 0.0) -> Accel:
    """A method whose correction is a multiple of the identity on each half, with a bias for class 2."""
    method = load_method(SPEC.format(arguments))
    assert isinstance(method, Accel)
    identity = torch.eye(4)
    with torch.no_grad():
        method.correction.weight.copy_(torch.cat([reference * identity, update * identity], 1)[..., None, None])
        method.correction.bias.zero_()[2] = bias
    return method


def run(method, frames: list[Frame]) -> tuple[list[Prediction], list[np.ndarray]]:
    method.reset()
    predictions, scores = [], []
    for frame in frames:
        y = method.step(method.prepare(frame))
        predictions.append(method.decode(y))
        scores.append(method.scores(y))
    return predictions, scores


def two_channels(frames: list[Frame]) -> list[Frame]:
    """The same frames with the pixels of the green channel shuffled."""
    rng = np.random.default_rng(0)
    turned = []
    for frame in frames:
        image = frame.image.copy()
        image[..., 1] = rng.permutation(image[..., 1].ravel()).reshape(image.shape[:2])
        turned.append(replace(frame, image=image))
    return turned


# Fusion


def test_fused_scores_equal_the_values_computed_by_hand() -> None:
    """Without flow: 3 x the key frame's scores + 0.5 x the update's scores of the frame itself + a bias."""
    frames = two_channels(shifting(length=4))
    predictions, scores = run(loaded(",flow=none,key_interval=3", 3.0, 0.5, bias=7.0), frames)
    for index, key in ((1, 0), (2, 0)):
        told = 3 * Soft().scores(frames[key].image[..., 0]) + 0.5 * Inverse().scores(frames[index].image[..., 1])
        told[2] += 7
        np.testing.assert_allclose(scores[index], told, rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(predictions[index].labels, scores[index].argmax(0))
    for index in (0, 3):  # key frames are the reference's own, uncorrected
        np.testing.assert_array_equal(scores[index], Soft().scores(frames[index].image[..., 0]))
    assert [(one.kind, one.age) for one in predictions] == [("key", 0), ("nonkey", 1), ("nonkey", 2), ("key", 0)]


def test_correction_by_matrix_products_equals_the_convolution() -> None:
    correction = Correction(5)
    nn.init.normal_(correction.bias)
    reference, update = torch.randn(2, 5, 6, 7)
    expected = correction(torch.cat([reference, update])[None])[0]
    torch.testing.assert_close(correction.of(reference, update), expected, rtol=1e-5, atol=1e-5)


def test_identity_correction_of_the_reference_equals_deep_feature_flow() -> None:
    frames = shifting()
    plain, _ = run(load_method("accel(reference=soft)"), frames)
    fused, _ = run(loaded(), frames)
    for one, other in zip(plain, fused, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)


def test_key_interval_1_and_the_first_frame_use_the_reference_alone() -> None:
    frames = shifting()
    every, _ = run(loaded(",key_interval=1", 0.0, 1.0), frames)
    first, _ = run(loaded("", 0.0, 1.0), frames[:1])
    for frame, one in zip(frames, every, strict=True):
        np.testing.assert_array_equal(one.labels, Soft().decode(frame.image[..., 0]).labels)
    np.testing.assert_array_equal(first[0].labels, every[0].labels)


# Warping


@pytest.mark.parametrize("chain", ["true", "false"])
def test_known_motion_is_compensated(chain: str) -> None:
    frames = shifting()
    assert right(run(load_method(f"accel(reference=soft,chain={chain})"), frames)[0], frames) > 0.98
    assert right(run(load_method("accel(reference=soft,flow=none)"), frames)[0], frames) < 0.8


@pytest.mark.parametrize("chain", [True, False])
def test_flow_of_one_pixel_per_frame_shifts_the_scores_and_pads_zeros(chain: bool) -> None:
    frames = shifting(length=4)
    method = load_method(f"accel(reference=soft,chain={str(chain).lower()})")
    asked: list[tuple[int, int]] = []
    greys = [frame.image[..., 0] for frame in frames]

    def one_pixel(current: np.ndarray, past: np.ndarray) -> np.ndarray:
        pair = [next(i for i, grey in enumerate(greys) if np.array_equal(grey, one)) for one in (current, past)]
        asked.append((pair[0], pair[1]))
        flow = np.zeros((*current.shape, 2), np.float32)
        flow[..., 0] = pair[0] - pair[1]
        return flow

    method.flow = one_pixel  # type: ignore[attr-defined]
    _, scores = run(method, frames)
    assert asked == ([(1, 0), (2, 1), (3, 2)] if chain else [(1, 0), (2, 0), (3, 0)])
    for age in (1, 2, 3):
        np.testing.assert_allclose(scores[age][:, :, :-age], scores[0][:, :, age:], atol=1e-4)
        assert not scores[age][:, :, -age:].any()


def test_chained_and_direct_flow_agree_on_a_still_clip() -> None:
    still = [replace(shifting()[0], index=index) for index in range(5)]
    (chained, _), (direct, _) = (
        run(load_method(f"accel(reference=soft,chain={chain})"), still) for chain in ("true", "false")
    )
    for one, other in zip(chained, direct, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)


def test_reference_runs_on_key_frames_and_update_on_the_others() -> None:
    method = loaded(",key_interval=3,offset=1")
    ran: dict[str, list[int]] = {"reference": [], "update": []}
    for branch, frames in ran.items():
        inner = getattr(method, branch)
        prepare = inner.prepare
        inner.prepare = lambda frame, frames=frames, prepare=prepare: frames.append(frame.index) or prepare(frame)
    run(method, random_clip(length=7))
    assert ran == {"reference": [0, 1, 4], "update": [2, 3, 5, 6]}


def test_both_returns_the_scores_that_a_stream_fuses() -> None:
    frames = two_channels(shifting(length=4))
    for arguments in ("", ",chain=false", ",flow=none"):
        method = loaded(arguments, 1.0, 2.0)
        _, scores = run(method, frames)
        reference, update = method.both(frames)
        np.testing.assert_allclose(scores[-1], reference + 2 * update, rtol=1e-5, atol=1e-3)


# Cost


def test_correction_for_19_classes_has_741_parameters_and_known_macs() -> None:
    correction = Correction(19)
    assert sum(parameter.numel() for parameter in correction.parameters()) == 741
    found = count(correction, (torch.zeros(1, 38, *SIZE),)).macs / 1e9
    assert 64 * found == pytest.approx(0.3785, rel=1e-3)  # 512x1024
    assert 256 * found == pytest.approx(1.5141, rel=1e-3)  # 1024x2048


@pytest.mark.parametrize(
    ("other", "update", "amortised"),
    [(190.58, True, 238.00), (268.57, True, 300.39), (339.65, True, 357.25), (427.66, False, 85.53)],
)
def test_amortised_gmacs_match_the_published_networks(
    other: float, update: bool, amortised: float, monkeypatch
) -> None:
    """GMACs at 1024x2048, K = 5: of the key frame (427.66), of other frames, and the mean per frame. Flow and warp,
    which the table counts in its flow network, are in the update here. The last row is the reference alone, held."""
    monkeypatch.setattr("vssbench.methods.accel.adapter.load_space", lambda labels: SimpleNamespace(classes=19))
    scale = 1e9 / 256
    correction = 1.5141
    of_update = f",update=priced(macs={(other - correction) * scale})" if update else ""
    method = load_method(f"accel(reference=priced(macs={427.66 * scale}){of_update})")
    found = cost(method, None, SIZE)["gflops"]
    assert found["agreement"]
    assert 256 * found["key"] == pytest.approx(427.66, rel=2e-3)
    assert 256 * (found["nonkey"] or 0) == pytest.approx(other if update else 0, rel=2e-3)
    assert 256 * found["amortised"] == pytest.approx(amortised, rel=2e-3)
    assert [one["kind"] for one in found["uncounted"]] == ["nonkey"]


def test_parameters_and_weights_join_both_branches_and_the_correction() -> None:
    spec = "accel(reference=psp18,update=psp18(scale=0.5))"
    branches = [load_method(one) for one in ("psp18", "psp18(scale=0.5)")]
    parts = [sum(p.numel() for p in one.network.parameters()) for one in branches]
    assert cost(load_method(spec), None, (64, 96))["params_m"] == pytest.approx((sum(parts) + 9 * 4) / 1e6)
    one, other = Weights("packaged", "a", "1"), Weights("file", "b", "2", "note")
    assert joined(one, other) == Weights("file", "a,b", "1,2", "note")
    assert joined(one, Weights()) == one
    assert joined(one, Weights("untrained")).origin == "untrained"


# Specs and files


def test_specs_of_both_branches_are_checked_and_resolved() -> None:
    spec = parse("accel(reference=mpvss,update=psp18(scale=0.5))")
    full = resolved(load_method(spec), spec)
    assert "reference=mpvss(backbone=tiny" in str(full)
    assert "update=psp18(auxiliary=true,backbone=tiny" in str(full)
    with pytest.raises(UserError, match="did you mean 'scale'"):
        load_method("accel(reference=psp18,update=psp18(scaled=0.5))")


def test_correction_file_loads_only_for_its_branches(tmp_path: Path) -> None:
    right_one, wrong_one = (
        json.dumps({"method": f"accel(reference={name},update=inverse)"}) for name in ("soft", "inverse")
    )
    state = {"weight": torch.full((4, 8, 1, 1), 0.5), "bias": torch.zeros(4)}
    save(tmp_path / "a.safetensors", state, {"training": right_one})
    method = load_method(SPEC.format(""), tmp_path / "a.safetensors")
    assert float(method.correction.weight.detach().mean()) == 0.5  # type: ignore[attr-defined]
    assert hooks.weights(method).origin == "file"
    save(tmp_path / "b.safetensors", state, {"training": wrong_one})
    with pytest.raises(UserError, match=r"was trained for accel\(reference=inverse,update=inverse\)"):
        load_method(SPEC.format(""), tmp_path / "b.safetensors")
    with pytest.raises(UserError, match="there is no correction to load"):
        load_method("accel(reference=soft)", tmp_path / "a.safetensors")


def test_invalid_branches_frames_and_cost_requests_are_refused() -> None:
    first, second, *_ = random_clip("street")
    for branches in ("reference=oracle,update=soft", "reference=soft,update=oracle", "reference=hold(of=soft)"):
        with pytest.raises(UserError, match="has no class scores"):
            load_method(f"accel({branches})")
    for update in ("mpvss", "ema(of=soft)"):
        with pytest.raises(UserError, match="remembers frames"):
            load_method(f"accel(reference=soft,update={update})")
    with pytest.raises(UserError, match="frame 1: accel has no key frame for it"):
        run(loaded(), [second])
    with pytest.raises(TypeError, match=r"float32\[4, 24, 32\], expected float32\[C, 48, 64\]"):
        run(load_method("accel(reference=doubtful)"), [first])
    with pytest.raises(UserError, match="no network of its own on key frames"):
        loaded().cost_module("key", (48, 64))


@pytest.mark.parametrize(
    "spec", [SPEC.format(""), SPEC.format(",chain=false,key_interval=3,offset=1"), "accel(reference=soft,flow=none)",
             "ema(of=accel(reference=soft))", "hold(of=accel(reference=soft,key_interval=2),key_interval=2)"],
)  # fmt: skip
def test_method_satisfies_the_contract(spec: str) -> None:
    check_method(spec, classes=4)


@pytest.mark.parametrize("reference", ["mpvss(key_interval=2)", "mrcfa"])
def test_method_satisfies_the_contract_over_networks(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vssbench.methods.accel.adapter.load_space", lambda labels: SimpleNamespace(classes=11))
    check_method(f"accel(reference={reference},update=psp18(scale=0.5),key_interval=3)", classes=11)
