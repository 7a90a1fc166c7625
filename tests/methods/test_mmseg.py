"""mmsegmentation's networks: configs are read but not run, and the output is the library's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vssbench import load_method
from vssbench.errors import UserError
from vssbench.methods.mmseg import config_reader
from vssbench.specs import Spec
from vssbench.testing import check_method, random_clip

SIZE = (40, 57)
library = pytest.mark.extra("mmseg")

PIPELINE = """
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(96, 64), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
"""
CONFIGS = {
    "segformer": """
_base_ = "mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"
norm = dict(type="BN", requires_grad=True)
model = dict(backbone=dict(embed_dims=8), decode_head=dict(
    in_channels=[8, 16, 40, 64], channels=16, num_classes=11, norm_cfg=norm))
""",
    "pspnet": """
_base_ = ["mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py"]
model = dict(
    backbone=dict(depth=18, base_channels=8, stem_channels=8),
    decode_head=dict(in_channels=64, channels=16, num_classes=11),
    auxiliary_head=dict(in_channels=32, channels=8, num_classes=11),
    test_cfg=dict(mode="slide", crop_size=(48, 48), stride=(32, 32)))
""",
    "bisenet": """
_base_ = "mmseg::bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py"
model = dict(decode_head=dict(num_classes=11), auxiliary_head=None)
""",
    "bisenetv2": """
_base_ = "mmseg::bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py"
model = dict(decode_head=dict(num_classes=11), auxiliary_head=None,
             data_preprocessor=dict(test_cfg=dict(size_divisor=32)))
""",
}


def written(folder: Path, text: str, name: str = "config.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def method(path: Path | str, checkpoint: Path | None = None, **arguments: Any) -> Any:
    return load_method(Spec("mmseg", (("config", str(path)), *arguments.items())), checkpoint)


@library
@pytest.mark.parametrize("name", CONFIGS)
def test_output_matches_mmsegmentation(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, CONFIGS[name] + PIPELINE)
    method(path)  # imports the library without its compiled operators
    theirs = theirs_of(path, tmp_path / "trained.pth")
    from mmseg.apis import inference_model

    ours = method(path, tmp_path / "trained.pth")
    assert ours.weights.origin == "file"
    for frame in random_clip(length=2, size=SIZE):
        found = inference_model(theirs, np.ascontiguousarray(frame.image[..., ::-1]))
        labels = found.pred_sem_seg.data[0].numpy()
        assert len(np.unique(labels)) > 1
        y = ours.step(ours.prepare(frame))
        np.testing.assert_array_equal(ours.decode(y).labels, labels)
        np.testing.assert_array_equal(ours.scores(y), found.seg_logits.data)
        assert ours.scores(y).dtype == np.float32
    module, inputs = ours.cost_module("key", SIZE)
    with torch.inference_mode():
        image = ours.prepare(frame).image
        assert inputs[0].shape == image.shape
        np.testing.assert_allclose(module(image), found.seg_logits.data, rtol=1e-5, atol=1e-5)


def theirs_of(path: Path, checkpoint: Path) -> Any:
    """The library's own network, with weights large enough for class maps of several classes, saved in its format."""
    from mmengine import Config
    from mmengine.logging import MessageHub
    from mmengine.runner import save_checkpoint
    from mmseg.apis import init_model

    torch.manual_seed(4)
    network = init_model(Config.fromfile(path, import_custom_modules=False), device="cpu")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2 if parameter.ndim > 1 else 1)
    log = MessageHub.get_instance("test")
    log.update_scalar("train/loss", 0.25)
    meta = {"dataset_meta": {"classes": ("a", "b")}, "epoch": 3}
    content = {"meta": meta, "state_dict": network.state_dict(), "message_hub": log.state_dict()}
    save_checkpoint(content, str(checkpoint))
    return network


@library
def test_bf16_scores_are_float32_and_close_to_full_precision(tmp_path: Path) -> None:
    path, frame = written(tmp_path, CONFIGS["segformer"] + PIPELINE), random_clip(length=1, size=SIZE)[0]
    exact, narrow = (method(path, dtype=dtype) for dtype in ("float32", "bf16"))
    scores = [one.scores(one.step(one.prepare(frame))) for one in (exact, narrow)]
    assert scores[1].dtype == np.float32
    assert (scores[0] != scores[1]).any()
    np.testing.assert_allclose(scores[1], scores[0], atol=0.05 * np.abs(scores[0]).max())


@library
def test_method_satisfies_the_contract_alone_and_inside_wrappers(tmp_path: Path) -> None:
    path = written(tmp_path, CONFIGS["segformer"] + PIPELINE)
    ours = method(path)
    assert ours.weights.origin == "untrained"
    assert torch.equal(*(method(path).network.decode_head.conv_seg.weight for _ in range(2)))
    check_method(lambda: ours, [frame for name in "ab" for frame in random_clip(name, length=3, size=SIZE)])
    clip = random_clip(length=3, size=SIZE)
    for wrapper in ("hold", "flowwarp"):
        inside = load_method(Spec(wrapper, (("of", Spec("mmseg", (("config", str(path)),))),)))
        inside.reset()
        predictions = [inside.decode(inside.step(inside.prepare(frame))) for frame in clip]
        assert [prediction.kind for prediction in predictions] == ["key", "nonkey", "nonkey"]
        np.testing.assert_array_equal(predictions[0].labels, ours.decode(ours.step(ours.prepare(clip[0]))).labels)


@library
def test_classes_are_the_networks_own_or_need_a_mapping(tmp_path: Path) -> None:
    name = "segformer_mit-b0_8xb2-160k_ade20k-512x512"
    with pytest.raises(UserError, match=r"150 classes.*'synthetic' have 11[\s\S]*0 wall, 1 building"):
        method(name, labels="synthetic")
    own = method(name)
    assert (own.space.name, own.classes, own.space.names[:2]) == (name, 150, ("wall", "building"))
    listed: dict[str, list[Any]] = {"Sky": ["sky"], "Building": ["building", "house"], "Car": [20]}
    for other in ["Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Pedestrian", "Bicyclist"]:
        listed[other] = []
    mapping = written(tmp_path, json.dumps(listed), "mapping.json")
    ours = method(
        written(tmp_path, f'_base_ = "mmseg::segformer/{name}.py"\n{PIPELINE}'), labels="camvid", mapping=str(mapping)
    )
    (frame,) = random_clip(length=1, size=SIZE)
    assert set(np.unique(ours.decode(ours.step(ours.prepare(frame))).labels)) <= {0, 1, 8}


@library
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"type": "os.system", "command": "touch ran"}, "model is of type 'os.system'"),
        ({"backbone": {"type": "subprocess.Popen", "args": "touch ran"}}, "type 'subprocess.Popen' is not registered"),
        ({"backbone": {"type": "this"}}, "type 'this' is not registered"),
        ({"decode_head": {"type": "SegformerHed"}}, "did you mean 'SegformerHead'"),
        ({"decode_head": {"_scope_": "evil"}}, "_scope_"),
        ({"decode_head": {"channels": "many"}}, "mmsegmentation cannot build this"),
        ({"backbone": {"type": ["os.system"]}}, "is not registered"),
    ],
)
def test_configs_can_build_only_networks_of_the_library(
    model: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    start = written(tmp_path, CONFIGS["segformer"] + PIPELINE)
    path = written(tmp_path, json.dumps({"_base_": str(start), "model": model}), "hostile.json")
    with pytest.raises(UserError, match=message):
        method(path)
    assert not (tmp_path / "ran").exists()


@library
def test_files_named_for_training_only_are_not_read(tmp_path: Path) -> None:
    pickled = tmp_path / "weight.pkl"
    pickled.write_bytes(b"cos\nmkdir\n(S'" + str(tmp_path / "ran").encode() + b"'\ntR.")
    loss = {"type": "CrossEntropyLoss", "class_weight": str(pickled)}
    pretrained = {"type": "Pretrained", "checkpoint": str(pickled)}
    start = written(tmp_path, CONFIGS["segformer"] + PIPELINE)
    changes = {"decode_head": {"loss_decode": loss}, "backbone": {"init_cfg": pretrained}, "pretrained": str(pickled)}
    method(written(tmp_path, json.dumps({"_base_": str(start), "model": changes}), "config.json"))
    assert not (tmp_path / "ran").exists()


@library
def test_incomplete_or_hostile_weights_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, CONFIGS["segformer"] + PIPELINE)
    state = method(path).network.state_dict()
    del state["decode_head.conv_seg.bias"]
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "short.pth")
    with pytest.raises(UserError, match=r"missing, 1: decode_head\.conv_seg\.bias"):
        method(path, tmp_path / "short.pth")
    (tmp_path / "hostile.pth").write_bytes(b"cos\nmkdir\n(S'" + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(UserError, match="cannot be read as weights"):
        method(path, tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


@library
def test_bundled_configs_are_read_as_the_library_reads_them() -> None:
    from mmengine import Config

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return type(value)(plain(item) for item in value) if isinstance(value, list | tuple) else value

    known = config_reader.bundled()
    for name in sorted(known)[::97]:
        ours, theirs = config_reader.read(known[name]), Config.fromfile(known[name], import_custom_modules=False)
        for key in ("model", "test_pipeline", "test_dataloader"):
            assert config_reader.entry(ours, key, known[name]) == plain(theirs[key])
    with pytest.raises(UserError, match="did you mean 'segformer_mit-b1"):
        config_reader.find("segformer_mit-b1_8xb2-160k_ade20k-512x51")


def test_missing_library_is_reported_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config_reader.library_folder.cache_clear()
    config_reader.bundled.cache_clear()
    with pytest.raises(UserError, match=r"vssbench\[mmseg\]"):
        config_reader.find("segformer")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_literals_are_read_as_python_reads_them(first: Any, second: Any) -> None:
    text = f"first = {first!r}\nboth = dict(a=first, b=[{second!r}, first])\n_tail = 'x' + 'y'\n"
    found = config_reader._parse(text, Path("config.py"))
    assert repr(found) == repr({"first": first, "both": {"a": first, "b": [second, first]}, "_tail": "xy"})


def test_base_configs_are_merged_and_expressions_evaluated(tmp_path: Path) -> None:
    written(tmp_path, "model = dict(a=dict(x=1, y=2), b=dict(x=1), c=[1, 2])\nn = 3\n", "one.py")
    written(tmp_path, "steps = [dict(type='A')] * 2\nwidth = (64 + 2 * 8) // 2\ntotal = sum([1, -2])\n", "two.py")
    path = written(
        tmp_path,
        "_base_ = ['one.py', './two.py']\n'text'\nheads = dict(num=4, **dict(kind='k'))\n"
        "model = dict(a=dict(y=5), b=dict(_delete_=True, z=heads['num']), c=[3], d=dict(_delete_=True, e=1))\n",
    )
    assert config_reader.read(path) == {
        "model": {"a": {"x": 1, "y": 5}, "b": {"z": 4}, "c": [3], "d": {"e": 1}},
        "n": 3,
        "steps": [{"type": "A"}] * 2,
        "width": 40,
        "total": -1,
        "heads": {"num": 4, "kind": "k"},
    }


def test_yaml_dumps_are_read_without_constructing_objects(tmp_path: Path) -> None:
    yaml = written(tmp_path, "model:\n  size: !!python/tuple [1, [2, 3]]\n", "config.yaml")
    assert config_reader.read(yaml) == {"model": {"size": (1, [2, 3])}}
    hostile = written(tmp_path, f"model: !!python/object/apply:os.mkdir [{tmp_path / 'ran'}]\n", "config.yml")
    with pytest.raises(UserError, match="could not determine a constructor"):
        config_reader.read(hostile)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "import os",
        "open('ran', 'w')",
        "for _ in (1, 2): pass",
        "x = y = 1",
        "keys = dict()\nkeys.update(a=1)",
        "keys = dict(a=1)\nvalue = keys.pop('a')",
        "_base_ = __import__('os')",
        "with read_base():\n    from .base import *",
    ],
)
def test_config_with_code_is_refused_and_not_run(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"config\.py:\d+: is code, which is not run") as caught:
        config_reader.read(written(tmp_path, f"model = dict()\n{statement}\n"))
    assert "Config.fromfile" in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "expression",
    [
        "open('ran', 'w')",
        "[i for i in (1, 2)]",
        "exec('1')",
        "[0] * 100000",
        "2 ** 99",
        "unknown",
        "[1][7]",
        "dict([])",
        "lambda: 1",
    ],
)
def test_entry_computed_by_code_is_refused_only_when_read(
    expression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, f"model = dict(a={expression})\nother = dict(b=model)\nplain = 1\n")
    found = config_reader.read(path)
    assert config_reader.entry(found, "plain", path) == 1
    for key in ("model", "other"):
        with pytest.raises(UserError, match="is code, which is not run"):
            config_reader.entry(found, key, path)
    with pytest.raises(UserError, match="has no test_pipeline"):
        config_reader.entry(found, "test_pipeline", path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.py", "_base_ = 'config.py'", "its own base"),
        ("config.py", "model = (", "cannot be read"),
        ("config.py", "_base_ = 'absent.py'", "absent.py: no such file"),
        ("config.json", "[]", "holds no mapping"),
        ("config.json", "{", "cannot be read"),
        ("config.toml", "a = 1", "ends in '.toml'"),
        ("config.py", "x = " + "-" * 9000 + "1", "nested too deeply"),
    ],
    ids=lambda text: text[:12],
)
def test_files_that_are_not_configs_are_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        config_reader.read(written(tmp_path, text, name))


def test_key_defined_in_two_bases_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "a = 1", "one.py")
    written(tmp_path, "a = 2", "two.py")
    with pytest.raises(UserError, match="a is in two of its bases"):
        config_reader.read(written(tmp_path, "_base_ = ['one.py', 'two.py']"))


GROWING = {
    "a number": "a = 3\n" + "a = a * a\n" * 40,
    "a power": "a = 10.0\n" + "a = a * a\n" * 40,
    "a text": "a = 'x'\n" + "a = a + a\n" * 40,
    "a list": "a = [1, 2]\n" + "a = a + a\n" * 40,
    "a repeated list": "a = [1]\n" + "a = a * 1000\n" * 5,
    "a list of lists": "a = [1]\n" + "a = [a] * 100\n" * 10,
    "mappings": "a = dict(b=1)\n" + "a = dict(b=a, c=a, d=a, e=a, f=a, g=a, h=a, i=a)\n" * 20,
    "a division": "a = 1 / 0",
    "a division of floats": "a = 1.0 // 0.0",
    "a sum of texts": "a = sum(['x', 'y'])",
    "a list as a key": "a = {[1]: 2}",
    "a negative text": "a = -'x'",
    "a text as a place": "a = [1]['x']",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", GROWING.values(), ids=GROWING)
def test_unbounded_or_invalid_expression_is_refused_only_when_read(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"{text}\nmodel = 1\n")
    data = config_reader.read(path)
    assert data["model"] == 1
    with pytest.raises(UserError, match="is code, which is not run") as error:
        config_reader.entry(data, "a", path)
    assert len(str(error.value)) < 1000


BROKEN = {
    "_base_ = 5": "_base_ is 5",
    "_base_ = [5]": r"_base_ is \[5\]",
    "_base_ = dict(a=1)": "_base_ is {'a': 1}",
    "_base_ = 'config.py'": "is its own base",
    "a = " + "(" * 5000 + "1" + ")" * 5000: "cannot be read",
    "a = " + "1 + " * 20000 + "1": "nested too deeply",
    "a = " + "-" * 100000 + "1": "nested too deeply",
    "_base_ = 'a\\0b'": r"_base_ is 'a\\x00b'",
    "a = " + "9" * 5000: "cannot be read",
    "a = 1\n" * 200000: "more than 1000000 bytes",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("text", "message"), BROKEN.items(), ids=range(len(BROKEN)))
def test_unreadable_config_is_one_error_message(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        config_reader.read(written(tmp_path, text))
    assert len(str(error.value)) < 1000


def test_exponentially_many_base_configs_are_refused(tmp_path: Path) -> None:
    for depth in range(12):
        written(tmp_path, f"_base_ = ['{depth + 1}.py', '{depth + 1}.py']", f"{depth}.py")
    written(tmp_path, "", "12.py")
    with pytest.raises(UserError, match="100 bases or more"):
        config_reader.read(tmp_path / "0.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a {b: *a}", "it holds itself"),
        ("a: &a [1, 2]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n" + "c: [*b]\n", None),
        ("? [1, 2]\n: 3", "cannot be read"),
    ],
)
def test_yaml_that_contains_itself_is_refused_and_repeated_anchors_are_read(
    text: str, message: str | None, tmp_path: Path
) -> None:
    path = written(tmp_path, text, "dump.yaml")
    if message is None:
        assert config_reader.read(path)["c"] == [[[1, 2]] * 8]
    else:
        with pytest.raises(UserError, match=message):
            config_reader.read(path)
