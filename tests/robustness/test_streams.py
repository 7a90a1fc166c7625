"""The command's standard streams: closed, full, or with a reader that has left. The exit status stays the command's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robustness.made import vspw

MAIN = "from vssbench.cli import main; main()"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(redirection: str, *arguments: object, code: str = MAIN) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with its streams as a shell redirects them."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(redirection: str) -> None:
    done = shell(redirection, "list", "methods")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in redirection.split())
    failed = shell(redirection, "report", "nosuch")
    assert (failed.returncode, failed.stdout) == (2, "")


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    code = "import sys; from vssbench.cli import main; sys.argv[1:] = ['list', 'methods']\n"
    code += "try: main()\nexcept SystemExit: pass\nimport os; sys.exit(os.open(os.devnull, os.O_RDONLY) > 2)"
    assert shell(">&- 2>&- <&-", code=code).returncode == 1


@needs_full
def test_an_output_that_is_full_is_one_message() -> None:
    for arguments in (["list", "methods"], ["--help"]):
        done = shell(">/dev/full", *arguments)
        assert (done.returncode, done.stderr) == (2, "vssbench: standard output: No space left on device\n")
        assert shell(">/dev/full 2>/dev/full", *arguments).returncode == 2


def test_findings_stay_findings_when_the_reader_has_left(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", MAIN, "doctor", "--dataset", "vspw", "--data-root", str(root)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
