"""The memory of one method by itself, measured in a process of its own so that nothing that ran before counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from vssbench import environment
from vssbench.bench.processes import in_processes
from vssbench.load import Context
from vssbench.metrics.cost.latency import device_barrier, repeat
from vssbench.metrics.cost.memory import HostPeak, device_peak
from vssbench.specs import Spec
from vssbench.types import Frame


def memory_alone(context: Context, method: Spec, frames: Sequence[Frame]) -> dict[str, float | None]:
    """Return the MB used by a process that has loaded only this method and these frames, from the first frame on.

    {"host_peak", "host_working", "device_peak", "device_working"}: host_peak includes Python, the libraries that the
    method imports, its weights and the frames; host_working is what running the frames added. The frames run twice,
    because what is kept from one clip is still there in the next. Starting such a process takes seconds.
    Raises UserError where the method fails, or needs more memory than there is.
    """
    opening = partial(_opened, context, method)
    fix = "without --memory alone, or on a machine with more memory"
    ((_, found),) = in_processes(1, opening, [frames], fix, name=lambda _: f"{method}, memory measured alone")
    return found


def _opened(context: Context, spec: Spec) -> Callable[[Sequence[Frame]], dict[str, float | None]]:
    environment.set_threads(context.threads)
    method = context.load(spec)

    def measured(frames: Sequence[Frame]) -> dict[str, float | None]:
        shown = [frame.read_only() for frame in frames]
        again = repeat(method, shown, device_barrier(context.device))
        host = HostPeak()
        with host.watching():
            again()
            again()
        return host.mb | device_peak(again, context.device)

    return measured
