"""ESPNet and ESPNetv2: the authors' files, outputs and costs; sizes, void, class spaces, files of our own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.paths import SHARED
from vssbench import Frame, LabelSpace, load_method
from vssbench.errors import UserError
from vssbench.methods.espnet import network, network_v2
from vssbench.methods.espnet.adapter import ESPNet
from vssbench.metrics.cost.gflops import gflops
from vssbench.networks.checkpoints import save
from vssbench.networks.class_mapping import described
from vssbench.testing import check_method, random_clip

REFERENCE = SHARED / "reference"
VAL = SHARED / "data" / "camvid" / "val"
needs_reference = pytest.mark.skipif(not (REFERENCE / "weights").is_dir(), reason=f"no authors' files in {REFERENCE}")
needs_frames = pytest.mark.skipif(not VAL.is_dir(), reason=f"no frames of CamVid in {VAL}")

LAYOUTS = {
    "espnet_p2_q3_cityscapes": "espnet(backbone=p2_q3,labels=cityscapes)",
    "espnet_p2_q5_cityscapes": "espnet(backbone=p2_q5,labels=cityscapes)",
    "espnet_p2_q8_cityscapes": "espnet(labels=cityscapes)",
    "espnet_p2_q8_camvid": "espnet(labels=camvid)",
    "espnetv2_s0.5_cityscapes": "espnetv2(labels=cityscapes)",
    "espnetv2_s1.0_cityscapes": "espnetv2(backbone=s1.0,labels=cityscapes)",
    "espnetv2_s2.0_cityscapes": "espnetv2(backbone=s2.0,labels=cityscapes)",
}
COSTS = {
    "espnet(backbone=p2_q3,labels=cityscapes)": ((512, 1024), 3.456, 202_649),
    "espnet(backbone=p2_q5,labels=cityscapes)": ((512, 1024), 3.985, 267_417),
    "espnet(labels=cityscapes)": ((512, 1024), 4.778, 364_569),
    "espnet(labels=camvid)": ((360, 480), 1.356, 354_517),
    "espnetv2(backbone=s0.5,labels=cityscapes)": ((512, 1024), 0.820, 80_342),
    "espnetv2(backbone=s1.0,labels=cityscapes)": ((512, 1024), 1.342, 234_010),
    "espnetv2(backbone=s1.5,labels=cityscapes)": ((512, 1024), 1.999, 468_362),
    "espnetv2(backbone=s2.0,labels=cityscapes)": ((512, 1024), 3.013, 789_242),
}
"""Multiply-accumulates, 1e9, by fvcore, and parameters, recomputed from the authors' code."""


def run(method: Any, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """(labels, scores) of one frame."""
    y = method.step(method.prepare(frame))
    return method.decode(y).labels, method.scores(y)


def logits(method: Any, frame: Frame) -> np.ndarray:
    """float32[K, h, w]: of all outputs, at the network's size."""
    return method.step(method.prepare(frame)).logits[0].numpy()


# The authors' files and outputs.


@needs_reference
@pytest.mark.parametrize("name", LAYOUTS)
def test_state_dict_matches_the_authors_layout(name: str) -> None:
    layout = json.loads((REFERENCE / "layouts" / f"{name}.json").read_text())
    derived = "num_batches_tracked"  # the first of the two repositories is older than this entry
    wanted = {key: tuple(entry["shape"]) for key, entry in layout.items() if not key.endswith(derived)}
    _, shape = name.split("_", 1)
    if name.startswith("espnetv2"):
        built: torch.nn.Module = network_v2.build(shape.removesuffix("_cityscapes"), 20)
    else:
        camvid = name.endswith("camvid")
        built = network.build(shape.rsplit("_", 1)[0], 12 if camvid else 20, "b1" if camvid else "level1")
    found = {key: tuple(value.shape) for key, value in built.state_dict().items() if not key.endswith(derived)}
    assert found == wanted


@pytest.mark.parametrize("spec", COSTS)
def test_gflops_and_parameter_counts_match_the_authors_code(spec: str) -> None:
    size, macs, parameters = COSTS[spec]
    method = load_method(spec, checkpoint="untrained")
    assert sum(p.numel() for p in method.network.parameters()) == parameters
    assert gflops(method, {"key": 1}, size)["key"] == pytest.approx(macs, rel=0.01)


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(REFERENCE / "golden" / f"{name}.npz") as file:
        return dict(file)


def frame_of(stem: str, digest: str) -> Frame:
    image = np.asarray(Image.open(VAL / f"{stem}.png").convert("RGB"))
    assert hashlib.sha256(image.tobytes()).hexdigest() == digest
    return Frame("0016E5", 0, image, stem=stem)


def frames_of(stored: dict[str, np.ndarray]) -> list[Frame]:
    return [frame_of(str(stem), str(sha)) for stem, sha in zip(stored["stems"], stored["frame_sha256"], strict=True)]


def agree(found: np.ndarray, stored: np.ndarray) -> None:
    """Within half a unit in the last place of float16, as goldens are stored, and the effect of summation order."""
    np.testing.assert_allclose(found, stored.astype(np.float32), atol=2e-3, rtol=2**-11)


@needs_reference
@needs_frames
def test_camvid_outputs_match_the_golden_outputs() -> None:
    stored = golden("espnet_camvid_real")
    weights = REFERENCE / "weights" / "espnet_p_2_q_8_camvid.pth"
    methods = {labels: load_method(f"espnet(labels={labels})", checkpoint=weights) for labels in ("camvid12", "camvid")}
    void = load_method("espnet(labels=camvid,void=true)", checkpoint=weights)
    assert void.network.skip == "b1"
    top, bottom, left, right = stored["window"]
    for number, frame in enumerate(frames_of(stored)):
        if number == 0:
            check_stages(methods["camvid"], frame, stored)
        found, expected = logits(methods["camvid12"], frame), stored[f"argmax_{frame.stem}"]
        agree(found[:, ::3, ::3], stored[f"logits_{frame.stem}"])
        agree(found[:, top:bottom, left:right], stored[f"window_{frame.stem}"])
        for method in (methods["camvid12"], void):
            labels, scores = run(method, frame)
            assert (labels == expected).mean() >= 0.9999
            np.testing.assert_array_equal(scores.argmax(0), labels)
        labels, scores = run(methods["camvid"], frame)
        np.testing.assert_array_equal(labels, found[:11].argmax(0))
        np.testing.assert_array_equal(scores, found[:11])


def check_stages(method: Any, frame: Frame, stored: dict[str, np.ndarray]) -> None:
    """Compare the means of channels layer by layer: the first that differs is named."""
    found: dict[str, np.ndarray] = {}
    wanted = {key.removeprefix("stage_"): value for key, value in stored.items() if key.startswith("stage_")}
    hooks = [
        method.network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: found.update({name: output.mean((0, 2, 3)).numpy()})
        )
        for name in wanted
    ]
    method.step(method.prepare(frame))
    for hook in hooks:
        hook.remove()
    assert wanted
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


@needs_reference
@needs_frames
def test_cityscapes_outputs_match_the_golden_outputs() -> None:
    stored = golden("espnet_p2_q8_cityscapes")
    method = load_method("espnet(labels=cityscapes,void=true)", checkpoint=REFERENCE / "weights" / "espnet_p_2_q_8.pth")
    assert method.network.skip == "level1"
    (frame,) = frames_of(stored)
    found = logits(method, frame)
    agree(found[:, ::11, ::11], stored[f"logits_{frame.stem}"])
    assert (found.argmax(0) == stored[f"argmax_{frame.stem}"]).mean() >= 0.9999
    labels, scores = run(method, frame)
    assert scores.shape == (20, 360, 480)
    np.testing.assert_array_equal(scores.argmax(0), labels)


@needs_reference
@needs_frames
@pytest.mark.parametrize("backbone", ["s0.5", "s2.0"])
def test_espnetv2_outputs_match_the_golden_outputs(backbone: str) -> None:
    stored = golden(f"espnetv2_{backbone}_cityscapes")
    weights = REFERENCE / "weights" / f"espnetv2_{backbone.replace('s', 's_')}_city_1024x512.pth"
    spec = f"espnetv2(backbone={backbone},labels=cityscapes,void=true%s)"
    own, resized = (load_method(spec % resize, checkpoint=weights) for resize in (",resize=none", ""))
    top, bottom = stored["crop_rows"]
    for number, frame in enumerate(frames_of(stored)):
        crop = replace(frame, image=frame.image[top:bottom])
        if number == 0:
            check_stages(own, crop, stored)
        agree(logits(own, crop)[:, ::5, ::5], stored[f"crop_logits_{frame.stem}"])
        assert (run(own, crop)[0] == stored[f"crop_argmax_{frame.stem}"]).mean() >= 0.9999
        found = logits(resized, frame)
        agree(found[:, ::11, ::11], stored[f"resized_logits_{frame.stem}"])
        assert (found.argmax(0) == stored[f"resized_argmax_{frame.stem}"]).mean() >= 0.9999
        labels, scores = run(resized, frame)
        assert (labels == stored[f"labels_{frame.stem}"]).mean() >= 0.9999
        np.testing.assert_array_equal(scores.argmax(0), labels)


@needs_reference
def test_file_of_a_different_form_or_size_is_refused() -> None:
    weights = REFERENCE / "weights"
    with pytest.raises(UserError, match=r"a whole ESPNet .*, p2_q8, 19 classes"):
        load_method("espnet(labels=cityscapes)", checkpoint=weights / "espnet_p_2_q_8_camvid.pth")
    with pytest.raises(UserError, match=r"ESPNetv2 with EdgeNets' head, s1.0"):
        load_method(
            "espnetv2(labels=cityscapes,backbone=s1.0)", checkpoint=weights / "espnetv2_s_0.5_city_1024x512.pth"
        )
    with pytest.raises(UserError, match="a whole ESPNet"):
        load_method("espnet(labels=cityscapes)", checkpoint=weights / "espnetv2_s_0.5_city_1024x512.pth")


# Sizes.


@pytest.mark.parametrize(("name", "stride"), [("espnet", 8), ("espnetv2", 16)])
def test_frames_of_any_size_are_enlarged_to_multiples_of_the_stride(name: str, stride: int) -> None:
    """A frame of any size is enlarged to what the stride divides, and its labels are brought back."""
    method = load_method(f"{name}(labels=camvid)", checkpoint="untrained")
    for size in ((1, 1), (stride, 3 * stride), (33, 50), (47, 31)):
        (frame,) = random_clip(length=1, size=size)
        wanted = tuple(-(-side // stride) * stride for side in size)
        y = method.step(method.prepare(frame))
        assert y.logits.shape == (1, 12, *wanted)
        labels, scores = method.decode(y).labels, method.scores(y)
        assert labels.shape == size
        np.testing.assert_array_equal(scores.argmax(0), labels)
        module, inputs = method.cost_module("key", size)
        assert inputs[0].shape == (1, 3, *wanted)
        with torch.inference_mode():
            np.testing.assert_allclose(module(method.prepare(frame).image).numpy(), scores, rtol=1e-5, atol=1e-6)
        exact = load_method(f"{name}(labels=camvid,resize=none)", checkpoint="untrained")
        if size == wanted:
            np.testing.assert_array_equal(run(exact, frame)[0], labels)
        else:
            fix = f"resize={wanted[0]}x{wanted[1]}"
            for refused in (lambda e=exact, f=frame: e.prepare(f), lambda e=exact, s=size: e.cost_module("key", s)):
                with pytest.raises(UserError, match=fix):
                    refused()


@pytest.mark.parametrize("name", ["espnet", "espnetv2"])
def test_resize_sets_the_input_size_and_refuses_bad_values(name: str) -> None:
    (frame,) = random_clip(length=1, size=(40, 56))
    small = load_method(f"{name}(labels=camvid,resize=32x48)", checkpoint="untrained")
    assert logits(small, frame).shape == (12, 32, 48)
    assert run(small, frame)[1].shape == (11, 40, 56)
    cityscapes = load_method(f"{name}(labels=cityscapes)", checkpoint="untrained")
    assert cityscapes.prepare(frame).image.shape == (1, 3, 512, 1024)
    for text in ("30x48", "0x16", "large"):
        with pytest.raises(UserError, match="resize="):
            load_method(f"{name}(labels=camvid,resize={text})", checkpoint="untrained")
    with pytest.raises(UserError, match="no nonkey frames"):
        small.cost_module("nonkey", (40, 56))


def test_labels_are_resized_to_the_frame_by_nearest_neighbour() -> None:
    """As PIL's nearest neighbour, which the authors use."""
    method = load_method("espnet(labels=camvid,resize=16x24)", checkpoint="untrained")
    for size in ((16, 24), (45, 70), (9, 11)):
        (frame,) = random_clip(length=1, size=size)
        small = logits(method, frame)[:11].argmax(0).astype(np.uint8)
        expected = np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.NEAREST))
        found, scores = run(method, frame)
        np.testing.assert_array_equal(found, expected)
        maps = [Image.fromarray(one) for one in logits(method, frame)[:11]]
        resized = [np.asarray(one.resize(size[::-1], Image.Resampling.NEAREST)) for one in maps]
        np.testing.assert_array_equal(scores, resized)


# Void, classes, statistics.


@pytest.mark.parametrize("name", ["espnet", "espnetv2"])
def test_void_is_predicted_only_with_void_true(name: str) -> None:
    """With an output for void that is largest everywhere."""
    frames = random_clip(length=2)
    for void in (False, True):
        method = load_method(f"{name}(labels=camvid,void={str(void).lower()})", checkpoint="untrained")
        certain_of_void(method)
        for frame in frames:
            labels, scores = run(method, frame)
            module, inputs = method.cost_module("key", (64, 96))
            assert len(module(*inputs)) == len(scores) == method.classes == 11 + void
            assert (labels == 11).all() if void else (labels < 11).all()
    with pytest.raises(UserError, match="camvid12"):
        load_method(f"{name}(labels=camvid12,void=true)", checkpoint="untrained")
    assert load_method(f"{name}(labels=camvid12)", checkpoint="untrained").outputs == 12


def certain_of_void(method: Any) -> None:
    """Make the last output larger than any other, at every pixel."""
    with torch.no_grad():
        if isinstance(method, ESPNet):
            norm, last = method.network.conv.bn, method.network.classifier  # whose inputs are ones
            norm.weight.zero_()
            norm.bias.fill_(1)
            last.weight.zero_()[:, -1] = 1
        else:
            last = method.network.bu_dec_l4.merge_layer[3]
            last.weight.zero_()
            last.bias.zero_()[-1] = 1


def test_void_with_a_mapping_has_the_id_after_the_last_class(tmp_path: Path) -> None:
    """A network of three classes on a space of two: its void gets the id after the two."""
    own, wanted = LabelSpace.plain("own", ["car", "van", "road"]), LabelSpace.plain("wanted", ["street", "vehicle"])
    (tmp_path / "map.yaml").write_text("street: [road]\nvehicle: [car, van]\n")
    trained: Any = load_method("espnet(backbone=tiny)", labels=own, checkpoint="untrained")
    file = tmp_path / "own.safetensors"
    save(file, trained.network.state_dict(), {"training": json.dumps({"method": "espnet", **described(own)})})
    (frame,) = random_clip(length=1)
    for void in (False, True):
        spec = f"espnet(backbone=tiny,mapping={tmp_path}/map.yaml,void={str(void).lower()})"
        method: Any = load_method(spec, labels=wanted, checkpoint=file)
        labels, scores = run(method, frame)
        outputs = logits(method, frame)
        np.testing.assert_array_equal(scores[:2], [outputs[2], outputs[:2].max(0)])
        assert len(scores) == method.classes == 2 + void
        np.testing.assert_array_equal(labels, scores.argmax(0))
        certain_of_void(method)
        assert (run(method, frame)[0] == 2).all() == void


def test_network_input_is_normalised_as_in_the_authors_code() -> None:
    (frame,) = random_clip(length=1, size=(8, 16))
    bgr = frame.image[..., ::-1].astype(np.float64)
    for labels, mean, std in (
        ("camvid", (110.33102643, 108.40886315, 105.03319369), (72.12571015, 72.69074534, 69.90434816)),
        ("cityscapes", (72.3923111, 82.90893555, 73.15840149), (45.3192215, 46.15289307, 44.91483307)),
    ):
        method = load_method(f"espnet(labels={labels},resize=none)", checkpoint="untrained")
        expected = ((bgr - mean) / std / 255).transpose(2, 0, 1)
        np.testing.assert_allclose(method.prepare(frame).image[0].numpy(), expected, rtol=1e-5, atol=1e-8)
    (frame,) = random_clip(length=1, size=(16, 32))
    method = load_method("espnetv2(labels=cityscapes,resize=none)", checkpoint="untrained")
    expected = (frame.image / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(method.prepare(frame).image[0].numpy(), expected.transpose(2, 0, 1), atol=1e-5)


# Our own files, numbers, the contract.


@pytest.mark.parametrize("spec", ["espnet(labels=camvid,backbone=tiny)", "espnetv2(labels=camvid)"])
def test_own_files_reload_and_do_not_fit_a_different_backbone(spec: str, tmp_path: Path) -> None:
    method, (frame,) = load_method(spec, checkpoint="untrained"), random_clip(length=1)
    with torch.no_grad():
        for parameter in method.network.parameters():
            parameter.mul_(1.01)
    file = tmp_path / "own.safetensors"
    save(file, method.network.state_dict())
    again = load_method(spec, checkpoint=file)
    assert (again.weights.origin, method.weights.origin) == ("file", "untrained")
    np.testing.assert_array_equal(run(again, frame)[1], run(method, frame)[1])
    larger = spec.replace("camvid,backbone=tiny" if "tiny" in spec else "camvid", "camvid,backbone=%s")
    with pytest.raises(UserError, match="do not fit"):
        load_method(larger % ("p2_q8" if "tiny" in spec else "s1.0"), checkpoint=file)


def test_form_of_the_skip_connection_is_read_from_the_file(tmp_path: Path) -> None:
    """Whatever the classes: a network trained on Cityscapes' classes may have either skip."""
    for skip in ("level1", "b1"):
        built = network.build("tiny", 20, skip)
        save(tmp_path / f"{skip}.safetensors", built.state_dict())
        method = load_method("espnet(backbone=tiny,labels=cityscapes)", checkpoint=tmp_path / f"{skip}.safetensors")
        assert method.network.skip == skip


@pytest.mark.parametrize("name", ["espnet", "espnetv2"])
def test_bf16_logits_are_float32_and_scores_close_to_full_precision(name: str) -> None:
    (frame,) = random_clip(length=1, size=(32, 48))
    wide = load_method(f"{name}(labels=camvid)", checkpoint="untrained")
    narrow = load_method(f"{name}(labels=camvid,dtype=bf16)", checkpoint="untrained")
    y = narrow.step(narrow.prepare(frame))
    assert y.logits.dtype == torch.float32
    found, expected = narrow.scores(y), run(wide, frame)[1]
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["espnet", "espnetv2"])
def test_compiled_scores_equal_uncompiled_scores(name: str) -> None:
    (frame,) = random_clip(length=1, size=(32, 48))
    plain, compiled = (
        load_method(f"{name}(labels=camvid{more})", checkpoint="untrained") for more in ("", ",compile=true")
    )
    np.testing.assert_allclose(run(compiled, frame)[1], run(plain, frame)[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["espnet", "espnetv2", "espnet(labels=camvid,void=true)", "espnetv2(labels=camvid12)"])
def test_method_satisfies_the_contract(name: str) -> None:
    method = load_method(name, checkpoint="untrained")
    clips = [random_clip(name, length=3, size=size) for name, size in (("a", (40, 72)), ("b", (33, 65)))]
    check_method(lambda: method, [frame for clip in clips for frame in clip])
