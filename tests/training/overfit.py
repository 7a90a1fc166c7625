"""A recipe on one clip of four frames, which any network that learns can memorise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from vssbench.load import load_dataset
from vssbench.specs import parse
from vssbench.training.job import Job, Opened
from vssbench.training.loop import Conduct
from vssbench.training.validation import Validation

CLIP = "synthetic(clips=1,frames=4,height=96,width=128,seed=19)"
"""Chosen for its large objects: even perfect labels at stride 4 reach only 92 % mIoU on it, and less on most clips."""
LIMIT = 240
"""CPU seconds: two minutes on two cores."""


def as_they_are(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Switch off a recipe's augmentation: with different colours and sizes every time, two minutes are too few."""
    monkeypatch.setattr(f"vssbench.methods.{module}.augment", lambda pictures, *_: list(pictures))


def open_job(method: str, dataset: str = CLIP, **changes: Any) -> Opened:
    """The recipe with changed settings, on one thread."""
    AcceleratorState._reset_state(True)
    torch.set_num_threads(1)
    start, codec = changes.pop("start", None), changes.pop("codec", None)
    job = Job(
        parse(method), dataset, validation="none", start=start, codec=codec, settings=changes, conduct=Conduct(100)
    )
    return job.open()


def overfit(method: str, folder: Path, dataset: str = CLIP, **changes: Any) -> tuple[Opened, float]:
    """Train on the clip and return the mIoU, in percent, of the method's adapter on the same frames."""
    opened = open_job(method, dataset, **changes)
    opened.run(folder, resume=False)
    opened.recipe.module.eval()
    found = Validation(opened.recipe.method, load_dataset(dataset, split="train"), None, None).run()
    return opened, found["mIoU"]
