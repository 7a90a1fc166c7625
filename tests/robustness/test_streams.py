"""The command's standard streams: closed, full, or with a reader that has left. The exit status stays the command's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.command import MAIN
from tests.robustness.made import vspw, write

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(redirection: str, *arguments: object, code: str = MAIN) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with its streams as a shell redirects them."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_do_not_change_the_exit_status(redirection: str) -> None:
    done = shell(redirection, "list", "methods")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in redirection.split())
    failed = shell(redirection, "report", "nosuch")
    assert (failed.returncode, failed.stdout) == (2, "")


def test_files_do_not_take_the_descriptors_of_closed_streams() -> None:
    code = "import sys; from vssbench.cli import main; sys.argv[1:] = ['list', 'methods']\n"
    code += "try: main()\nexcept SystemExit: pass\nimport os; sys.exit(os.open(os.devnull, os.O_RDONLY) > 2)"
    assert shell(">&- 2>&- <&-", code=code).returncode == 1


@needs_full
def test_full_standard_output_is_one_error_message() -> None:
    for arguments in (["list", "methods"], ["--help"]):
        done = shell(">/dev/full", *arguments)
        assert (done.returncode, done.stderr) == (2, "vssbench: standard output: No space left on device\n")
        assert shell(">/dev/full 2>/dev/full", *arguments).returncode == 2


def test_doctor_keeps_its_exit_status_when_the_reader_has_left(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", MAIN, "doctor", "--dataset", "vspw", "--data-root", str(root)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


ENCODINGS = """
import json, os, sys
from vssbench.cli import main
for arguments in json.loads(os.environ["CALLS"]):
    sys.argv[1:] = arguments
    try:
        main()
        status = 0
    except SystemExit as done:
        status = done.code
    print(f"status {status or 0}")
"""


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.slow)])
def test_characters_that_the_encoding_lacks_are_spelt_out(encoding: str, tmp_path: Path) -> None:
    """Every verb that prints text, in one process: each keeps its exit status."""
    root = vspw(tmp_path / "vspw", ("a",))
    data, run, predicted = ["--dataset", "vspw", "--data-root", str(root)], str(tmp_path / "run"), tmp_path / "p"
    for index in range(3):
        write(predicted / "a" / f"{index:03d}.png", np.zeros((6, 8), np.uint8))
    spec = tmp_path / "bench.yaml"
    spec.write_text("metrics: [mIoU, VC@2]\nkeep_frames: 0\nlatency: {enabled: false}\nprotocol: exact\n")
    made = "synthetic(clips=1,frames=2,height=32,width=48)"
    calls: list[tuple[int, list[str]]] = [
        (0, ["run", str(spec), "--methods", "psp18(backbone=tiny)", *data, "--allow-untrained", "--output", run]),
        (0, ["report", run, "--output", str(tmp_path / "report"), "--format", "md"]),
        (0, ["baseline", "update", run, "--output", str(tmp_path / "baseline.json"), "--reason", "≥ ≈"]),
        (0, ["check", run, "--baseline", str(tmp_path / "baseline.json")]),
        (0, ["predict", "psp18", "--frames", str(root / "data/a/origin"), "--output", str(tmp_path / "out"),
             "--labels", "vspw", "--allow-untrained"]),
        (0, ["score", *data, "--predictions", str(predicted), "--protocol", "all"]),
        (1, ["doctor", *data]),
        (0, ["list", "methods"]),
        (0, ["list", "published"]),
        (0, ["profile", "--methods", "psp18", "--size", "32x48", "--no-latency"]),
        (0, ["export", made, "--layout", "vspw", "--output", str(tmp_path / "made")]),
        (2, ["train", "psp18", "--dataset", "≥"]),
    ]  # fmt: skip
    arguments = json.dumps([call for _, call in calls])
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "CALLS": arguments, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", ENCODINGS], capture_output=True, env=environment, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    text = done.stdout.decode(encoding)
    assert [int(found) for found in re.findall(r"^status (\d+)$", text, re.MULTILINE)] == [want for want, _ in calls]
    assert "baseline.json: >= ~ (" in text
