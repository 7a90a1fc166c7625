"""Trainers' checkpoints: one network is found whatever surrounds it, and an open choice is left to the user."""

from __future__ import annotations

import argparse
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vssbench.errors import UserError
from vssbench.networks.checkpoints import load_strict, read

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "head.bias": torch.tensor([1.0, -2.0])}
AVERAGED = {name: tensor + 1 for name, tensor in WEIGHTS.items()}


class Opaque:
    """A class from a trainer's own code."""

    def __init__(self):
        self.values, self.inner = np.arange(3.0), {1: argparse.Namespace(a=1)}


def named(prefix: str, weights: dict[str, torch.Tensor] = WEIGHTS) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


PLAIN: dict[str, Any] = {
    "torch.compile": named("_orig_mod."),
    "torch.compile of a part": {"conv._orig_mod.weight": WEIGHTS["conv.weight"], "head.bias": WEIGHTS["head.bias"]},
    "DataParallel of torch.compile": named("module._orig_mod."),
    "Lightning": {"state_dict": named("model."), "epoch": 3, "optimizer_states": [{"state": {0: torch.ones(2)}}]},
    "Lightning with a criterion": {"state_dict": named("model.") | {"criterion.weight": torch.ones(3)}},
    "an optimizer": {"model": WEIGHTS, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}},
    "settings": {"state_dict": WEIGHTS, "args": argparse.Namespace(lr=0.1, path=Path("x")), "best": np.float64(0.4)},
    "objects": {"state_dict": WEIGHTS, "trainer": Opaque(), "kinds": {1, 2}, "log": {"loss": torch.zeros(2)}},
    "statistics": {"model": WEIGHTS, "data": {"mean": torch.ones(3)}},
    "among other values": {**WEIGHTS, "epoch": 3, "arch": "resnet"},
    "wrapped twice": {"model": {"state_dict": WEIGHTS}},
    "arrays": {"state_dict": {name: tensor.numpy() for name, tensor in WEIGHTS.items()}},
}
CHOSEN: dict[str, tuple[Any, str]] = {
    "another name": ({"model_state_dict": WEIGHTS, "epoch": 3}, "the entry 'model_state_dict' of the file"),
    "net": ({"net": WEIGHTS}, "the entry 'net'"),
    "a name of its own": ({"segmentor": WEIGHTS}, "the entry 'segmentor'"),
    "EMA next to it": ({"model": WEIGHTS, "model_ema": AVERAGED}, "the entry 'model' .* not read: 'model_ema'"),
    "EMA in names": ({"state_dict": named("model.") | named("ema_model.", AVERAGED)}, "'state_dict.ema_model'"),
    "EMA alone": ({"ema": WEIGHTS}, "the entry 'ema'"),
    "the one before": ({"model": WEIGHTS, "best": AVERAGED}, "the entry 'model' .* not read: 'best'"),
    "a name of its own next to a score": ({"segmentor": WEIGHTS, "best": torch.tensor(0.4)}, "the entry 'segmentor'"),
}
UNCLEAR: dict[str, Any] = {
    "two usual names": {"model": WEIGHTS, "net": AVERAGED},
    "student and teacher": {"student": WEIGHTS, "teacher": AVERAGED},
    "two averages": {"ema": WEIGHTS, "swa": AVERAGED},
}


def assert_weights(path: Path | str) -> str | None:
    checkpoint = read(path)
    assert checkpoint.tensors.keys() - {"criterion.weight"} == WEIGHTS.keys()
    assert all(torch.equal(checkpoint.tensors[name], WEIGHTS[name]) for name in WEIGHTS)
    return checkpoint.note


def numpy_1(path: Path) -> None:
    """Rewrite a torch file as NumPy 1 would write it: its module names differ, as lines of text."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data.replace(b"numpy._core.", b"numpy.core.") if name.endswith(".pkl") else data)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_unambiguous_checkpoint_is_read_without_a_note(content: Any, zipped: bool, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert assert_weights(tmp_path / "w.pth") is None
    if zipped:
        numpy_1(tmp_path / "w.pth")
        assert assert_weights(tmp_path / "w.pth") is None


@pytest.mark.parametrize(("content", "note"), CHOSEN.values(), ids=CHOSEN)
def test_chosen_entry_is_recorded_in_a_note(content: Any, note: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    said = assert_weights(tmp_path / "w.pth")
    assert said is not None
    assert re.search(note, said)
    assert read(tmp_path / "w.pth").weights.note == said


@pytest.mark.parametrize("content", UNCLEAR.values(), ids=UNCLEAR)
def test_ambiguous_checkpoint_is_refused_with_its_choices_listed(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: holds several state dicts: ") as error:
        read(tmp_path / "w.pth")
    assert all(f"{place!r} (2 entries)" in str(error.value) for place in content)
    first, second = (read(f"{tmp_path}/w.pth#{place}") for place in content)
    assert torch.equal(first.tensors["head.bias"], WEIGHTS["head.bias"])
    assert torch.equal(second.tensors["head.bias"], AVERAGED["head.bias"])
    assert first.sha256 != second.sha256  # or a resumed run would confuse the two
    with pytest.raises(UserError, match="has no entry 'best' with tensors"):
        read(f"{tmp_path}/w.pth#best")


def test_file_with_a_hash_sign_in_its_name_is_read(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "run#3.pth")
    assert_weights(tmp_path / "run#3.pth")


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Linear(3, 2, bias=False), nn.Module()
        self.head.bias = nn.Parameter(torch.zeros(2))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Inner()


@pytest.mark.parametrize("prefix", ["", "module.", "module.model."])
def test_network_whose_own_names_start_with_a_wrapper_prefix_loads(prefix: str, tmp_path: Path) -> None:
    network = Outer()
    torch.save(named(prefix + "model."), tmp_path / "w.pth")
    if prefix == "module.model.":  # one more than the network has
        load_strict(network.model, read(tmp_path / "w.pth"))
    else:
        load_strict(network, read(tmp_path / "w.pth"))
    assert torch.equal(network.model.head.bias, WEIGHTS["head.bias"])
