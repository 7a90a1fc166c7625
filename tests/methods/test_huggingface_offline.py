"""A local transformers folder causes no network access, whatever its files name, and builds no unbounded model."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.huggingface_models import saved, segformer, upernet
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.specs import Spec

CALLS: list[str] = []


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {make.__name__: tmp_path_factory.mktemp(make.__name__) for make in (segformer, upernet)}
    for make in (segformer, upernet):
        saved(folders[make.__name__], make)
    return folders


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record and block every network call: an error alone could be caught by a library."""

    def closed(*arguments: Any, **_: Any) -> Any:
        CALLS.append(repr(arguments))
        raise OSError("no network here")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, closed)
    monkeypatch.setattr(socket.socket, "connect", closed)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    CALLS.clear()
    yield
    assert not CALLS


def loaded(folder: Path, checkpoint: str | None = None) -> Any:
    return load_method(Spec("huggingface", (("model", str(folder)),)), checkpoint, labels="synthetic")


def changed(folder: Path, target: Path, file: str = "config.json", **changes: Any) -> Path:
    shutil.copytree(folder, target)
    before = json.loads((target / file).read_text()) if (target / file).exists() else {}
    (target / file).write_text(json.dumps({**before, **changes}))
    return target


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a backbone on the hub": (
        "upernet",
        {"backbone_config": None, "backbone": "somebody/backbone", "use_pretrained_backbone": True},
        "names something on the hub, which is not fetched",
    ),
    "a backbone of timm": (
        "upernet",
        {"backbone_config": None, "backbone": "resnet50", "use_timm_backbone": True},
        "config.json",
    ),
    "a kernel": ("segformer", {"_attn_implementation": "somebody/kernel"}, "a kernel that would be fetched and run"),
    "a kernel by its new name": (
        "segformer",
        {"attn_implementation": "kernels-community/flash"},
        "is 'kernels-community",
    ),
    "a kernel for a part": ("upernet", {"attn_implementation": {"backbone_config": "a/b:c"}}, "is 'a/b:c'"),
    "a kernel in a part": ("upernet", {"auxiliary": {"_attn_implementation": "a/b"}}, "is 'a/b'"),
    "flash attention": ("segformer", {"_attn_implementation": "flash_attention_2"}, "expected: eager or sdpa"),
    "layers without end": ("segformer", {"depths": [1, 1, 10**8, 1]}, "at most 1000 layers"),
    "layers that are no number": ("segformer", {"depths": [1, 1, 1e999, 1]}, "at most 1000 layers"),
    "a width without end": ("segformer", {"decoder_hidden_size": 10**8}, "parameters"),
    "a backbone that is a text": ("upernet", {"backbone_config": "resnet50"}, "config.json"),
    "a backbone that is a number": ("upernet", {"backbone_config": 5}, "config.json"),
    "another type": ("segformer", {"model_type": "somebody/model"}, "cannot be used"),
}
HARMLESS: dict[str, tuple[str, dict[str, Any]]] = {
    "code that comes along": ("config.json", {"auto_map": {"AutoConfig": "somebody/code--config.Config"}}),
    "the name it had on the hub": ("config.json", {"_name_or_path": "somebody/model"}),
    "an adapter": ("adapter_config.json", {"base_model_name_or_path": "somebody/model", "peft_type": "LORA"}),
    "a processor's code": ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "somebody/code--a.B"}}),
    "a tokenizer": ("tokenizer_config.json", {"tokenizer_class": "somebody/tokenizer", "auto_map": {}}),
    "a processor with parts": ("preprocessor_config.json", {"processor_class": "somebody/Processor"}),
    "a generation": ("generation_config.json", {"_from_model_config": True}),
    "torch's own attention": ("config.json", {"_attn_implementation": "sdpa"}),
}


@pytest.mark.parametrize(("model", "changes", "message"), REFUSED.values(), ids=REFUSED)
def test_config_that_would_fetch_files_or_build_a_huge_model_is_refused(
    model: str, changes: dict[str, Any], message: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        loaded(changed(folders[model], tmp_path / "model", **changes))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("file", "changes"), HARMLESS.values(), ids=HARMLESS)
def test_hub_names_that_are_not_needed_cause_no_network_access(
    file: str, changes: dict[str, Any], folders: dict[str, Path], tmp_path: Path
) -> None:
    assert loaded(changed(folders["segformer"], tmp_path / "model", file, **changes)).classes == 11


def test_adapter_config_of_a_checkpoint_folder_causes_no_network_access(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    changes = {"base_model_name_or_path": "somebody/model", "peft_type": "LORA"}
    other = changed(folders["segformer"], tmp_path / "other", "adapter_config.json", **changes)
    assert loaded(folders["segformer"], str(other)).weights.path == str(other)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_pipe_in_the_folder_is_refused(file: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["segformer"], tmp_path / "model")
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(UserError, match="is a pipe, not a file"):
        loaded(folder)
