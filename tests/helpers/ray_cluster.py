"""Two Ray nodes as separate processes on loopback addresses, with a token; they end with the tests."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

HEAD, SECOND = "127.0.0.2", "127.0.0.3"
"""Loopback addresses that Ray uses unchanged; it takes 127.0.0.1 for the external address."""


SERVERS = ("--node-manager-port", "--object-manager-port", "--runtime-env-agent-port")
WORKER_PORTS = range(10002, 20000)
"""Ports of workers and drivers by default."""


class Cluster(NamedTuple):
    """address: of the head, HOST:PORT; environment: what a driver needs; nodes: their processes, the head first;
    ports: those assigned to each node by an option."""

    address: str
    environment: dict[str, str]
    nodes: list[subprocess.Popen[bytes]]
    ports: list[set[int]]

    def processes(self, node: int) -> dict[int, str]:
        """Return what runs on a node: process id -> its title, such as "ray::Worker.run"."""
        found = {}
        for process in psutil.Process(self.nodes[node].pid).children(recursive=True):
            with suppress(psutil.Error):  # the process has just ended
                found[process.pid] = " ".join(process.cmdline()).strip()
        return found


def free_ports(count: int) -> list[int]:
    """Return ports that are free on every address: Ray listens on all."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def two_nodes(cpus: int = 2, **more: str) -> Iterator[Cluster]:
    """Start a head and a second node, `cpus` each. more: environment variables of everything in the cluster"""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: the paths of sockets are limited
    environment = {
        **os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", **more,
    }  # fmt: skip
    free = free_ports(8)
    ports = [free[:5], free[5:]]
    address = f"{HEAD}:{ports[0][0]}"
    common = ["--num-cpus", str(cpus), "--object-store-memory", "80000000", "--include-log-monitor", "false"]
    kinds = ("--port", "--ray-client-server-port", *SERVERS)
    head = ["--head", "--node-ip-address", HEAD, "--include-dashboard", "false", *_named(kinds, ports[0])]
    second = ["--address", address, "--node-ip-address", SECOND, *_named(SERVERS, ports[1])]
    nodes = []
    try:
        nodes.append(_node([*head, "--temp-dir", str(folder), *common], environment, folder / "head.txt"))
        nodes.append(_node([*second, *common], environment, folder / "second.txt"))
        yield Cluster(address, environment, nodes, [set(numbers) for numbers in ports])
    finally:
        for node in nodes:
            node.terminate()  # the node ends what it started
        for node in nodes:
            with suppress(subprocess.TimeoutExpired):
                node.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)  # sockets disappear meanwhile


def _named(options: Sequence[str], values: Sequence[int]) -> list[str]:
    return [word for option, value in zip(options, values, strict=True) for word in (option, str(value))]


def _node(arguments: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a node as a separate process group. Whatever joins it waits until it is up."""
    command = [str(Path(sys.executable).with_name("ray")), "start", *arguments, "--block"]
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
