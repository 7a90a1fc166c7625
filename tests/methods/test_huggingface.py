"""Models of transformers: the library's own output, classes by file, files that do not fit, and their uses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import Mask2FormerForUniversalSegmentation, ResNetConfig
from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

from tests.helpers.command import vssbench
from tests.helpers.huggingface_models import MODELS, saved, segformer, upernet
from tests.robustness.made import assert_refused
from vssbench import load_method
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.methods.mask2former.network import configure
from vssbench.methods.mpvss.recipe import MpvssRecipe
from vssbench.metrics.cost.method_cost import cost
from vssbench.specs import Spec
from vssbench.testing import check_method, random_clip
from vssbench.training.recipe import Order
from vssbench.types import LabelSpace

SIZE = (60, 91)


def edit(folder: Path, file: str = "config.json", **changes: Any) -> None:
    data = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**data, **changes}))


def method(folder: Path, labels: str | LabelSpace = "synthetic", **arguments: Any) -> Any:
    checkpoint = arguments.pop("checkpoint", None)
    return load_method(Spec("huggingface", (("model", str(folder)), *arguments.items())), checkpoint, labels=labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SegFormer of 11 classes."""
    folder = tmp_path_factory.mktemp("segformer")
    saved(folder, segformer)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_output_matches_transformers(name: str, tmp_path: Path) -> None:
    network, processor = saved(tmp_path, *MODELS[name])
    ours = method(tmp_path)
    for frame in random_clip(length=2, size=SIZE):
        with torch.inference_mode():
            outputs = network(**processor(images=frame.image, return_tensors="pt"))
        (labels,) = processor.post_process_semantic_segmentation(outputs, target_sizes=[SIZE])
        (theirs,) = processor.post_process_semantic_segmentation(
            outputs, target_sizes=[SIZE], return_segmentation_scores=True
        )
        assert len(labels.unique()) > 2
        y = ours.step(ours.prepare(frame))
        np.testing.assert_array_equal(ours.decode(y).labels, labels)
        scores = ours.scores(y)
        assert (scores.shape, scores.dtype) == ((11, *SIZE), np.float32)
        np.testing.assert_array_equal(scores, theirs["segmentation_scores"])
        np.testing.assert_array_equal(scores.argmax(0), labels)
    module, inputs = ours.cost_module("key", SIZE)
    with torch.inference_mode():
        arguments = ours.prepare(frame).arguments
        assert inputs[0].shape == arguments["pixel_values"].shape
        np.testing.assert_allclose(module(arguments["pixel_values"]), scores, rtol=1e-5, atol=1e-5)


def test_method_satisfies_the_contract_alone_and_inside_wrappers(folder: Path) -> None:
    ours = method(folder)
    check_method(lambda: ours, [frame for name in "ab" for frame in random_clip(name, length=3, size=SIZE)])
    assert ours.weights.origin == "file"
    assert len(ours.weights.sha256 or "") == 64
    clip = random_clip(length=3, size=SIZE)
    for wrapper in ("hold", "flowwarp"):
        inside = load_method(Spec(wrapper, (("of", Spec("huggingface", (("model", str(folder)),))),)))
        inside.reset()
        predictions = [inside.decode(inside.step(inside.prepare(frame))) for frame in clip]
        assert [prediction.kind for prediction in predictions] == ["key", "nonkey", "nonkey"]
        np.testing.assert_array_equal(predictions[0].labels, ours.decode(ours.step(ours.prepare(clip[0]))).labels)


@pytest.mark.slow
def test_cost_equals_that_of_our_own_segformer(tmp_path: Path) -> None:
    theirs = load_method("segformer")
    theirs.network.save_pretrained(tmp_path)
    SegformerImageProcessorPil(do_resize=False).save_pretrained(tmp_path)
    one, other = cost(method(tmp_path), None, (64, 96)), cost(theirs, None, (64, 96))
    assert one["gflops"]["key"] == other["gflops"]["key"] > 0
    assert one["params_m"] == other["params_m"]
    assert one["gflops"]["agreement"]


def test_heads_for_training_are_not_part_of_the_network(tmp_path: Path) -> None:
    network, _ = saved(tmp_path, upernet)
    ours = method(tmp_path)
    names = {name for name in network.state_dict() if name.startswith("auxiliary_head")}
    assert names
    assert not names & ours.network.state_dict().keys()
    unread = ("auxiliary_head", "backbone.swin.layernorm")
    counted = sum(one.numel() for name, one in network.named_parameters() if not name.startswith(unread))
    assert cost(ours, None, SIZE)["params_m"] == pytest.approx(counted / 1e6)


@pytest.mark.parametrize("name", ["mask2former", "dpt"])
def test_unused_weights_may_be_missing(name: str, tmp_path: Path) -> None:
    saved(tmp_path, *MODELS[name])
    whole = method(tmp_path)
    (frame,) = random_clip(length=1, size=SIZE)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {k: v for k, v in tensors.items() if "swin.layernorm" not in k and "layers.0.residual_layer1" not in k}
    assert len(kept) < len(tensors)
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    assert (
        method(tmp_path).scores(whole.step(whole.prepare(frame))).tobytes()
        == whole.scores(whole.step(whole.prepare(frame))).tobytes()
    )


def test_missing_weight_that_is_used_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    tensors = load_file(copy / "model.safetensors")
    del tensors["decode_head.classifier.bias"]
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"missing, 1: decode_head.classifier.bias"):
        method(copy)


def test_missing_weights_are_untrained_or_filled_from_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "model.safetensors").unlink()
    untrained = method(copy)
    assert untrained.weights.origin == "untrained"
    assert untrained.classes == 11
    torch.save(load_file(folder / "model.safetensors"), copy / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"model\.safetensors"):  # weights that transformers would have to unpickle
        method(copy)
    for checkpoint in (folder, copy / "pytorch_model.bin"):
        filled = method(copy, checkpoint=checkpoint)
        assert filled.weights.origin == "file"
        trained = method(folder).network.state_dict()
        assert all(torch.equal(value, trained[name]) for name, value in filled.network.state_dict().items())


def test_classes_are_matched_by_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"11 classes.*'vspw' have 124[\s\S]*0 LABEL_0[\s\S]*0 wall") as caught:
        method(folder, "vspw")
    assert "--mapping-template" in str(caught.value)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    names = [*load_space("camvid").names]
    edit(copy, id2label={str(number): name.upper() for number, name in enumerate(names)})
    plain = method(copy, "camvid")
    assert plain.groups is None
    edit(copy, id2label={str(number): name for number, name in enumerate(reversed(names))})
    turned = method(copy, "camvid")
    (frame,) = random_clip(length=1, size=SIZE)
    one, other = (ours.scores(ours.step(ours.prepare(frame))) for ours in (plain, turned))
    np.testing.assert_array_equal(one, other[::-1])
    few = method(copy, LabelSpace.plain("few", ["Sky", "Road"]))
    np.testing.assert_array_equal(few.scores(few.step(few.prepare(frame))), other[[0, 3]])
    assert few.weights.note.startswith("its classes are matched by name; 9 of 11")
    edit(copy, id2label={str(number): name for number, name in enumerate([*names[:-1], "Cyclist"])})
    with pytest.raises(UserError, match="1 of these match none of the network's by name: Bicyclist"):
        method(copy, "camvid")


@pytest.mark.parametrize("spec", ["huggingface(model={})", "hold(of=huggingface(model={}))"])
@pytest.mark.parametrize("labels", [(), ("--labels", "model")])
def test_predict_uses_the_networks_own_classes_on_any_video(
    spec: str, labels: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "streets"))
    edit(copy, id2label={str(number): f"thing {number}" for number in range(11)})
    (tmp_path / "in").mkdir()
    for frame in random_clip(length=2, size=SIZE):
        Image.fromarray(frame.image).save(tmp_path / "in" / f"{frame.index}.png")
    words = ("predict", spec.format(copy), "--frames", tmp_path / "in", "--output", tmp_path / "out", "--overlay")
    done = vssbench(*words, *labels, "--json")
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == "streets"
    with Image.open(tmp_path / "out" / "in" / "0.png") as written:
        assert np.asarray(written).max() < 11
        assert written.getpalette()[3:6] == method(copy, "model").space.colours[1].tolist()


@pytest.mark.parametrize("spec", ["huggingface(model={})", "hold(of=huggingface(model={}))"])
def test_run_writes_a_template_of_the_mapping_that_it_lacks(spec: str, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    edit(copy, id2label={str(number): f"thing {number}" for number in range(10)} | {"10": "Kite"})
    words = (
        "run",
        "--methods",
        spec.format(copy),
        "--dataset",
        "synthetic",
        "--no-latency",
        "--output",
        tmp_path / "out",
    )
    done = vssbench(*words)
    assert done.status == 2
    assert "--mapping-template" in done.stderr
    done = vssbench(*words, "--mapping-template", tmp_path / "map.yaml")
    assert (done.status, done.stdout) == (0, "")
    assert not (tmp_path / "out").exists()
    assert "sky:\n" in (tmp_path / "map.yaml").read_text()
    assert "kite: [Kite]\n" in (tmp_path / "map.yaml").read_text()


def test_mapping_file_joins_the_networks_classes(folder: Path, tmp_path: Path) -> None:
    space = load_space("camvid12")
    listed: dict[str, list[Any]] = {name: [] for name in space.names}
    listed[space.names[2]] = ["LABEL_0", 1, 4]
    listed[space.names[0]] = ["LABEL_7"]
    listed[space.names[5]] = [9]
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(json.dumps(listed))
    plain, ours = method(folder), method(folder, "camvid12", mapping=str(mapping))
    (frame,) = random_clip(length=1, size=SIZE)
    y = ours.step(ours.prepare(frame))
    theirs, scores = plain.scores(y), ours.scores(y)
    np.testing.assert_array_equal(scores[2], theirs[[0, 1, 4]].max(0))
    winner = np.array([0, 1, 4, 7, 9])[theirs[[0, 1, 4, 7, 9]].argmax(0)]
    wanted = np.select([winner == 7, winner == 9], [0, 5], 2)
    np.testing.assert_array_equal(ours.decode(y).labels, wanted)
    np.testing.assert_array_equal(scores.argmax(0), wanted)
    assert len(np.unique(wanted)) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Skye": [0]}, r"no class 'Skye'\n.*did you mean 'Sky'"),
        ({"Sky": ["LABEL_77"]}, "the network has no class 'LABEL_77'"),
        ({"Sky": [11]}, "the network has no class 11"),
        ({"Sky": [0], "Building": ["LABEL_0"]}, r"lists twice: LABEL_0 \(0\)"),
        ({"Sky": "LABEL_0"}, "not a mapping of lists"),
        ({}, "maps no class"),
    ],
)
def test_mappings_that_do_not_fit_are_refused(
    change: dict[str, Any], message: str, folder: Path, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({**{name: [] for name in load_space("camvid").names}, **change}))
    with pytest.raises(UserError, match=message) as caught:
        method(folder, "camvid", mapping=str(mapping))
    assert str(mapping) in str(caught.value)


def test_mapping_must_be_valid_yaml_and_name_every_class(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text("Sky: [0]\n")
    with pytest.raises(UserError, match="says nothing about Building"):
        method(folder, "camvid", mapping=str(tmp_path / "mapping.yaml"))
    for text, message in {
        "Sky: [0\n": r"mapping\.yaml:2:1: is not YAML",
        "Sky: [0]\nSky: [1]\n": r"mapping\.yaml:2:1: key 'Sky' appears twice",
        "a: &a [*a]": "it holds itself",
        "[Sky]": "is not a mapping",
    }.items():
        (tmp_path / "mapping.yaml").write_text(text)
        with pytest.raises(UserError, match=message):
            method(folder, "camvid", mapping=str(tmp_path / "mapping.yaml"))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"architectures": ["SegformerForImageClassification"]}, "SegformerForImageClassification"),
        (
            "config.json",
            {"model_type": "unheard", "auto_map": {"AutoConfig": "evil.Config"}},
            "code that comes with a model",
        ),
        ("config.json", {"hidden_sizes": "many"}, "config"),
        ("preprocessor_config.json", {"image_processor_type": "CLIPImageProcessor"}, "produces no class maps"),
        ("preprocessor_config.json", {"image_processor_type": "Nobody's"}, "segformer|image processor"),
    ],
)
def test_unusable_model_folders_are_refused_and_their_code_is_not_run(
    file: str, changes: dict[str, Any], message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: ...\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # a prompt whether to run the code is answered with yes
    edit(copy, file, **changes)
    with pytest.raises(UserError, match=message):
        method(copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("kind", "message"), [("bert", "no segmentation model of type 'bert'"), ("oneformer", "takes text, not one image")]
)
def test_models_that_do_not_segment_one_image_are_refused(
    kind: str, message: str, folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(UserError, match=message):
        method(copy)


def test_incomplete_model_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"preprocessor_config\.json: no such file") as caught:
        method(copy)
    assert "save_pretrained" in str(caught.value)
    (copy / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: cannot be used"):
        method(copy)


def test_hub_ids_are_downloaded_or_refused_with_a_fix(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(model: str, revision: str | None, allow_patterns: list[str]) -> str:
        assert not [pattern for pattern in allow_patterns if not pattern.endswith((".json", ".safetensors"))]
        if (model, revision) != ("someone/segformer", "v2"):
            raise OSError("there is no network here\nmore about it")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert load_method("huggingface(model=someone/segformer,revision=v2)").classes == 11
    with pytest.raises(UserError, match="there is no network here") as caught:
        load_method("huggingface(model=someone/else)")
    assert "hf download someone/else" in str(caught.value)
    with pytest.raises(UserError, match="no such folder"):
        load_method("huggingface(model=/no/such/folder)")
    with pytest.raises(UserError, match="revision is for models of the hub"):
        method(folder, revision="main")


@pytest.fixture(scope="module")
def segmentor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Mask2Former of MPVSS's tiny size, as transformers saves it."""
    folder = tmp_path_factory.mktemp("mask2former")
    torch.manual_seed(2)
    network = Mask2FormerForUniversalSegmentation(configure("tiny", 11))
    assert isinstance(network.config.backbone_config, ResNetConfig)
    network.save_pretrained(folder)
    Mask2FormerImageProcessorPil(do_resize=False).save_pretrained(folder)
    return folder


def test_mpvss_training_starts_from_a_mask2former_folder(segmentor: Path) -> None:
    theirs = method(segmentor).network.state_dict()
    recipe = MpvssRecipe(Order(Spec("mpvss"), "synthetic", start=segmentor, settings={"crop": (64, 96)}))
    started = recipe.method.network.segmentor.state_dict()
    assert theirs.keys() == started.keys()
    assert all(torch.equal(value, started[name]) for name, value in theirs.items())


def test_mpvss_trains_alike_from_a_folder_and_from_the_hub(
    segmentor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(model: str, revision: str | None, allow_patterns: list[str]) -> str:
        assert (model, revision) == ("someone/mask2former", "v2")
        return str(segmentor)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    dataset = "synthetic(clips=2,frames=4,height=64,width=96)"
    settings = ["--crop", "64x96", "--steps", "2", "--batch", "1", "--validation", "none"]
    starts = [str(segmentor), f'huggingface(model="{segmentor}")', "huggingface(model=someone/mask2former,revision=v2)"]
    written = []
    for number, start in enumerate(starts):
        output = tmp_path / str(number)
        done = vssbench("train", "mpvss", "--dataset", dataset, *settings, "--start", start, "--output", output)
        assert done.status == 0, done.stderr
        assert json.loads((output / "training.json").read_text())["start"]["path"] == str(segmentor)
        written.append((output / "mpvss.safetensors").read_bytes())
    assert len(set(written)) == 1
    given, trained = load_file(segmentor / "model.safetensors"), load_file(tmp_path / "2" / "mpvss.safetensors")
    changed = {name for name in given if not torch.equal(given[name], trained[f"segmentor.{name}"])}
    heads = {name for name in changed if "mask_embedder" in name or "class_predictor" in name}
    assert heads  # the trained part of the segmentor
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert all(name.endswith(statistics) for name in changed - heads)
    assert load_method("mpvss", str(tmp_path / "2" / "mpvss.safetensors")).weights.origin == "file"


@pytest.mark.parametrize(
    "start", ["huggingface(model=3)", "huggingface(mapping=x)", "huggingface(model=a/b,labels=vspw)"]
)
def test_start_that_names_no_model_is_refused(start: str) -> None:
    done = vssbench("train", "mpvss", "--dataset", "synthetic", "--start", start, "--dry-run")
    assert_refused(done)
    assert "huggingface(model=FOLDER or ID)" in done.stderr
