"""A fuzzer of bad input: its family and seed determine each case, and the outcome is known beforehand.

    python -m tests.robustness.fuzz FAMILY SEED     repeat one case, with its traceback

A family is a function (chance, folder): it makes one case from the random numbers in an empty folder and asserts.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.robustness import files, methods, texts, weights

Family = Callable[[random.Random, Path], None]

FAMILIES: dict[str, Family] = {
    "yaml": texts.yaml,
    "arguments": texts.arguments,
    "names": files.names,
    "labels": files.labels,
    "images": files.images,
    "sizes": files.sizes,
    "records": files.records,
    "methods": methods.misbehave,
    "checkpoints": weights.damaged,
    "pickles": weights.hostile,
    "tensors": weights.unfit,
}


def run(family: str, seed: int) -> None:
    """Run one case; a failure says how to repeat it."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        try:
            FAMILIES[family](random.Random(f"{family} {seed}"), Path(folder))
        except BaseException as error:
            error.add_note(f"repeat: python -m tests.robustness.fuzz {family} {seed}")
            raise


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"family": sys.argv[1], "seed": int(sys.argv[2]), "passed": True}))
