"""Methods that hang, chatter on standard output, leave threads behind, or raise what is rarely caught."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import MAIN, vssbench
from tests.robustness.made import assert_refused

METHODS = """
import ctypes, os, threading, time
import numpy as np
from vssbench import Prediction

class Base:
    name, needs, lookahead = "base", frozenset(), 0
    def reset(self): ...
    def prepare(self, frame): return frame
    def step(self, frame): return frame
    def decode(self, frame): return Prediction(np.zeros(frame.image.shape[:2], np.uint8), "key")

class Hangs(Base):
    def step(self, frame):
        if frame.index == 2:
            print("hanging", file=__import__("sys").stderr, flush=True)
            time.sleep(1000)
        return frame

class Chatters(Base):
    def __init__(self): print("chatter of the constructor")
    def step(self, frame):
        print("chatter of Python")
        os.write(1, b"chatter of the system\\n")
        ctypes.CDLL(None).puts(b"chatter of C")
        return frame

class Leaves(Base):
    def __init__(self):
        threading.Thread(target=time.sleep, args=(1000,), name="endless").start()

class Closes(Base):
    def step(self, frame): raise GeneratorExit("enough")
"""
DATA = ["--dataset", "synthetic(clips=2,frames=4,height=16,width=24)", "--metrics", "mIoU"]


@pytest.fixture
def methods(tmp_path: Path) -> str:
    (tmp_path / "odd.py").write_text(METHODS)
    return str(tmp_path / "odd.py")


def arguments(methods: str, name: str, output: Path, *more: str) -> list[str]:
    return ["run", "--methods", f"{methods}:{name}", *DATA[:2], "--output", str(output), "--no-latency", *more]


def started(*arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """The command with its streams in pipes: no terminal. A background shell would have Ctrl-C ignored."""
    command = [sys.executable, "-c", f"import signal; signal.signal(2, signal.default_int_handler); {MAIN}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *arguments], cwd=folder, text=True, **pipes)


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupting_a_hanging_method_names_the_method_and_clip(
    by: int, status: int, workers: str, methods: str, tmp_path: Path
) -> None:
    process = started(*arguments(methods, "Hangs", tmp_path / "run", "--workers", workers))
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "hanging\n"
        time.sleep(0.2)
        process.send_signal(by)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (status, "")
    said = err.replace("hanging\n", "")
    assert said.startswith("vssbench: interrupted in ")
    assert "Hangs" in said.partition(";")[0]
    assert "val_0000" in said
    assert workers != "1" or "frame 2" in said
    assert said.endswith(f"; continue with --resume --output {tmp_path / 'run'}\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_output_printed_by_a_method_is_not_part_of_the_json(workers: str, methods: str, tmp_path: Path) -> None:
    more = ("--json", "--workers", workers)
    process = started(*arguments(methods, "Chatters", tmp_path / "run", *more))
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    (result,) = json.loads(out)["methods"].values()
    assert result["metrics"]["mIoU"] is not None
    for who in ("the constructor", "Python", "the system", "C"):
        assert f"chatter of {who}\n" in err


def test_command_ends_although_threads_never_end(methods: str, tmp_path: Path) -> None:
    code = f"from vssbench import cli; cli.GRACE = 0.1; {MAIN}"
    command = [sys.executable, "-c", code, *arguments(methods, "Leaves", tmp_path / "run", "--resume", "--json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["methods"]
    assert "vssbench: ended although threads were still running: endless" in done.stderr
    gone = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert gone.stdout is not None
    assert gone.stderr is not None
    gone.stdout.close()
    gone.stderr.close()  # there is no reader any more
    assert gone.wait(timeout=100) is not None


@pytest.mark.slow
def test_workers_end_although_threads_never_end(methods: str, tmp_path: Path) -> None:
    process = started(*arguments(methods, "Leaves", tmp_path / "run", "--json", "--workers", "2"))
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert json.loads(out)["methods"]


def test_generator_exit_is_handled_like_any_other_error(methods: str, tmp_path: Path) -> None:
    failed = vssbench(*arguments(methods, "Closes", tmp_path / "run"))
    assert_refused(failed)
    assert "failed: GeneratorExit: enough" in failed.stderr
    skipped = vssbench(*arguments(methods, "Closes", tmp_path / "skipped", "--on-error", "skip-clip"))
    assert "every clip failed" in skipped.stderr


WAITS = """
import sys, time
from vssbench.datasets.synthetic.dataset import Synthetic

class Waits(Synthetic):
    def clips(self):
        print("waiting", file=sys.stderr, flush=True)
        time.sleep(100)
"""


@pytest.mark.parametrize(
    ("verb", "by", "status"),
    [
        ("doctor", signal.SIGINT, 130),
        ("doctor", signal.SIGTERM, 143),
        ("score --predictions .", signal.SIGINT, 130),
        ("train psp18 --output out", signal.SIGINT, 130),
    ],
)
def test_interrupted_verb_ends_with_one_message_and_the_status_of_the_signal(
    verb: str, by: int, status: int, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(WAITS)
    process = started(*verb.split(), "--dataset", f"{tmp_path / 'own.py'}:Waits", folder=tmp_path)
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(by)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (status, "", "vssbench: interrupted\n")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["own.py"]


def test_interrupted_predict_names_what_is_written(methods: str, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for index in range(4):
        Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save(tmp_path / f"frames/{index}.png")
    process = started(
        *("predict", f"{methods}:Hangs", "--frames", str(tmp_path / "frames"), "--labels", "synthetic"),
        *("--output", str(tmp_path / "out")),
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "hanging\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    *_, written, last = err.splitlines()
    assert written == f"vssbench: stopped; written before that: 2 frames in {tmp_path / 'out'}"
    assert last.startswith("vssbench: interrupted")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["0.png", "1.png"]


def test_ctrl_c_in_check_is_not_reported_as_a_regression() -> None:
    wait = "import sys, time; print('waiting', file=sys.stderr, flush=True); time.sleep(100)"
    code = f"import vssbench.gate.baseline as b; b.read_runs = lambda runs: exec({wait!r})"
    command = [sys.executable, "-c", f"import signal; signal.signal(2, signal.default_int_handler); {code}; {MAIN}"]
    process = subprocess.Popen([*command, "check", "a", "--baseline", "b"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "vssbench: interrupted\n")
