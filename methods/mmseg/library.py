"""mmsegmentation itself: imported without compiled operators, and asked to build only what it has registered."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from vssbench.errors import MissingExtra, UserError
from vssbench.methods.mmseg.config_reader import nearest
from vssbench.networks.checkpoints import seeded

SEGMENTORS = ("EncoderDecoder", "CascadeEncoderDecoder")
_FOR_TRAINING = ("init_cfg", "pretrained", "train_cfg", "class_weight")
"""Left out wherever they occur: they name files that the library would unpickle or fetch, or serve only training."""
_BRINGS_CODE = ("VPD",)
"""Registered, but builds whatever its configuration names, from anywhere."""


class _NoOperators(ModuleType):
    """A stand-in for mmcv's compiled operators, which mmcv-lite lacks: each exists by name and raises when called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> Any:
            raise UserError(
                f"this network calls mmcv's compiled operator {name}, which mmcv-lite lacks",
                fix="replace mmcv-lite with the full mmcv 2.1 for this version of torch",
            )

        return missing


def load() -> None:
    """Import mmsegmentation and all that it registers. Raises MissingExtra where it is not installed."""
    if (
        "mmcv._ext" not in sys.modules
        and importlib.util.find_spec("mmcv")
        and not importlib.util.find_spec("mmcv._ext")
    ):
        sys.modules["mmcv._ext"] = _NoOperators("mmcv._ext")
    try:
        with _quiet():
            for name in ("mmseg.models", "mmseg.datasets", "mmseg.registry"):
                importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra.of("mmseg", error.name or "mmsegmentation", "mmseg(config=...)") from None


def build_network(model: Any, where: Path) -> Any:
    """Build the network of a config's `model`, in evaluation mode, with random weights that follow from it."""
    from mmengine.config import ConfigDict
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS

    if not isinstance(model, Mapping) or model.get("type") not in SEGMENTORS:
        kind = model.get("type") if isinstance(model, Mapping) else type(model).__name__
        raise UserError(f"model is of type {kind!r}", where=where, expected=" or ".join(SEGMENTORS))
    checked = _checked(model, where)
    with _user_error(where), _quiet(), seeded(repr(checked)), DefaultScope.overwrite_default_scope("mmseg"):
        network = MODELS.build(ConfigDict(checked))
    if getattr(network, "out_channels", 0) < 2:
        raise UserError("the network has one output channel", where=where, expected="one per class")
    return network.eval()


def build_pipeline(steps: Any, where: Path) -> Callable[[dict[str, Any]], Any]:
    """Build a config's `test_pipeline` for images in memory: {"img": uint8[H, W, 3], BGR} -> inputs and a record."""
    from mmcv.transforms import Compose
    from mmengine.registry import DefaultScope

    if not isinstance(steps, list | tuple) or not all(isinstance(step, Mapping) for step in steps) or not steps:
        raise UserError("test_pipeline is not a list of steps", where=where)
    kept = [_checked(step, where) for step in steps if step.get("type") != "LoadAnnotations"]
    kept[0] = {**kept[0], "type": "LoadImageFromNDArray"}
    with _user_error(where), _quiet(), DefaultScope.overwrite_default_scope("mmseg"):
        pipeline: Callable[[dict[str, Any]], Any] = Compose(kept)
    return pipeline


def class_names(dataset: Any, count: int) -> list[str]:
    """Return the class names of a config's dataset, or LABEL_0 and so on where it does not name that many."""
    from mmseg.registry import DATASETS

    meta: Any = None
    if isinstance(dataset, Mapping):
        kind = DATASETS.module_dict.get(str(dataset.get("type")))
        meta = dataset.get("metainfo") or getattr(kind, "METAINFO", None)
    names = meta.get("classes") if isinstance(meta, Mapping) else None
    if isinstance(names, list | tuple) and len(names) == count:
        return [str(name) for name in names]
    return [f"LABEL_{number}" for number in range(count)]


def _checked(value: Any, where: Path) -> Any:
    """Return a copy in which every `type` is registered: the library would import anything else that is named."""
    if isinstance(value, Mapping):
        if "type" in value and str(value["type"]) not in _registered():
            raise UserError(
                f"type {value['type']!r} is not registered by mmsegmentation",
                where=where,
                expected=nearest(str(value["type"]), _registered())
                or "one of its own types; types of other packages and module names are not imported",
            )
        if "_scope_" in value:
            raise UserError("_scope_ asks for another package", where=where, expected="types of mmsegmentation only")
        return {key: _checked(item, where) for key, item in value.items() if key not in _FOR_TRAINING}
    if isinstance(value, list | tuple):
        return type(value)(_checked(item, where) for item in value)
    return value


def _registered() -> frozenset[str]:
    from mmseg import registry

    names: set[str] = set()
    for node in (registry.MODELS, registry.TRANSFORMS, registry.TASK_UTILS):
        while node is not None:
            names |= node.module_dict.keys()
            node = node.parent
    return frozenset(names) - set(_BRINGS_CODE)


@contextmanager
def _user_error(where: Path) -> Iterator[None]:
    """Turn any failure of the library on a user's config into one UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # a config that does not fit makes anything raise
        told = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"mmsegmentation cannot build this: {told}", where=where) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's warnings about versions and defaults."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
