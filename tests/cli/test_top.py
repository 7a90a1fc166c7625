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


def test_version_is_one_line() -> None:
    assert command("--version") == (0, f"vssbench {__version__}\n", "")


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_h_equals_help_for_every_verb(verb: str) -> None:
    words = [verb] if verb else []
    assert command(*words, "-h") == command(*words, "--help")
    assert command(*words, "-h").status == 0


def test_help_lists_every_verb_with_a_whole_sentence() -> None:
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
        ("list prot", {"protocols"}),
        ("list protocols mm", {"mmseg", "mmseg1"}),
        ("score --protocol a", {"arseg", "all"}),
        ("cite --protocol vs", {"vspw", "vspw_vc"}),
        ("list methods espnet", {"espnet", "espnetv2"}),
        ("list datasets camvid kitti", {"kitti_step"}),
    ],
)
def test_shell_completes_names(line: str, expected: set[str]) -> None:
    words = f"vssbench {line}"
    asked = {"_VSSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run([SCRIPT], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert set(done.stdout.split("\n")) - {""} == expected, done.stderr


@installed
def test_train_completes_only_trainable_methods() -> None:
    asked = {"_VSSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "vssbench train ", "COMP_CWORD": "2"}
    done = subprocess.run([SCRIPT], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == {name for name, entry in registry.entries("methods").items() if entry.recipe}


@installed
def test_install_completion_writes_the_settings_of_bash(tmp_path: Path) -> None:
    """Completion is installed for the calling shell, in the home folder of this test."""
    line = [f'"{SCRIPT}" --install-completion', "true"]  # given only one command, Bash would replace itself with it
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
