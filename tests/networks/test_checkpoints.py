"""Reading weights: every supported format, and files that must fail with one message and run no code."""

from __future__ import annotations

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vssbench.errors import UserError
from vssbench.networks.checkpoints import Checkpoint, Part, load_strict, read, save, seeded

TENSORS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.tensor([1.0, -2.0])}


class Trap:
    """Creates a folder when a pickle of it is loaded unsafely."""

    def __init__(self, mark: Path):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def assert_read(path: Path) -> Checkpoint:
    checkpoint = read(path)
    assert checkpoint.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(checkpoint.tensors[name].float(), TENSORS[name]) for name in TENSORS)
    return checkpoint


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", ["model", "state_dict", None])
def test_torch_files_are_read_zipped_or_legacy_with_or_without_a_wrapper(
    zipped: bool, wrapper: str | None, tmp_path: Path
) -> None:
    content = {wrapper: TENSORS, "iteration": 3, "lr": np.float64(0.1)} if wrapper else TENSORS
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert_read(tmp_path / "w.pth")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
def test_array_pickles(protocol: int, order: str, tmp_path: Path) -> None:
    arrays = OrderedDict((name, np.array(tensor.numpy(), order=order)) for name, tensor in TENSORS.items())
    content = {"model": arrays, "__author__": "someone", "score": np.float32(3)}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(content, protocol))
    assert_read(tmp_path / "w.pkl")


def test_arrays_of_any_byte_order_and_float_width_are_read(tmp_path: Path) -> None:
    arrays = {
        name: tensor.numpy().astype(kind) for (name, tensor), kind in zip(TENSORS.items(), (">f4", "<f8"), strict=True)
    }
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(arrays))
    assert_read(tmp_path / "w.pkl")


def test_safetensors_files_keep_tensors_metadata_and_digest(tmp_path: Path) -> None:
    for file in ("one.safetensors", "two.safetensors"):
        save(tmp_path / file, TENSORS, {"method": "mpvss"})
    one, two = (assert_read(tmp_path / file) for file in ("one.safetensors", "two.safetensors"))
    assert one.metadata == {"method": "mpvss"}
    assert one.sha256 == two.sha256
    assert one.weights.origin == "file"


def test_dataparallel_prefix_is_stripped(tmp_path: Path) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in TENSORS.items()}, tmp_path / "w.pth")
    assert_read(tmp_path / "w.pth")


def test_sharded_folder_is_read_but_not_shards_outside_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mask2former"}')
    for number, (name, tensor) in enumerate(TENSORS.items()):
        save(tmp_path / f"{number}.safetensors", {name: tensor})
    index = {"weight_map": {name: f"{number}.safetensors" for number, name in enumerate(TENSORS)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert assert_read(tmp_path).config == {"model_type": "mask2former"}
    index["weight_map"]["layer.bias"] = "../../elsewhere.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="elsewhere"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["pickle", "zip", "legacy", "object array", "reduce of ndarray"])
def test_code_in_a_hostile_file_is_not_run(kind: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "w.pkl", tmp_path / "ran"
    trap = {"model": {"layer.weight": Trap(mark)}}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(trap))
    elif kind == "object array":
        path.write_bytes(pickle.dumps({"layer.weight": np.array([Trap(mark), 1], dtype=object)}))
    elif kind == "reduce of ndarray":  # asks numpy itself for an array of 2**40 values
        path.write_bytes(b"cnumpy\nndarray\n((L1099511627776L\ntcnumpy\ndtype\n(S'f4'\ntRtR.")
    else:
        torch.save(trap, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(UserError) as error:
        read(path)
    assert not mark.exists()
    assert str(path) in str(error.value)
    assert "weights_only" not in str(error.value)  # no advice to load it unsafely


def test_pickle_cannot_change_the_reader(tmp_path: Path) -> None:
    """BUILD with a slot state sets attributes: here, those of the stand-in for `_codecs.encode`."""
    (tmp_path / "w.pkl").write_bytes(b"c_codecs\nencode\n(N(dS'make'\ncnumpy\ndtype\nstb.")
    with pytest.raises(UserError):
        read(tmp_path / "w.pkl")
    test_array_pickles(2, "C", tmp_path)


CONTENTS = {
    "nothing": {},
    "a list": [1, 2],
    "a number": {"model": {"layer.weight": 3}},
    "sparse": {"layer.weight": torch.eye(2).to_sparse()},
    "meta": {"layer.weight": torch.zeros(2, device="meta")},
    "nested": {"model": {"layer": {"weight": torch.zeros(2)}}},
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_content_that_is_not_a_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth"):
        read(tmp_path / "w.pth")


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["pth", "legacy", "pkl", "safetensors"]), cut=st.floats(0, 0.999), data=st.binary(max_size=40)
)
def test_truncated_and_random_files_are_refused_by_path(kind: str, cut: float, data: bytes, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("cut") / "w"
    if kind == "pkl":
        path.write_bytes(pickle.dumps({"model": {name: tensor.numpy() for name, tensor in TENSORS.items()}}))
    elif kind == "safetensors":
        save(path, TENSORS)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=kind == "pth")
    whole = path.read_bytes()
    for content in (whole[: int(cut * len(whole))], data, whole[:20] + data):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            read(path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html>Not Found</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"hello, these are no weights", "matches none of these"),
        (b"PK\x03\x04 and then nothing", "cut short"),
    ],
)
def test_common_wrong_files_are_identified_in_the_message(content: bytes, cause: str, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=cause):
        read(tmp_path / "w.pth")


def test_folder_without_safetensors_is_refused_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"model\.safetensors: no such file\n.*save_pretrained"):
        read(tmp_path)


@pytest.mark.parametrize("path", ["absent.pth", "."])
def test_missing_file_or_folder_without_config_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="config.json" if path == "." else "no such file"):
        read(tmp_path / path)


def test_mapping_of_files_is_refused_where_one_file_is_expected() -> None:
    with pytest.raises(UserError, match="one file"):
        read({"hr": "a", "lr": "b"})  # type: ignore[arg-type]


class Pair(nn.Module):
    """Two linear layers that a file may hold as one, and a derived buffer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)


def fused(name: str) -> str | Part:
    layer, _, kind = name.partition(".")
    return Part(f"both.{kind}", ("first", "second").index(layer), 2) if layer != "norm" else f"bn.{kind}"


def pair_file(**changes: torch.Tensor) -> Checkpoint:
    tensors = {"both.weight": torch.arange(12.0).reshape(4, 3), "both.bias": torch.arange(4.0)}
    tensors |= {f"bn.{kind}": torch.ones(2) for kind in ("weight", "bias", "running_mean", "running_var")}
    return Checkpoint(Path("w.pth"), "", {**tensors, **{k.replace("__", "."): v for k, v in changes.items()}})


def test_fused_entry_is_split_between_its_parameters() -> None:
    pair, checkpoint = Pair(), pair_file(both__weight=torch.arange(12.0).reshape(4, 3).double())
    load_strict(pair, checkpoint, fused)
    assert torch.equal(pair.second.weight, torch.arange(6.0, 12).reshape(2, 3))
    assert torch.equal(pair.first.bias, torch.arange(2.0))
    assert pair.norm.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"other": torch.zeros(1)}, "unexpected, 1: other"),
        ({"both__weight": torch.zeros(2, 3)}, r"both.weight \(shape \[2, 3\], expected \[4, 3\]\)"),
        ({"both__bias": torch.zeros(4, dtype=torch.int64)}, r"both.bias \(type torch.int64, expected torch.float32\)"),
        ({"bn__weight": torch.tensor([1.0, float("nan")])}, "not finite"),
    ],
)
def test_checkpoint_that_does_not_fit_leaves_the_network_unchanged(
    changes: dict[str, torch.Tensor], message: str
) -> None:
    pair = Pair()
    before = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    with pytest.raises(UserError, match=message):
        load_strict(pair, pair_file(**changes), fused)
    assert all(torch.equal(before[name], tensor) for name, tensor in pair.state_dict().items())


def test_mismatch_message_is_short_and_quotes_the_files_header(tmp_path: Path) -> None:
    foreign = {f"layer{number}.{'x' * 500}": torch.zeros(1) for number in range(300)}
    record = {"method": "psp18(scale=0.5)", "labels": "camvid", "dataset": "camvid", "deviations": ["x" * 999]}
    save(tmp_path / "w", foreign, {"training": json.dumps(record)})
    with pytest.raises(UserError, match=r"missing, 6: .* and 3 more\n  unexpected, 300: .* and 297 more\n") as error:
        load_strict(Pair(), read(tmp_path / "w"), fused, expected="a pair")
    assert "\n  the file's header: method psp18(scale=0.5), labels camvid, dataset camvid\n  expected" in str(
        error.value
    )
    assert len(str(error.value)) < 1000


def test_missing_entries_are_named_as_in_the_file() -> None:
    with pytest.raises(UserError, match=r"missing, 2: both\.bias, both\.weight") as error:
        load_strict(Pair(), Checkpoint(Path("w.pth"), "", {"bn.weight": torch.ones(2)} | {
            f"bn.{kind}": torch.ones(2) for kind in ("bias", "running_mean", "running_var")
        }), fused, "weights of a pair")  # fmt: skip
    assert "expected: weights of a pair" in str(error.value)


def test_seeded_networks_are_equal_and_leave_the_random_state_unchanged() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    networks = []
    for name in ("a", "a", "b"):
        with seeded(name):
            networks.append(nn.Linear(4, 4).weight)
    assert torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[0], networks[2])
    assert torch.equal(torch.rand(3), expected)


def test_saved_files_do_not_depend_on_order_and_have_default_permissions(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(3), "a": torch.zeros(2, dtype=torch.float16)}
    header = {f"key {n}": str(n) for n in range(9)}
    save(tmp_path / "one", tensors, header)
    save(tmp_path / "other", dict(reversed(tensors.items())), dict(reversed(header.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    (tmp_path / "plain").touch()
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "plain").stat().st_mode
    found = read(tmp_path / "one")
    assert found.metadata == header
    assert torch.equal(found.tensors["b"], tensors["b"])
