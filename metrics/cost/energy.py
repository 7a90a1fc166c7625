"""Energy per frame: of a GPU through NVML, of processors through Linux's powercap (RAPL), over windows of seconds.

NVML's counter moves every 20 to 100 ms, RAPL's every millisecond, and a frame may take less, so the same frames are run
again and again until a window is long enough. Both include idle power and other processes' work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from time import perf_counter
from typing import Any

SECONDS, WINDOWS = 3.0, 3
POWERCAP = Path("/sys/class/powercap")


def energy(run: Callable[[], int], device: str, seconds: float = SECONDS, windows: int = WINDOWS) -> dict[str, Any]:
    """Measure energy: {"joules_per_frame", "watts", "spread", "windows", "seconds", "covers", "reason"}.

    run:     processes some frames, waits for the device and returns how many there were
    device:  torch device string
    seconds: the least length of a window
    spread:  standard deviation over the windows, joules per frame
    covers:  whose energy it is
    Where nothing can be measured, the figures are None and "reason" says why.
    """
    try:
        joules, covers = _counter(device)
    except _Unavailable as error:
        return _record(reason=str(error))
    samples = [_window(run, joules, seconds) for _ in range(windows)]
    if any(used <= 0 for used, _, _ in samples):
        return _record(reason="the device's energy counter did not move")
    frames = [used / count for used, count, _ in samples]
    return _record(
        joules_per_frame=fmean(frames),
        watts=sum(used for used, _, _ in samples) / sum(time for _, _, time in samples),
        spread=stdev(frames) if windows > 1 else None,
        windows=windows,
        seconds=sum(time for _, _, time in samples),
        covers=covers,
    )


class _Unavailable(Exception):
    """Energy cannot be measured; the message says why."""


def _record(**known: Any) -> dict[str, Any]:
    return dict.fromkeys(("joules_per_frame", "watts", "spread", "windows", "seconds", "covers", "reason")) | known


def _window(run: Callable[[], int], joules: Callable[[], float], seconds: float) -> tuple[float, int, float]:
    """Return (joules, frames, seconds) of as many runs as fill the time."""
    before, start, count = joules(), perf_counter(), 0
    while True:
        count += run()
        spent = perf_counter() - start
        if spent >= seconds:
            return joules() - before, count, spent


def _counter(device: str) -> tuple[Callable[[], float], str]:
    """Return what reads the total energy in joules, and whose energy it is; raises _Unavailable with the reason."""
    if device.partition(":")[0] == "cpu":
        return _processors()
    if not device.startswith("cuda"):
        raise _Unavailable(f"not measured on {device}: only energy counters of NVIDIA devices and processors are read")
    try:
        import pynvml
    except ImportError:
        raise _Unavailable("the package 'pynvml' is missing: pip install 'vssbench[nvidia]'") from None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid(device))
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        raise _Unavailable(f"NVML: {error}") from None
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3, "the whole device"


def _processors() -> tuple[Callable[[], float], str]:
    """Read the packages' counters; each starts again from 0 at a range of its own."""
    zones = sorted(zone for zone in POWERCAP.glob("intel-rapl:*") if zone.name.count(":") == 1)
    if not zones:
        raise _Unavailable(f"not measured on cpu: {POWERCAP} has no processor energy counter (RAPL)")
    try:
        ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]
        last = [int((zone / "energy_uj").read_text()) for zone in zones]
    except (OSError, ValueError) as error:
        raise _Unavailable(f"not measured on cpu: RAPL cannot be read: {error} (by default only root may)") from None
    names = ", ".join(_text(zone / "name", zone.name) for zone in zones)
    total = 0

    def joules() -> float:
        nonlocal total
        for index, zone in enumerate(zones):
            now = int((zone / "energy_uj").read_text())
            total += (now - last[index]) % ranges[index]
            last[index] = now
        return total / 1e6

    return joules, f"the processors ({names}) of the whole machine, without its memory"


def _text(path: Path, otherwise: str) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return otherwise


def uuid(device: str) -> str:
    """Return NVML's name for a torch device, which is valid whatever CUDA_VISIBLE_DEVICES says."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"
