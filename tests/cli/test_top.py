"""The command itself: its version, its help, and shell completion."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import vssbench as command
from vssbench import __version__, registry
from vssbench.cli import VERBS

SCRIPT = Path(sys.executable).with_name("vssbench")
installed = pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed next to this Python")


def test_the_version_is_one_line() -> None:
    assert command("--version") == (0, f"vssbench {__version__}\n", "")


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_h_is_help_everywhere(verb: str) -> None:
    words = [verb] if verb else []
    assert command(*words, "-h") == command(*words, "--help")
    assert command(*words, "-h").status == 0


def test_the_list_of_verbs_has_whole_sentences() -> None:
    lines = command("-h").stdout.partition("Commands:")[2]
    assert "..." not in lines.replace("vssbench train ...", "")
    assert re.findall(r"^  (\S+)  ", lines, re.MULTILINE) == list(VERBS)
    for ending in ("leaderboard and plots.", "each by its rule.", "pixel for pixel."):
        assert ending in " ".join(lines.split())


@installed
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pro", {"profile"}),
        ("run --methods oracle,mask2", {"oracle,mask2former"}),
        ("run --dataset synth", {"synthetic"}),
        ("run --metrics mIoU,WI", {"mIoU,WIoU"}),
        ("run --protocol mmseg1", {"mmseg1"}),
        ("score --metrics VC@", {"VC@8", "VC@16"}),
        ("report --columns mIoU,params(", {"mIoU,params(training_only)"}),
        ("profile --methods espnet", {"espnet", "espnetv2"}),
        ("predict ora", {"oracle"}),
        ("list fig", {"figures"}),
    ],
)
def test_a_shell_completes_names(line: str, expected: set[str]) -> None:
    words = f"vssbench {line}"
    asked = {"_VSSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run([SCRIPT], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert set(done.stdout.split("\n")) - {""} == expected, done.stderr


@installed
def test_only_what_can_be_trained_is_offered_to_train() -> None:
    asked = {"_VSSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "vssbench train ", "COMP_CWORD": "2"}
    done = subprocess.run([SCRIPT], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == {name for name, entry in registry.entries("methods").items() if entry.recipe}


@installed
def test_completion_installs_itself(tmp_path: Path) -> None:
    """It is installed for the calling shell, whose settings are in this home folder."""
    line = [f'"{SCRIPT}" --install-completion', "true"]  # with one command, Bash would replace itself by it
    done = subprocess.run(
        ["bash", "-c", "; ".join(line)],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "completion installed" in done.stdout, done.stderr
    assert "vssbench" in (tmp_path / ".bashrc").read_text()
    files = [file for file in tmp_path.rglob("*vssbench*") if file.is_file()]
    assert any("_VSSBENCH_COMPLETE" in file.read_text() for file in files)
