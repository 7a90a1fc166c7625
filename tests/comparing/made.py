"""Two handmade runs, before and after a change of a method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.reports.made import method_folder

SHARE = {"before": 0.90, "after": 0.91}
MILLISECONDS = {"before": 50.0, "after": 40.0}


def two_runs(folder: Path, **changes: Any) -> None:
    """`before` and `after`: one method that is slightly more accurate, smaller and faster afterwards."""
    for number, (name, share) in enumerate(SHARE.items()):
        costs = {"gflops": {"amortised": 0.116 - 0.02 * number}, "params_m": 3.03, **speed(MILLISECONDS[name])}
        method_folder(folder / name, "mpvss", share, seed=number, **{**costs, **changes})


def speed(milliseconds: float, rounds: int = 6) -> dict[str, Any]:
    """The latency pass of a method whose step takes `milliseconds`."""
    times = milliseconds * (1 + 0.01 * np.sin(np.arange(rounds)))
    none, step = [0.0] * rounds, times.tolist()
    return {
        "fps": {"step": 1000 / milliseconds},
        "samples_ms": {
            "round": list(range(rounds)), "kind": ["key"] * rounds,
            "prepare": none, "step": step, "decode": none,
            "prepare_own": none, "step_own": step, "decode_own": none,
        },
        "reference_ms": [10.0] * rounds,
        "environment": {"cpu": "one", "threads": 1},
    }  # fmt: skip
