"""Two Ray nodes as processes of their own on loopback addresses, with a token; gone when the tests are."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

HEAD, SECOND = "127.0.0.2", "127.0.0.3"
"""Loopback addresses that Ray takes as they are; 127.0.0.1 means the outer address to it."""


class Cluster(NamedTuple):
    """address: of the head, HOST:PORT; environment: what lets a driver in; nodes: their processes, the head first."""

    address: str
    environment: dict[str, str]
    nodes: list[subprocess.Popen[bytes]]

    def processes(self, node: int) -> dict[int, str]:
        """What runs on a node: process id -> its title, such as "ray::Worker.run"."""
        found = {}
        for process in psutil.Process(self.nodes[node].pid).children(recursive=True):
            with suppress(psutil.Error):  # it has just ended
                found[process.pid] = " ".join(process.cmdline()).strip()
        return found


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


@contextmanager
def two_nodes(cpus: int = 2) -> Iterator[Cluster]:
    """A head and a second node, `cpus` each."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: the paths of sockets are limited
    environment = {
        **os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    address = f"{HEAD}:{free_port(HEAD)}"
    common = ["--num-cpus", str(cpus), "--object-store-memory", "80000000", "--include-log-monitor", "false"]
    head = ["--head", "--node-ip-address", HEAD, "--port", address.partition(":")[2], "--include-dashboard", "false"]
    nodes = []
    try:
        nodes.append(_node([*head, "--temp-dir", str(folder), *common], environment, folder / "head.txt"))
        nodes.append(
            _node(["--address", address, "--node-ip-address", SECOND, *common], environment, folder / "second.txt")
        )
        yield Cluster(address, environment, nodes)
    finally:
        for node in nodes:
            os.killpg(node.pid, signal.SIGTERM)
        for node in nodes:
            node.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)  # sockets go while it is walked


def _node(arguments: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A node as a process group of its own. What wants to join it waits until it is up."""
    command = [str(Path(sys.executable).with_name("ray")), "start", *arguments, "--block"]
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
