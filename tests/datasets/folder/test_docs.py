"""docs/datasets.md: its files and commands, unchanged, in a folder that holds what they mention."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import vssbench
from tests.helpers.described import write_tree
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^#{1,2} [A-Z]|\Z)", TEXT, re.DOTALL | re.MULTILINE))
EXAMPLES = [title for title, text in SECTIONS.items() if "```console" in text]
TRAINS = [title for title in EXAMPLES if "$ vssbench train" in SECTIONS[title]]
CLIPS = {"cam1": 9, "cam2": 9, "cam3_a": 9, "cam3_b": 9}
FEWER = {r"--steps \d+": "--steps 2", r"--batch \d+": "--batch 2"}
"""Replacements that make trainings short enough for a test."""


def painted(ids: np.ndarray) -> Image.Image:
    table = np.zeros((256, 3), np.uint8)
    table[:3] = [(128, 64, 128), (0, 0, 142), (107, 142, 35)]
    return Image.fromarray(table[ids])


def panoptic(ids: np.ndarray) -> Image.Image:
    """All cars are the 7th, with either value of the class."""
    wide = ids.astype(np.uint16) + 1
    wide[ids == 1] = 207
    wide[:10][ids[:10] == 1] = 507
    wide[ids == 255] = 0
    return Image.fromarray(wide)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the page assumes: a video with three kinds of masks, a small KITTI-STEP, and the page's files."""
    root = tmp_path_factory.mktemp("page")
    for folder, mask in (("masks", Image.fromarray), ("painted", painted), ("panoptic", panoptic)):
        write_tree(root, CLIPS, masks=f"{folder}/{{clip}}/{{frame}}.png", mask=mask)
    write_tree(
        root / "KITTI_STEP",
        {"0002": 8},
        "images/{split}/{clip}/{frame}.png",
        "panoptic_maps/{split}/{clip}/{frame}.png",
        lambda ids: Image.fromarray(np.dstack([ids, ids // 3, ids])),
    )
    for name, text in re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", TEXT, re.DOTALL):
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_page_has_five_examples() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=pytest.mark.slow if title in TRAINS else ()) for title in EXAMPLES]
)
def test_commands_of_an_example_print_what_the_page_shows(
    title: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command succeeds, and its output contains what the page shows below it."""
    monkeypatch.chdir(place)
    for block in re.findall(r"```console\n(.*?)```", SECTIONS[title], re.DOTALL):
        for command, *shown in (part.splitlines() for part in block.split("$ ")[1:]):
            for before, after in FEWER.items():
                command = re.sub(before, after, command)
            name, *words = shlex.split(command)
            assert name == "vssbench"
            done = vssbench(*words)
            assert done.status == 0, (command, done.stderr)
            for line in shown:
                assert line in done.stdout, (command, done.stdout)
