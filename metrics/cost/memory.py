"""Device memory at its peak."""

from __future__ import annotations

from collections.abc import Callable


def device_peak(run: Callable[[], object], device: str) -> dict[str, float | None]:
    """MB of device memory that `run` needs: {"device_peak", "device_working"}, None where the device is not a GPU.

    device_peak:    allocated by torch at the worst moment, with every method of the process loaded
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
