""".ci/supervise.py: every process that a command has started ends with it, by its process id, even if detached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sub-reapers are Linux's")
SUPERVISE = [sys.executable, str(ROOT / ".ci" / "supervise.py")]
DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.{taken})
        open(sys.argv[1] + ".part", "w").write(str(os.getpid()))
        os.rename(sys.argv[1] + ".part", sys.argv[1])
        time.sleep(600)
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
time.sleep({lasts})
sys.exit(7)
"""
"""A script that starts a process detached from its session and parent, and exits with status 7."""


def daemon(path: Path, taken: str = "SIG_DFL", lasts: float = 0) -> list[str]:
    return [*SUPERVISE, sys.executable, "-c", DAEMON.format(taken=taken, lasts=lasts), str(path)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_daemon_ends_with_its_command_and_the_exit_status_is_kept(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert subprocess.run(daemon(tmp_path / "pid"), check=False).returncode == 7
        assert not alive(int((tmp_path / "pid").read_text()))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
def test_daemon_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    assert subprocess.run(daemon(tmp_path / "pid", "SIG_IGN"), check=False).returncode == 7
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_command_and_its_daemon(tmp_path: Path, number: signal.Signals) -> None:
    running = subprocess.Popen(daemon(tmp_path / "pid", lasts=600))
    while not (tmp_path / "pid").exists():
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(number)
    assert running.wait(60) == 128 + number
    assert not alive(int((tmp_path / "pid").read_text()))
