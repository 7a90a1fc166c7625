"""From a folder or a hub id to a network and its image processor.

No code that came with the files is run, and only the files of the requested id are fetched. Anything else that a
configuration names (a backbone, a kernel) would be requested in the user's name and with their token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled
from torch import nn
from transformers import AutoConfig, AutoImageProcessor, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING,
    MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING,
)
from transformers.models.dpt.modeling_dpt import DPTFeatureFusionStage
from transformers.models.swin.modeling_swin import SwinBackbone

from vssbench.errors import UserError
from vssbench.files.atomic import regular
from vssbench.networks.checkpoints import load_strict, read, seeded
from vssbench.networks.transformers_models import from_folder, quiet_transformers
from vssbench.specs import Spec
from vssbench.types import Weights

FOLDER = "a folder with config.json, preprocessor_config.json and model.safetensors, or the id of one on the hub"
_PARTS = ("config.json", "preprocessor_config.json", "processor_config.json")
_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_ATTENTION = ("eager", "sdpa")
"""Implementations that come with torch; any other name may refer to a compiled kernel on the hub."""
_MOST_LAYERS, _MOST_PARAMETERS = 1000, 4 * 10**9
_OTHER_INPUT = {"oneformer": "text", "videomt": "several frames at once"}


def find(model: str, revision: str | None = None) -> Path:
    """Return the folder of a model: a local one, or its files from the hub, kept in huggingface_hub's cache.

    revision: branch, tag or commit of a hub id. Raises UserError if there is neither a folder nor such an id.
    """
    if Path(model).is_dir():
        if revision is not None:
            raise UserError("revision is for models of the hub; this is a folder", where=model)
        return Path(model)
    if not _HUB_ID.fullmatch(model):
        raise UserError("no such folder", where=model, expected=FOLDER)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=[*_PARTS, *_WEIGHTS]))
    except Exception as error:  # no network, no such id, no access: each has its own type
        raise UserError(
            f"is not a folder and could not be fetched from the hub: {_told(error)}",
            where=model,
            expected=FOLDER,
            fix=f"where there is network access, run `hf download {model} --local-dir DIR`, then pass model=DIR",
        ) from None


def find_spec(spec: Spec) -> Path:
    """Return the folder that `huggingface(model=...)` names, with `revision` if given; nothing is built."""
    unknown = [key for key, _ in spec.args if key not in ("model", "revision")]
    if unknown or not isinstance(spec.get("model"), str):
        raise UserError(f"{spec} names no model", expected="huggingface(model=FOLDER or ID), perhaps with revision=")
    revision = spec.get("revision")
    return find(str(spec.get("model")), None if revision is None else str(revision))


def configuration(folder: Path) -> PreTrainedConfig:
    """Read config.json with transformers' own classes. Raises UserError for a model that does not segment."""
    _check(regular(folder / "config.json", FOLDER))
    with _user_error(
        folder / "config.json", "a model that transformers itself knows; code that comes with a model is not run"
    ):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if why := _OTHER_INPUT.get(config.model_type):
        raise UserError(f"a model of type {config.model_type} takes {why}, not one image", where=folder)
    network_class(config, folder)
    return config


def _check(file: Path) -> None:
    """Raise UserError for a configuration that asks for code, or for an absurd number of layers."""
    try:
        waiting = [
            (name, value) for name, value in json.loads(regular(file, FOLDER).read_text(encoding="utf-8")).items()
        ]
    except (OSError, ValueError, AttributeError, RecursionError):
        raise UserError("cannot be used: holds no JSON object", where=file, expected=FOLDER) from None
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(inner if name != "attn_implementation" else name, one) for inner, one in value.items()]
        elif isinstance(value, list):
            waiting += [(name, one) for one in value]
        elif name.endswith("attn_implementation") and value not in (None, *_ATTENTION):
            raise UserError(
                f"{name} is {value!r}, a kernel that would be fetched and run",
                where=file,
                expected=" or ".join(_ATTENTION),
            )
        elif ("depth" in name or "layers" in name) and isinstance(value, int | float) and value > _MOST_LAYERS:
            raise UserError(f"{name} is {value}", where=file, expected=f"at most {_MOST_LAYERS} layers")


def network_class(config: PreTrainedConfig, where: object) -> type[PreTrainedModel]:
    """Return the segmentation class for the model's type. Raises UserError if there is none, or another was saved."""
    for mapping in (MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING, MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING):
        if type(config) in mapping:
            kind = mapping[type(config)]
            if config.architectures and kind.__name__ not in config.architectures:
                raise UserError(f"holds {', '.join(config.architectures)}", where=where, expected=kind.__name__)
            return kind
    raise UserError(
        f"transformers has no segmentation model of type {config.model_type!r}",
        where=where,
        expected="a model for semantic or universal segmentation, such as SegFormer, Mask2Former, UPerNet or DPT",
    )


def image_processor(folder: Path) -> Any:
    """Load the model's own image processor, in its PIL variant."""
    if not any((folder / name).exists() for name in _PARTS[1:]):
        raise UserError(
            "no such file",
            where=folder / "preprocessor_config.json",
            expected=FOLDER,
            fix="save the image processor next to the network: processor.save_pretrained(FOLDER)",
        )
    for part in _PARTS[1:]:
        if (folder / part).exists():
            regular(folder / part)
    with _user_error(folder, "the configuration of an image processor that works without torchvision"):
        processor = AutoImageProcessor.from_pretrained(
            folder, trust_remote_code=False, backend="pil", local_files_only=True
        )
    if not hasattr(processor, "post_process_semantic_segmentation"):
        raise UserError(f"{type(processor).__name__} produces no class maps", where=folder, expected=FOLDER)
    return processor


def build(config: PreTrainedConfig, where: object) -> PreTrainedModel:
    """Return the network in evaluation mode, with random weights determined by the configuration."""
    name = json.dumps(config.to_dict(), sort_keys=True, default=str)
    with seeded(name), _user_error(where, "the configuration of a network that needs no further package"):
        kind = network_class(config, where)
        with torch.device("meta"):  # takes no memory
            parameters = sum(parameter.numel() for parameter in kind(config).parameters())
        if parameters > _MOST_PARAMETERS:
            raise UserError(
                f"a network of {parameters:.3g} parameters", where=where, expected=f"at most {_MOST_PARAMETERS:.0e}"
            )
        network = kind(config)
    for module in network.modules():  # layers that transformers creates but never runs, and that older files lack
        if isinstance(module, SwinBackbone):
            module.swin.layernorm = nn.Identity()
        elif isinstance(module, DPTFeatureFusionStage):
            module.layers[0].residual_layer1 = nn.Identity()
    return network.eval()


def fill(network: PreTrainedModel, folder: Path, checkpoint: str | Path | None) -> Weights:
    """Strictly fill the network from its folder, or from `checkpoint`, and return which weights these are.

    A folder without any weights leaves the network untrained. Raises UserError for weights that do not fit.
    """
    bare = not any(next(folder.glob(pattern), None) for pattern in ("*.safetensors*", "*.bin*"))
    if checkpoint is None and bare:
        return Weights("untrained")
    given = read(folder if checkpoint is None else checkpoint)
    expected = f"weights of {type(network).__name__} as {folder}/config.json describes it"
    with _user_error(given.path, expected):
        load_strict(network, from_folder(network, given, expected=expected), expected=expected)
    return given.weights


def without_training_heads(network: PreTrainedModel) -> PreTrainedModel:
    """Remove the auxiliary head, which runs on every image although only a training loss uses it."""
    if isinstance(getattr(network, "auxiliary_head", None), nn.Module):
        network.auxiliary_head = None
    return network


@contextmanager
def _user_error(where: object, expected: str) -> Iterator[None]:
    """Turn any error of transformers into one message; run the block without gradients and without network access."""
    try:
        with quiet_transformers(), torch.no_grad(), _offline():
            yield
    except UserError:
        raise
    except OfflineModeIsEnabled:
        raise UserError(
            "names something on the hub, which is not fetched",
            where=where,
            expected=FOLDER,
            fix="save the model whole: network.save_pretrained(FOLDER) writes a backbone's configuration too",
        ) from None
    except Exception as error:  # a damaged or foreign configuration can make anything raise
        raise UserError(f"cannot be used: {_told(error)}", where=where, expected=expected) from None


@contextmanager
def _offline() -> Iterator[None]:
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
