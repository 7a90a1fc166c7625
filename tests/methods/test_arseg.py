"""AR-Seg against the official code's outputs, its files and its costs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.fill_weights import fill_layout
from tests.helpers.paths import DATA
from vssbench import Frame, load_method
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.methods.arseg.adapter import ArSeg
from vssbench.methods.arseg.network import build, normalisation
from vssbench.methods.arseg.warp import motion_on, plain_warp, warp
from vssbench.metrics.cost.gflops import gflops
from vssbench.networks import packaged
from vssbench.networks.checkpoints import save
from vssbench.testing import check_method, random_clip

LAYOUTS = json.loads((DATA / "arseg_layouts.json").read_text())
"""`<backbone>_<form>_<branch>` -> official name -> shape, dtype where not float32, and alias_of."""
LABELS = {"camvid": "camvid12", "cityscapes": "cityscapes"}
FORMS = ["psp18_camvid", "psp18_cityscapes", "bise18_camvid", "bise18_cityscapes"]

# Multiply-accumulates, 1e9, recomputed from the official networks: HR, LR at 0.5 with attention, mean over 12 frames.
COSTS = {
    "psp18_camvid": ((720, 960), 309.5906, 83.714, 102.537),
    "bise18_camvid": ((720, 960), 40.3498, 10.3904, 12.887),
    "psp18_cityscapes": ((1024, 2048), 560.3959, 137.6163, 172.848),
    "bise18_cityscapes": ((1024, 2048), 122.2683, 31.0735, 38.673),
}
PARAMETERS = {
    "psp18_camvid": (17_461_979, 17_463_899),
    "psp18_cityscapes": (16_779_622 - 3 * 512 * 10, 16_779_622),  # without the fusion that the official HR never uses
    "bise18_camvid": (13_423_012, 13_430_692),
    "bise18_cityscapes": (13_425_721, 13_433_401),
}


def filled(form: str) -> dict[str, dict[str, torch.Tensor]]:
    """The two state dicts that the golden outputs were made with; the last layer is shared."""
    hr = fill_layout(LAYOUTS[f"{form}_hr"], gain=1.1)
    lr = fill_layout(LAYOUTS[f"{form}_lr"], gain=1.1, salt="lr:")
    for name, entry in LAYOUTS[f"{form}_lr"].items():
        if entry.get("alias_of", name).startswith("final_conv."):
            lr[name] = hr[name]
    return {"hr": _tensors(hr), "lr": _tensors(lr)}


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def written(states: dict[str, dict[str, torch.Tensor]], folder: Path) -> dict[str, Path]:
    """Files as the official code saves them."""
    for branch, state in states.items():
        torch.save({f"module.{name}": tensor for name, tensor in state.items()}, folder / f"{branch}.pth")
    return {branch: folder / f"{branch}.pth" for branch in states}


def spec(form: str) -> str:
    backbone, data = form.split("_")
    return f"arseg(backbone={backbone},labels={LABELS[data]},resize=none)"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(DATA / "arseg_psp18_camvid.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    return written(filled("psp18_camvid"), tmp_path_factory.mktemp("arseg"))


@pytest.fixture(scope="module")
def official(files) -> ArSeg:
    return load_method(spec("psp18_camvid"), checkpoint=files)


def pair(golden: dict[str, np.ndarray]) -> tuple[Frame, Frame]:
    motion = (golden["mv_quarter_pel"] / 4).astype(np.float32)
    return Frame("a", 0, golden["key_frame"]), Frame("a", 1, golden["frame"], side={"motion": motion})


def close(found: np.ndarray | torch.Tensor, stored: np.ndarray, tolerance: float = 2e-5) -> bool:
    """Within the tolerance, and half a unit in the last place of what was stored in 16 bits."""
    found, exact = np.asarray(found, np.float32), stored.astype(np.float32)
    slack = np.spacing(np.abs(stored)).astype(np.float32) if stored.dtype == np.float16 else 0
    return bool((np.abs(found - exact) <= tolerance + slack).all())


def test_outputs_match_official_golden_outputs(official, golden):
    official.reset()
    for branch, frame in zip(("hr", "lr"), pair(golden), strict=True):
        y = official.step(official.prepare(frame))
        prediction, scores = official.decode(y), official.scores(y)
        assert prediction.kind == {"hr": "key", "lr": "nonkey"}[branch]
        assert (prediction.labels == golden[f"{branch}_argmax"]).mean() >= 0.999
        assert close(scores[:, ::8, ::8], golden[f"{branch}_logits_stride8_f32"])
        assert (scores.argmax(0) == prediction.labels).all()


@torch.inference_mode()
def test_features_match_official_golden_outputs(official, golden):
    key, frame = (official.prepare(frame) for frame in pair(golden))
    _, reference, *_ = official._key(key.image)
    assert close(reference[0, :, ::6, ::6], golden["hr_feature_stride6"])
    motion = motion_on((192, 256), frame.motion)
    branch = official._nonkey.branch
    assert close(motion[0, :, ::2, ::2].permute(1, 2, 0), golden["mv_feature"])
    assert close(warp(reference, motion)[0, :, ::6, ::6], golden["warped_feature_stride6"])
    assert close(branch.feature(frame.image)[0][0, ::4], golden["lr_feature_every4th_channel"])
    _, fused = official._nonkey(frame.image, reference, frame.motion)
    assert close(fused[0, :, ::6, ::6], golden["fused_feature_stride6"])


def test_golden_outputs_distinguish_different_warps(files, golden):
    key, frame = pair(golden)
    reversed_motion = replace(frame, side={"motion": -frame.side["motion"]})
    stored = golden["lr_logits_stride8_f32"]

    def error(method: ArSeg, frame: Frame) -> float:
        method.step(method.prepare(key))
        return float(np.abs(method.scores(method.step(method.prepare(frame)))[:, ::8, ::8] - stored).mean())

    consistent = load_method("arseg(backbone=psp18,labels=camvid12,warp=consistent)", checkpoint=files)
    assert error(consistent, frame) == pytest.approx(0.014, rel=0.3)
    assert error(load_method(spec("psp18_camvid"), checkpoint=files), reversed_motion) > 0.3


@pytest.mark.parametrize("form", FORMS)
def test_every_official_layout_loads_strictly(form, tmp_path):
    states = filled(form)
    method = load_method(spec(form), checkpoint=written(states, tmp_path))
    assert method.weights.origin == "file"
    assert [len(digest) for digest in method.weights.sha256.split(",")] == [64, 64]
    counts = method.parameter_counts()
    assert (counts["hr"], counts["lr"]) == PARAMETERS[form]
    hr, lr = method._key.branch, method._nonkey.branch
    for branch, state in ((hr, states["hr"]), (lr, states["lr"])):
        assert torch.equal(branch.classifier.weight, state["final_conv.weight"])
    assert torch.equal(lr.creff.value.bias, states["lr"]["fuse_attention.hr_value_conv.bias"])


@pytest.mark.parametrize("form", FORMS)
def test_per_frame_method_loads_the_hr_file_and_predicts_the_same(form, tmp_path):
    backbone, data = form.split("_")
    files = written(filled(form), tmp_path)
    alone = load_method(f"{backbone}(labels={LABELS[data]})", checkpoint=files["hr"])
    both = load_method(spec(form), checkpoint=files)
    frame = random_clip(size=(64, 96))[0]
    assert (run(alone, frame).labels == run(both, frame).labels).all()
    assert alone.weights.sha256 == both.weights.sha256.split(",")[0]


def run(method, frame):
    return method.decode(method.step(method.prepare(frame)))


def test_all_entries_that_do_not_fit_are_listed(tmp_path):
    states = filled("psp18_camvid")
    moved = states["lr"].pop("fuse_attention.hr_key_conv.bias")
    states["lr"]["surplus"] = moved
    states["lr"]["up_1.conv.0.bias"] = torch.zeros(3)
    files = written(states, tmp_path)
    with pytest.raises(UserError) as error:
        load_method(spec("psp18_camvid"), checkpoint=files)
    for part in ("fuse_attention.hr_key_conv.bias", "surplus", "up_1.conv.0.bias", "lr.pth"):
        assert part in str(error.value)
    with pytest.raises(UserError, match=r"unexpected.*fuse_attention"):  # an LR file where the HR file belongs
        load_method(spec("psp18_camvid"), checkpoint={"hr": files["hr"].with_name("lr.pth"), "lr": files["lr"]})


def test_shared_layer_with_different_values_is_refused(tmp_path):
    states = filled("bise18_camvid")
    states["hr"]["conv_out.conv_out.bias"] += 1
    with pytest.raises(UserError, match=r"conv_out\.conv_out\.bias and final_conv\.bias differ"):
        load_method(spec("bise18_camvid"), checkpoint=written(states, tmp_path))


def packaged_file(name: str) -> Path:
    return packaged.root() / "arseg" / f"tiny_synthetic_{name}.safetensors"


@pytest.mark.parametrize(("spec", "file", "scale"), [("psp18", "half", 0.5), ("psp18(scale=0.5)", "hr", 1)])
def test_weights_trained_at_a_different_scale_are_refused(spec, file, scale):
    """Every entry fits: only the header shows it."""
    with pytest.raises(UserError, match=rf"was trained for psp18.*, on frames of scale {scale}") as error:
        load_method(spec, checkpoint=packaged_file(file))
    assert f"set scale={scale}" in str(error.value)


def test_hr_and_lr_networks_of_different_trainings_are_refused():
    right = {"hr": packaged_file("hr"), "lr": packaged_file("lr")}
    assert load_method("arseg", checkpoint=right).weights.origin == "packaged"
    with pytest.raises(UserError, match=r"scale 0.5\n  expected: weights for scale 1"):
        load_method("arseg", checkpoint=right | {"hr": packaged_file("half")})
    with pytest.raises(UserError, match=r"was trained for arseg, on frames of scale 0\.5"):
        load_method("arseg(scale=0.75)", checkpoint=right)


def test_networks_without_headers_are_refused_if_their_classifiers_differ(tmp_path):
    states = filled("psp18_camvid")
    states["lr"]["final_conv.weight"] = states["lr"]["final_conv.weight"] * 1.5
    with pytest.raises(UserError, match="not from the same training run: their classifiers differ") as error:
        load_method(spec("psp18_camvid"), checkpoint=written(states, tmp_path))
    assert "lr.pth" in str(error.value)


@pytest.mark.parametrize("checkpoint", ["one.pth", {"hr": "hr.pth"}, {"hr": "hr.pth", "lr": "lr.pth", "x": "x.pth"}])
def test_checkpoint_must_be_exactly_an_hr_and_an_lr_file(checkpoint):
    with pytest.raises(UserError, match="hr"):
        load_method("arseg", checkpoint=checkpoint)


def test_files_in_our_own_format_give_the_same_labels(tmp_path):
    untrained = load_method("arseg", checkpoint="untrained")
    assert untrained.weights.origin == "untrained"
    files = {"hr": tmp_path / "hr.safetensors", "lr": tmp_path / "lr.safetensors"}
    for name, branch in (("hr", untrained._key.branch), ("lr", untrained._nonkey.branch)):
        branch.classifier.bias.data += 1
        save(files[name], branch.state_dict())
    loaded = load_method("arseg", checkpoint=files)
    for frame in random_clip(size=(64, 96)):
        assert (run(untrained, frame).labels == run(loaded, frame).labels).all()


def test_untrained_weights_are_reproducible_and_share_the_classifier():
    one, other = build("tiny", load_space("synthetic"), "hr"), build("tiny", load_space("synthetic"), "hr")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    method = load_method("arseg", checkpoint="untrained")
    assert torch.equal(method._key.branch.classifier.weight, method._nonkey.branch.classifier.weight)
    assert method.parameter_counts()["all"] <= 4e6


@pytest.mark.parametrize("method", ["arseg", "psp18", "psp18(scale=0.5)"])
def test_method_satisfies_the_contract(method):
    check_method(lambda: load_method(method, checkpoint="untrained"))


def test_key_frames_follow_the_stream_and_not_the_gop_argument():
    method = load_method("arseg(gop=12)")
    said = [run(method, frame) for frame in random_clip(length=9, gop=4)]
    assert [p.kind for p in said] == ["key", "nonkey", "nonkey", "nonkey"] * 2 + ["key"]
    assert [p.age for p in said] == [0, 1, 2, 3, 0, 1, 2, 3, 0]


@pytest.mark.parametrize("backbone", ["tiny", "psp18", "bise18"])
@pytest.mark.parametrize("labels", ["camvid", "cityscapes"])
@torch.inference_mode()
def test_frames_of_any_size_are_segmented(backbone, labels):
    """Sides that no stride divides, and a feature grid that `grid` predicts."""
    method = load_method(f"arseg(backbone={backbone},labels={labels})")
    for frame in random_clip(length=2, size=(73, 101)):
        y = method.step(method.prepare(frame))
        scores = method.scores(y)
        assert scores.dtype == np.float32
        assert scores.shape == (method.classes, 73, 101)
        assert (method.decode(y).labels == scores.argmax(0)).all()
        feature, _ = y.branch.feature(method.prepare(frame).image)
        size = (73, 101) if y.kind == "key" else (36, 50)
        assert tuple(feature.shape) == (1, y.branch.channels, *y.branch.grid(size))


def test_normalisation_depends_on_backbone_and_labels():
    assert normalisation("bise18", "cityscapes") != normalisation("psp18", "cityscapes")
    assert normalisation("bise18", "vspw") == normalisation("psp18", "camvid") == normalisation("tiny", "cityscapes")


def test_frames_out_of_order_or_shape_and_bad_arguments_are_refused():
    method = load_method("arseg")
    key, nonkey = random_clip(length=2, size=(48, 64))
    with pytest.raises(UserError, match="follows no key frame"):
        method.step(method.prepare(nonkey))
    method.step(method.prepare(key))
    method.step(method.prepare(nonkey))
    with pytest.raises(UserError, match="motion is"):
        method.prepare(replace(nonkey, side={"motion": nonkey.side["motion"][:-1]}))
    with pytest.raises(UserError, match="follows no key frame of its size"):
        method.step(method.prepare(random_clip(length=2, size=(48, 72))[1]))
    for arguments in ("scale=0.0", "scale=1.5", "gop=0", "resize=480x853"):
        with pytest.raises(UserError):
            load_method(f"arseg({arguments})")


@pytest.mark.parametrize("form", ["official", "consistent"])
def test_warp_equals_the_plain_warp_by_grid_sample(form):
    torch.manual_seed(0)
    feature = torch.randn(1, 5, 37, 53)
    motion = 20 * torch.randn(1, 2, 37, 53)
    assert torch.allclose(warp(feature, motion, form), plain_warp(feature, motion, form), atol=1e-5)


def test_only_the_consistent_warp_is_the_identity_without_motion():
    feature, still = torch.randn(1, 5, 37, 53), torch.zeros(1, 2, 37, 53)
    assert torch.allclose(warp(feature, still, "consistent"), feature, atol=1e-4)
    moved = warp(feature, still, "official")
    assert torch.allclose(moved[..., 18, 26], feature[..., 18, 26], atol=1e-4)  # the middle stays
    assert not torch.allclose(moved[..., 0, 0], feature[..., 0, 0], atol=1e-2)
    shift = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 37, 53)
    inner = warp(feature, shift, "consistent")[..., 1:, :-2]
    assert torch.allclose(inner, feature[..., :-1, 2:], atol=1e-4)  # source = pixel + motion, x first


@pytest.mark.parametrize("labels", ["synthetic", "cityscapes"])
def test_training_heads_do_not_change_the_output(labels):
    frame = random_clip(size=(64, 96))[0]
    found = [run(load_method(f"psp18(labels={labels},auxiliary={on})"), frame).labels for on in ("true", "false")]
    assert (found[0] == found[1]).all()


@torch.inference_mode()
def test_cost_module_computes_the_same_scores_as_the_method():
    method = load_method("arseg", checkpoint="untrained")
    for frame in random_clip(length=2, size=(64, 96)):
        x = method.prepare(frame)
        module, inputs = method.cost_module("key" if x.motion is None else "nonkey", (64, 96))
        given = (x.image,) if x.motion is None else (x.image, method._reference[0], x.motion)
        assert [tensor.shape for tensor in inputs] == [tensor.shape for tensor in given]
        assert np.allclose(module(*given)[0][0].numpy(), method.scores(method.step(x)), atol=1e-5)
    with pytest.raises(UserError):
        method.cost_module("warmup", (64, 96))


@pytest.mark.parametrize("form", [pytest.param("psp18_camvid", marks=pytest.mark.slow), *FORMS[1:]])
def test_gflops_match_the_official_networks(form):
    size, key, nonkey, mean = COSTS[form]
    found = gflops(load_method(spec(form)), None, size)
    assert found["agreement"]
    assert not found["uncounted"]
    assert found["key"] == pytest.approx(key, rel=0.01)
    assert found["nonkey"] == pytest.approx(nonkey, rel=0.01)
    assert found["nominal"] == pytest.approx(mean, rel=0.01)
