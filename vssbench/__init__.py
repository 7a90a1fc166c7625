"""vssbench: which video segmentation method gives the most accuracy for the least computation?

from vssbench import Frame, load_method
method = load_method("hold(of=oracle,key_interval=5)")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vssbench.load import load_dataset, load_method
    from vssbench.results.dataframe import load_results
    from vssbench.types import Frame, LabelSpace, Prediction, Weights

__version__ = "0.1.0"
__all__ = ["Frame", "LabelSpace", "Prediction", "Weights", "load_dataset", "load_method", "load_results"]

_HOME = {
    "Frame": "types",
    "LabelSpace": "types",
    "Prediction": "types",
    "Weights": "types",
    "load_dataset": "load",
    "load_method": "load",
    "load_results": "results.dataframe",
}


def __getattr__(name: str) -> Any:
    """Public names are imported on first use, so that `vssbench --help` stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module 'vssbench' has no attribute {name!r}")
    return getattr(import_module(f"vssbench.{_HOME[name]}"), name)
