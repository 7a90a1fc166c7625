"""Energy a frame of a GPU through NVML, over windows of seconds.

NVML's counter of total energy moves every 20 to 100 ms, longer than a frame takes: the same frames are run again and
again until a window is long enough. It is the whole device's energy, idle power and other processes included.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean, stdev
from time import perf_counter
from typing import Any

SECONDS, WINDOWS = 3.0, 3


def energy(run: Callable[[], int], device: str, seconds: float = SECONDS, windows: int = WINDOWS) -> dict[str, Any]:
    """Joules a frame: {"joules_per_frame", "watts", "spread", "windows", "seconds", "reason"}.

    run:     processes some frames, waits for the device and returns how many there were
    device:  torch device string
    seconds: the least length of a window
    spread:  standard deviation over the windows, joules a frame
    Where nothing can be measured the figures are None and "reason" says why.
    """
    try:
        joules = _counter(device)
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
    )


class _Unavailable(Exception):
    """Why energy cannot be measured."""


def _record(**known: Any) -> dict[str, Any]:
    return dict.fromkeys(("joules_per_frame", "watts", "spread", "windows", "seconds", "reason")) | known


def _window(run: Callable[[], int], joules: Callable[[], float], seconds: float) -> tuple[float, int, float]:
    """(joules, frames, seconds) of as many runs as fill the time."""
    before, start, count = joules(), perf_counter(), 0
    while True:
        count += run()
        spent = perf_counter() - start
        if spent >= seconds:
            return joules() - before, count, spent


def _counter(device: str) -> Callable[[], float]:
    """What reads the device's total energy in joules; raises _Unavailable with the reason."""
    if not device.startswith("cuda"):
        raise _Unavailable(f"not measured on {device}: only NVIDIA devices have an energy counter that is read here")
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
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3


def uuid(device: str) -> str:
    """NVML's name of a torch device, which holds whatever CUDA_VISIBLE_DEVICES says."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"
