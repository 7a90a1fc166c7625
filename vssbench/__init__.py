"""vssbench: which video segmentation method gives the most accuracy for the least computation?

from vssbench import Frame, load_method
method = load_method("hold(of=oracle,key_interval=5)")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vssbench.comparing.differences import Difference, Differences
    from vssbench.comparing.runs import compare
    from vssbench.errors import NotComparable, UserError
    from vssbench.load import load_dataset, load_method
    from vssbench.results.dataframe import load_results
    from vssbench.scoring.arrays import Scores, score
    from vssbench.types import Dataset, Frame, LabelSpace, Method, Metric, Prediction, Weights

__version__ = "0.2.0"
__all__ = [
    "Dataset", "Difference", "Differences", "Frame", "LabelSpace", "Method", "Metric", "NotComparable", "Prediction",
    "Scores", "UserError", "Weights", "compare", "load_dataset", "load_method", "load_results", "score",
]  # fmt: skip

_HOMES = {
    "comparing.differences": ("Difference", "Differences"),
    "comparing.runs": ("compare",),
    "errors": ("NotComparable", "UserError"),
    "load": ("load_dataset", "load_method"),
    "results.dataframe": ("load_results",),
    "scoring.arrays": ("Scores", "score"),
    "types": ("Dataset", "Frame", "LabelSpace", "Method", "Metric", "Prediction", "Weights"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `vssbench --help` stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module 'vssbench' has no attribute {name!r}")
    return getattr(import_module(f"vssbench.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The names that the package offers, whether or not they are imported yet."""
    return sorted({*globals(), *__all__})
