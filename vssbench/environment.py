"""The environment of a measurement, part of every result: the versions, the machine, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vssbench import __version__

PACKAGES = ("numpy", "opencv-python-headless", "torch", "transformers", "av")
HARDWARE = ("cpu", "threads", "device", "device_name")
"""The parts of a description that must agree before speeds are compared, or a measurement of them is resumed."""


def describe(device: str, threads: int | None) -> dict[str, Any]:
    """Return versions, processor, device, threads and the commit of this source tree (None if not a git checkout)."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": threads or _threads(),
        "device": device,
        "device_name": _device_name(device),
        **_commit(),
    }


def packages() -> dict[str, str | None]:
    """The versions of what can change a number; None for a package that is not installed.

    Ours is that of the sources that run: an editable install may be older than they are.
    """
    return {"vssbench": __version__, **{name: version_of(name) for name in PACKAGES}}


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(threads: int | None) -> None:
    """Limit OpenCV, and torch if it is loaded, to that many threads."""
    if threads is None:
        return
    import cv2

    cv2.setNumThreads(threads)
    import torch

    torch.set_num_threads(threads)


def vssbench_commit(environment: Mapping[str, Any], digits: int | None = None) -> str | None:
    """vssbench's commit, in full or its first `digits`, with "+" if the sources were modified; None for a package."""
    commit = environment.get("commit")
    return commit[:digits] + "+" * bool(environment.get("dirty")) if commit else None


def commit_of(environment: Mapping[str, Any], digits: int | None = None) -> str | None:
    """The commit that tells runs apart: that of the project that the run was started in, else vssbench's."""
    project = environment.get("project_commit")
    if not project:
        return vssbench_commit(environment, digits)
    return project[:digits] + "+" * (project.endswith("+") and digits is not None)


def check_device(device: str) -> None:
    """Raise UserError for a device that torch does not know or that this machine lacks."""
    if device == "cpu":
        return
    import torch

    from vssbench.errors import UserError, first_line

    try:
        torch.zeros(1, device=device).cpu()  # fails on `meta`, which has no values
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"--device {device} cannot be used: {first_line(error)}", expected="cpu, or cuda:0 with a GPU"
        ) from None


def _threads() -> int:
    """The number of threads that torch uses, recorded even by a resumed run that does not need torch itself."""
    import torch

    return torch.get_num_threads()


def version_of(name: str) -> str | None:
    """The version of an installed package; None if it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name, as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _device_name(device: str) -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(device) if torch and device.startswith("cuda") else None


def _commit() -> dict[str, Any]:
    """The commit of vssbench's sources, and of another project that this process was started in; "+": modified.

    An installed package has no commit, even inside somebody's checkout: git must track its files.
    """
    here, there = Path(__file__).parent, Path.cwd()
    known = _git(here, "ls-files", "--error-unmatch", Path(__file__).name) is not None
    head, changed = (_git(here, "rev-parse", "HEAD"), _changed(here)) if known else (None, None)
    found = {"commit": head, "dirty": changed}
    if (root := _root(there)) and not (known and root == _root(here)) and (project := _git(there, "rev-parse", "HEAD")):
        found["project_commit"] = project + "+" * bool(_changed(there))
    return found


def _root(folder: Path) -> str | None:
    return _git(folder, "rev-parse", "--show-toplevel")


def _changed(folder: Path) -> bool | None:
    """Whether any tracked file differs from its committed version."""
    said = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return None if said is None else bool(said)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
