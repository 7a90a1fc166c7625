"""Find the console blocks of a page, and run their commands as a reader would, in one folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.helpers.command import vssbench

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+?) -->\n)?^```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
PYTHON = {"python": [], "pytest": ["-m", "pytest"]}
FEWER = {
    r"--steps \d+": "", r"--batch \d+": "", r"--crop \d+x\d+": "", r"--limit \d+": "",
    r"^vssbench train(?!.*--dry-run)": "vssbench train --steps 2 --batch 2 --validation-limit 1",
    r"^vssbench run(?! \S+\.yaml)(?!.*--(no-latency|stream))": "vssbench run --no-latency",
    r"^vssbench run(?! \S+\.yaml)": "vssbench run --limit 1",
    r"--distances 0\.\.11": "--distances 0,11",
    r"^vssbench predict": "vssbench predict --limit 3",
}  # fmt: skip
"""Shortened for tests: trainings of two steps, runs of one clip, few windows, and no speed that is not read."""


class Block(NamedTuple):
    """line: of its first command; reason: why it is not run, None where it is"""

    line: int
    commands: list[str]
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """Return the console blocks of a Markdown file. A comment `<!-- not run: reason -->` above one prevents its run."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(text[: found.start("text")].count("\n") + 1, commands(found["text"]), found["reason"])
        for found in BLOCK.finditer(text)
    ]


def commands(text: str) -> list[str]:
    """Return what follows the prompts, without comments; a line that ends with a backslash continues."""
    lines = [re.sub(r"\s+# .*$", "", line) for line in text.replace("\\\n", " ").splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def run(command: str, folder: Path) -> tuple[int, str]:
    """Run a shortened command in the folder, which is the current one; returns (exit status, output)."""
    for long, short in FEWER.items():
        command = re.sub(long, short, command)
    name, *words = shlex.split(command)
    if name == "vssbench":
        done = vssbench(*words)
        return done.status, done.stderr or done.stdout
    started = [sys.executable, *PYTHON[name], *words] if name in PYTHON else [name, *words]
    ran = subprocess.run(started, cwd=folder, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr
