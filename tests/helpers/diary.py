"""A plugin that records its calls and their processes, so that tests can read what a cluster really did.

Lines of the file that the environment variable DIARY names: "<process> load", "<process> clip <clip>" when a clip
starts, "<process> step" for every frame.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vssbench import Frame, Prediction


class Diary:
    """Classes by brightness, so that every clip has its own numbers."""

    needs: frozenset[str] = frozenset()
    lookahead = 0

    def __init__(self) -> None:
        self.name = "diary"
        note("load")

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Frame:
        if frame.index == 0:
            note(f"clip {frame.clip}")
        return frame

    def step(self, frame: Frame) -> Frame:
        note("step")
        time.sleep(0.01)  # slow enough to be caught in mid-clip
        return frame

    def decode(self, frame: Frame) -> Prediction:
        return Prediction((frame.image[..., 1] // 32).astype(np.uint8), "key")


class Entry(NamedTuple):
    process: int
    what: str
    clip: str = ""


def note(what: str) -> None:
    """Write one whole line: appending is atomic."""
    file = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{os.getpid()} {what}\n".encode())
    os.close(file)


def read(path: Path) -> list[Entry]:
    lines = [line.split() for line in path.read_text().splitlines()]
    return [Entry(int(process), *what) for process, *what in lines]


def install(folder: Path) -> Path:
    """Return a folder for PYTHONPATH in which `diary` is an installed plugin."""
    metadata = folder / "diary-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: diary\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[vssbench.methods]\ndiary = diary:Diary\n")
    (folder / "diary.py").write_text(Path(__file__).read_text())
    return folder
