"""Packaged weights: which are loaded, which are ignored, how they are packed, and those that ship."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest
import torch

from tests.helpers import stand_ins
from vssbench import load_method
from vssbench.cli import main
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.networks import packaged, packing
from vssbench.networks.checkpoints import read, save
from vssbench.specs import parse
from vssbench.training.job import find_recipe
from vssbench.training.recipe import Order
from vssbench.types import Weights

SPECS = {
    "mask2former": ("mask2former/tiny_synthetic.safetensors",),
    "mpvss(key_interval=3)": ("mpvss/tiny_synthetic.safetensors",),
    "mrcfa(references=none)": ("mrcfa/tiny_synthetic.safetensors",),
    "videomt(classes=running)": ("videomt/tiny_synthetic.safetensors",),
    "cffm": ("cffm/tiny_synthetic.safetensors",),
    "espnet(void=true)": ("espnet/tiny_synthetic.safetensors",),
    "tv3s(memory=stream)": ("tv3s/tiny_synthetic.safetensors",),
    "tdnet(subsampling=2)": ("tdnet/tiny_synthetic.safetensors",),
    "arseg(gop=6)": ("arseg/tiny_synthetic_hr.safetensors", "arseg/tiny_synthetic_lr.safetensors"),
    "psp18": ("arseg/tiny_synthetic_hr.safetensors",),
    "psp18(scale=1)": ("arseg/tiny_synthetic_hr.safetensors",),
    "psp18(scale=0.5)": ("arseg/tiny_synthetic_half.safetensors",),
    "hold(of=mpvss)": ("mpvss/tiny_synthetic.safetensors",),
}
ACCEL = {"accel(reference=mask2former,update=espnet)": ("accel/tiny_synthetic.safetensors",)}
"""Its other weights are those of its two branches."""


@pytest.fixture(scope="module")
def stood_in(tmp_path_factory):
    """(folder, file -> tensors)"""
    folder = tmp_path_factory.mktemp("methods")
    return folder, stand_ins.write(folder)


@pytest.fixture
def shipped(stood_in, monkeypatch):
    """Use the stand-ins as the shipped files."""
    monkeypatch.setattr(packaged, "root", lambda: stood_in[0])
    return stood_in


def networks(method, names):
    inner = getattr(method, "inner", method)
    return [stand_ins.network(inner, name).state_dict() for name in names]


@pytest.mark.parametrize("spec", SPECS)
def test_method_loads_its_packaged_weights(shipped, spec: str) -> None:
    folder, tensors = shipped
    names = SPECS[spec]
    method = load_method(spec)
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    assert method.weights == Weights("packaged", ",".join(names), ",".join(digests))
    for name, state in zip(names, networks(method, names), strict=True):
        for key, value in state.items():
            if "criterion." in key:  # of the loss; not read
                continue
            expected = tensors[name][key]
            assert value.dtype == expected.dtype  # float32 in memory
            if value.is_floating_point() and "running_" not in key:
                expected = expected.half().float()
            torch.testing.assert_close(value, expected, rtol=1e-3 if "running_" in key else 0, atol=0, msg=key)


@pytest.mark.parametrize("spec", SPECS)
def test_checkpoint_untrained_ignores_packaged_weights(shipped, spec: str, monkeypatch, tmp_path: Path) -> None:
    untrained = load_method(spec, checkpoint="untrained")
    assert untrained.weights == Weights("untrained")
    monkeypatch.setattr(packaged, "root", lambda: tmp_path)  # nothing is shipped
    bare = load_method(spec)
    assert bare.weights == Weights("untrained")
    pairs = zip(networks(untrained, SPECS[spec]), networks(bare, SPECS[spec]), strict=True)
    assert all(torch.equal(one[key], other[key]) for one, other in pairs for key in one)


@pytest.mark.parametrize(
    "spec",
    [
        "mask2former(labels=camvid,backbone=tiny)", "mrcfa(backbone=mit_b0)",
        "arseg(scale=0.25)", "arseg(labels=camvid,backbone=tiny)", "psp18(scale=0.25)", "psp18(backbone=psp18)",
        "bise18", "segformer",
    ],
)  # fmt: skip
def test_configurations_without_packaged_weights_are_untrained(shipped, spec: str) -> None:
    assert load_method(spec).weights.origin == "untrained"
    assert load_method(spec, checkpoint="untrained").weights.origin == "untrained"


def test_packaged_correction_is_used_only_for_its_two_branches(shipped) -> None:
    folder, tensors = shipped
    method = load_method("accel(reference=mask2former,update=espnet,key_interval=3)")
    name = "accel/tiny_synthetic.safetensors"
    assert method.weights.origin == "packaged"
    assert method.weights.path == f"mask2former/tiny_synthetic.safetensors,espnet/tiny_synthetic.safetensors,{name}"
    assert method.weights.sha256.split(",")[-1] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    torch.testing.assert_close(method.correction.weight.data, tensors[name]["weight"].half().float())
    for branches in ("reference=mask2former,update=psp18", "reference=psp18,update=espnet"):
        assert load_method(f"accel({branches})").weights.origin == "untrained"


def test_packaged_weights_depend_on_the_label_space_of_the_data(shipped) -> None:
    assert load_method("mask2former(backbone=tiny)", labels="camvid").weights.origin == "untrained"
    assert load_method("mask2former", labels="synthetic").weights.origin == "packaged"


def test_incomplete_pair_of_packaged_files_is_not_used(tmp_path: Path, shipped, monkeypatch) -> None:
    for part in ("hr", "lr"):
        folder = tmp_path / part
        name = f"arseg/tiny_synthetic_{part}.safetensors"
        (folder / "arseg").mkdir(parents=True)
        (folder / name).write_bytes((shipped[0] / name).read_bytes())
        monkeypatch.setattr(packaged, "root", lambda folder=folder: folder)
        assert load_method("arseg").weights.origin == "untrained"
        assert load_method("psp18").weights.origin == ("packaged" if part == "hr" else "untrained")


def test_user_checkpoint_overrides_packaged_weights(shipped, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save(path, load_method("mask2former", checkpoint="untrained").network.state_dict())
    assert load_method("mask2former", checkpoint=path).weights.origin == "file"
    files = {"mask2former(backbone=tiny)": "untrained", "mask2former": path}
    context = Context(load_space("synthetic"), checkpoints=files)
    assert context.load("mask2former(backbone=tiny)").weights.origin == "untrained"
    assert context.load("mask2former").weights == Weights("file", str(path), read(path).sha256)
    assert context.load("mpvss").weights.origin == "packaged"


def test_packaged_file_that_does_not_fit_is_one_error_message(shipped, tmp_path: Path, monkeypatch) -> None:
    for name in ("mask2former/tiny_synthetic.safetensors", "arseg/tiny_synthetic_hr.safetensors"):
        tensors = dict(shipped[1][name])
        gone = next(key for key in tensors if key.endswith(".weight"))
        del tensors[gone]
        (tmp_path / name).parent.mkdir()
        packing.pack(tensors | {"extra": torch.zeros(1)}, tmp_path / name, {})
        monkeypatch.setattr(packaged, "root", lambda: tmp_path)
        with pytest.raises(UserError, match=re.escape(gone)) as caught:
            load_method("psp18" if "arseg" in name else "mask2former")
        assert str(tmp_path / name) in str(caught.value)
        assert "extra" in str(caught.value)
        assert load_method("psp18" if "arseg" in name else "mask2former", checkpoint="untrained")


@pytest.mark.parametrize("name", ["mask2former", "mrcfa", "espnet", "tdnet", "psp18"])
def test_training_starts_from_random_weights(shipped, name: str) -> None:
    recipe = find_recipe(parse(name))(Order(parse(name), load_space("synthetic")))
    assert recipe.method.weights.origin == "untrained"


def result(monkeypatch, folder: Path, *words: str) -> dict:
    arguments = ["run", "--dataset", "synthetic(clips=1,frames=4,height=64,width=96)", "--no-latency", *words]
    monkeypatch.setattr(sys, "argv", ["vssbench", *arguments, "--output", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    (path,) = folder.glob("*/result.json")
    return json.loads(path.read_text()) | {"identity": json.loads((path.parent / "identity.json").read_text())}


def test_results_record_the_origin_and_digest_of_weights(shipped, tmp_path: Path, monkeypatch) -> None:
    name = "arseg/tiny_synthetic_hr.safetensors"
    digest = hashlib.sha256((shipped[0] / name).read_bytes()).hexdigest()
    found = result(monkeypatch, tmp_path / "a", "--methods", "psp18")
    assert found["weights"] == {"origin": "packaged", "path": name, "sha256": digest}
    assert found["identity"]["weights"] == digest
    assert found["metrics"]["mIoU"] is not None
    refused = result(monkeypatch, tmp_path / "b", "--methods", "psp18", "--checkpoint", "psp18=untrained")
    assert refused["weights"]["origin"] == refused["identity"]["weights"] == "untrained"
    assert not refused["metrics"]
    assert refused["gflops"]["key"] > 0
    assert any("--allow-untrained" in caveat for caveat in refused["caveats"])


def test_results_record_which_of_several_networks_in_a_file_was_used(shipped, tmp_path: Path, monkeypatch) -> None:
    tensors = {
        name: value.float() for name, value in read(shipped[0] / "arseg/tiny_synthetic_hr.safetensors").tensors.items()
    }
    file = tmp_path / "w.pth"
    torch.save({"model": tensors, "model_ema": tensors | {"classifier.bias": torch.ones(11)}}, file)
    found = {}
    for place in ("", "#model_ema"):
        arguments = ("--methods", "psp18", "--checkpoint", f"psp18={file}{place}")
        found[place] = result(monkeypatch, tmp_path / f"run{place}", *arguments)
        assert found[place]["weights"]["path"] == f"{file}{place}"
    (caveat,) = (caveat for caveat in found[""]["caveats"] if caveat.startswith("weights: "))
    assert "entry 'model' of the file; next to it, not read: 'model_ema'" in caveat
    assert not any(caveat.startswith("weights: ") for caveat in found["#model_ema"]["caveats"])
    assert found[""]["identity"]["weights"] != found["#model_ema"]["identity"]["weights"]


def test_packed_file_is_float16_and_deterministic(tmp_path: Path) -> None:
    tensors = {
        "layer.weight": torch.linspace(-3, 3, 60).view(3, 20).t(),
        "bn.running_mean": torch.tensor([0.5, -2.0]),
        "wide.running_var": torch.tensor([1e5, 1.0]),
        "narrow.running_var": torch.tensor([1e-7, 1.0]),
        "bn.num_batches_tracked": torch.tensor(7),
    }
    metadata = {name: f"{name} → {number}" for number, name in enumerate(("recipe", "fingerprint", "commit", "x", "y"))}
    for name in "ab":
        packing.pack(dict(reversed(tensors.items())) if name == "b" else tensors, tmp_path / name, metadata)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    header = json.loads((tmp_path / "a").read_bytes()[8:].split(b"}}")[0] + b"}}")
    assert list(header["__metadata__"]) == sorted(metadata)
    found = read(tmp_path / "a")
    assert found.metadata == metadata
    halves = {name for name, tensor in found.tensors.items() if tensor.dtype == torch.float16}
    assert halves == {"layer.weight", "bn.running_mean"}
    assert all(torch.equal(found.tensors[name].to(tensor.dtype), tensor.half().to(tensor.dtype))
               for name, tensor in tensors.items() if name in halves)  # fmt: skip
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items() if name not in halves)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("weight", 7e4), ("weight", float("nan")), ("bn.running_var", float("inf")), ("bn.running_mean", float("nan"))],
)
def test_overflowing_and_non_finite_values_are_refused_and_not_written(tmp_path: Path, name: str, value: float) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(UserError, match=name):
        packing.pack({"fine": torch.ones(2), name: torch.tensor([1.0, value])}, path, {})
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_trained_files_are_packed_all_or_none(stood_in, tmp_path: Path, monkeypatch) -> None:
    tensors, methods = stood_in[1], tmp_path / "methods"
    started = {"path": "/home/somebody/weights.safetensors", **stand_ins.RECORD["start"]}
    header = {"training": json.dumps(stand_ins.RECORD | {"start": started})}
    monkeypatch.setattr(packaged, "root", lambda: methods)
    for name, source in packing.TRAINED.items():
        (methods / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).parent.mkdir(exist_ok=True)
        with pytest.raises(UserError, match="no such file"):
            packing.pack_trained(tmp_path)
        assert files() == []
        save(tmp_path / source, tensors[name], header)
    packing.pack_trained(tmp_path)
    assert {path.relative_to(methods).as_posix() for path in files()} == listed()
    assert all(path.read_bytes() == (stood_in[0] / path.relative_to(methods)).read_bytes() for path in files())
    check_files(files())


# The files that really ship


def files() -> list[Path]:
    return sorted(packaged.root().glob("**/*.safetensors"))


def listed() -> set[str]:
    values = packaged.FILES.values()
    return {name for names in values for name in ([names] if isinstance(names, str) else names.values())}


def test_shipped_files_are_known_and_together_small() -> None:
    assert {path.relative_to(packaged.root()).as_posix() for path in files()} == listed()
    assert sum(path.stat().st_size for path in files()) <= 28e6  # the wheel stays below 30 MB


def test_shipped_files_are_float16_and_record_their_training() -> None:
    check_files(files())


def check_files(paths: list[Path]) -> None:
    assert paths
    for path in paths:
        file = read(path)
        for name, tensor in file.tensors.items():
            statistics = name.endswith((".running_mean", ".running_var"))
            assert not tensor.is_floating_point() or tensor.dtype == torch.float16 or statistics, f"{path}: {name}"
        training = json.loads(file.metadata["training"])
        assert all(training[key] for key in ("method", "settings", "fingerprint", "commit")), path


def test_shipped_files_fit_their_networks_strictly() -> None:
    check_networks()


def check_networks() -> None:
    """Load every method that has packaged files."""
    for spec, names in (SPECS | ACCEL).items():
        method = load_method(spec)
        assert method.weights.origin == "packaged", spec
        for name in names:
            inner = stand_ins.network(method if spec in ACCEL else getattr(method, "inner", method), name)
            assert sum(parameter.numel() for parameter in inner.parameters()) <= 4e6, name


def test_checks_of_shipped_files_pass_on_stand_ins_and_fail_on_a_bad_file(shipped, tmp_path: Path, monkeypatch) -> None:
    test_shipped_files_are_known_and_together_small()
    check_files(files())
    check_networks()
    name = "mask2former/tiny_synthetic.safetensors"
    (tmp_path / "mask2former").mkdir()
    save(tmp_path / name, {"weight": torch.ones(1)}, {"training": json.dumps(stand_ins.RECORD)})
    monkeypatch.setattr(packaged, "root", lambda: tmp_path)
    with pytest.raises(AssertionError, match="weight"):
        check_files(files())
    with pytest.raises(UserError, match="do not fit"):
        check_networks()
