"""TensorBoard: one folder of events per result, with its figures as scalars at step 0."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from vssbench.errors import MissingExtra
from vssbench.results.run_folder import slug
from vssbench.results.trackers import Entry


def write(entry: Entry, output: str, project: str) -> bool:
    """Write one result under `output`/`project`; returns False where it exists already."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtra.of("tensorboard", "tensorboard", "exporting to TensorBoard") from None
    folder = Path(output) / slug(project) / f"{slug(entry.name)}-{entry.key}"
    if folder.exists():
        return False
    part = folder.with_name(f".{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    with SummaryWriter(part) as writer:
        for name, value in entry.figures.items():
            writer.add_scalar(name, value, 0)
        writer.add_text("settings", _block(json.dumps(entry.settings, indent=1, ensure_ascii=False)), 0)
        writer.add_text("notes", _block("\n".join(entry.notes)), 0)
        writer.add_text("result.json", _block(entry.file.read_text(encoding="utf-8")), 0)
    part.rename(folder)
    return True


def _block(text: str) -> str:
    """Return text that Markdown shows unchanged."""
    return "\n".join(f"    {line}" for line in text.splitlines())
