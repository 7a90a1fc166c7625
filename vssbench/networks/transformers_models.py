"""Special treatment of transformers' models: their folders' tensors under current names, and no output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from vssbench.errors import UserError
from vssbench.networks.checkpoints import DERIVED, Checkpoint, refuse


def from_folder(
    network: Any, checkpoint: Checkpoint, alike: Iterable[str] = (), expected: str | None = None
) -> Checkpoint:
    """Return a transformers folder's tensors under the names that this version of transformers uses.

    network:  a transformers model of the wanted architecture; nothing is built from the folder's config.json
    alike:    entries of config.json, and of its backbone_config, that must agree because shapes do not reveal them
    expected: what the folder should have held, for the message
    Raises UserError if those differ or entries are missing, unexpected or of a different shape.
    """
    import torch

    if differences := _differences(network.config.to_dict(), checkpoint.config or {}, alike):
        raise UserError("; ".join(differences), where=checkpoint.path / "config.json", expected=expected)
    with quiet_transformers():
        filled, report = type(network).from_pretrained(
            None,
            config=network.config,
            state_dict=dict(checkpoint.tensors),
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    used = network.state_dict().keys()
    refuse(
        checkpoint,
        {name for name in report["missing_keys"] if name in used and not DERIVED.search(name)},
        report["unexpected_keys"],
        {f"{name} (shape {list(given)}, expected {list(wanted)})" for name, given, wanted in report["mismatched_keys"]},
        expected,
        None,
    )
    return replace(checkpoint, tensors={name: tensor for name, tensor in filled.state_dict().items() if name in used})


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' warnings and progress bars in this context: our own checks report what is wrong."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _differences(ours: dict[str, Any], theirs: dict[str, Any], alike: Iterable[str]) -> list[str]:
    """Return what two configurations, or their backbones', say differently about a network, in words."""
    keys = ("model_type", "depths", "embed_dim", "num_heads", "window_size", "layer_type", "hidden_act", *alike)
    pairs = ((ours, theirs), (ours.get("backbone_config") or {}, theirs.get("backbone_config") or {}))
    return [
        f"{key} is {theirs[key]!r}, not {ours[key]!r}"
        for ours, theirs in pairs
        for key in keys
        if key in ours and key in theirs and list(_flat(ours[key])) != list(_flat(theirs[key]))
    ]


def _flat(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]
