"""Weights & Biases, offline: nothing leaves the machine until `wandb sync` is run on the written files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from vssbench.errors import MissingExtra
from vssbench.results.trackers import Entry


def write(entry: Entry, output: str, project: str) -> bool:
    """Write one result as an offline run under `output`/wandb; returns False where it exists already."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError:
        raise MissingExtra.of("wandb", "wandb", "exporting to Weights & Biases") from None
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(f"wandb/offline-run-*-{entry.key}/run-{entry.key}.wandb")):
        return False
    settings = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True
    )
    run = wandb.init(
        mode="offline",
        dir=folder,
        project=project,
        id=entry.key,
        name=entry.name,
        notes="\n".join(entry.notes),
        config=entry.settings,
        settings=settings,
    )
    run.summary.update(entry.figures)
    shutil.copy(entry.file, run.dir)
    run.finish()
    return True
