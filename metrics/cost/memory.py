"""Peak memory while frames run: of the host's process, and of the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class HostPeak:
    """Watches this process while a method runs; only Linux reports what it needed.

    mb: {"host_peak": the process at its peak, with all that it had loaded before; "host_working": what the
        watched work added to it}, the maximum over all that was watched; None where the system does not say
    """

    def __init__(self) -> None:
        self.mb: dict[str, float | None] = {"host_peak": None, "host_working": None}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A context around one piece of work."""
        before = _reset_peak()
        yield
        if before is not None:
            peak = _status_mb("VmHWM")
            self.mb["host_peak"] = max(peak, self.mb["host_peak"] or 0.0)
            self.mb["host_working"] = max(peak - before, self.mb["host_working"] or 0.0)


def device_peak(run: Callable[[], object], device: str) -> dict[str, float | None]:
    """Return MB of device memory that `run` needs, {"device_peak", "device_working"}; None where it is not a GPU.

    device_peak:    allocated by torch at the peak, with every method of the process loaded
    device_working: what the run added to that
    """
    if not device.startswith("cuda"):
        return {"device_peak": None, "device_working": None}
    import torch

    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    return {"device_peak": peak / 2**20, "device_working": (peak - before) / 2**20}


def _reset_peak() -> float | None:
    """Reset the process's peak counter and return resident MB now; None where the system offers neither."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_mb("VmRSS")
    except OSError:
        return None


def _status_mb(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {key} in /proc/self/status")
