"""Checkpoints of mmengine: a state dict, and beside it a training log in a class of the library's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vssbench.networks.checkpoints import Checkpoint, read


class _Log:
    """In place of mmengine's HistoryBuffer, which weights do not need: takes its content and does nothing with it."""

    def __setstate__(self, state: Any) -> None:
        """Forget it."""


def _method(log: _Log, name: str) -> None:
    """In place of `getattr`, by which such a log names its own methods: gives nothing."""


def read_checkpoint(path: str | Path) -> Checkpoint:
    """A .pth of mmengine or mmcv, or .safetensors; nothing in it is executed. Raises UserError."""
    arrays = [np.ndarray, np._core.multiarray._reconstruct]  # type: ignore[attr-defined]
    logs: list[tuple[Callable[..., Any], str]] = [
        (_Log, "mmengine.logging.history_buffer.HistoryBuffer"),
        (_method, "builtins.getattr"),
    ]
    with torch.serialization.safe_globals([*arrays, *logs]):
        return read(path)
