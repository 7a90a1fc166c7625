"""The streams: every clip at every frame rate, with the latencies of each method as they were measured or assumed."""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.bench.method_run import Loaded, MethodRun
from vssbench.bench.pool import clip_records
from vssbench.bench.session import Bench, Failed, Streamed, Task
from vssbench.bench.spec import StreamSpec
from vssbench.bench.streaming import latencies
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.results.streaming import Camera, StreamRecord, Take
from vssbench.specs import Spec

Streams = Sequence[tuple[Camera, Sequence[StreamRecord]]]
"""Each camera of a method, with its records in clip order."""


def run_streams(
    bench: Bench, loaded: Sequence[Loaded], clips: Sequence[str], progress: Progress
) -> dict[Spec, Streams]:
    """Stream what has no record yet; return method -> its streams, empty without a stream in the spec.

    Latencies are fixed, so the number of workers does not matter.
    """
    stream = bench.spec.stream
    if stream is None:
        return {}
    scored = [one for one in loaded if one.run.scored]
    runs = {run.spec: run for run, *_ in scored}
    cameras = {one.run.spec: _cameras(stream, one) for one in scored}
    tasks = [
        Task(method, clip, camera)
        for method, run in runs.items()
        for camera in cameras[method]
        for clip in clips
        if _conditions(run, clip, camera) not in run.folder.streamed
    ]
    for task, outcome in clip_records(bench, tasks, progress):
        assert task.camera is not None
        if isinstance(outcome, Failed):  # although it ran in the accuracy pass
            raise UserError(
                outcome.reason,
                where=f"{task.method} on {task.clip} at {task.camera.fps:g} frames/s",
                fix="leave the clip out, or run without --stream: everything else is kept, --resume goes on",
            )
        assert isinstance(outcome, Streamed)
        run = runs[task.method]
        run.folder.add_streamed(outcome.record, _conditions(run, task.clip, task.camera))
    return {
        method: [
            (camera, [run.folder.streamed[_conditions(run, clip, camera)] for clip in clips])
            for camera in cameras[method]
        ]
        for method, run in runs.items()
    }


def _cameras(stream: StreamSpec, one: Loaded) -> list[Camera]:
    method = one.run.spec
    spent = latencies.latencies(stream, method, one.run.timed())
    take: Take = "every" if "motion" in one.method.needs else "newest"
    given = latencies.assumed(stream, method) is not None
    return [Camera(fps, take, tuple(spent.items()), given) for fps in stream.fps]


def _conditions(run: MethodRun, clip: str, camera: Camera) -> str:
    plain = run.folder.records[clip]
    return camera.conditions(plain.conditions, plain.files)
