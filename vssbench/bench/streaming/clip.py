"""Run one method over one clip as behind a camera: it sees only frames that it has time for, numbered from 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from vssbench.bench.clip import ahead, check_prediction, run_frame
from vssbench.errors import UserError, blaming
from vssbench.metrics.accuracy.on_show import OnShow
from vssbench.metrics.cost.camera import InTurn, Newest, Waiting, arrival, shown
from vssbench.results.streaming import Camera, StreamRecord
from vssbench.types import Frame, LabelSpace, Method, Prediction


def run_stream(
    method: Method,
    clip: str,
    frames: Callable[[], Iterable[Frame]],
    space: LabelSpace,
    classes: int,
    camera: Camera,
    tick: Callable[[], None] = lambda: None,
) -> StreamRecord:
    """Reset the method, run it on the frames that it takes, and score what is on show as each frame arrives.

    frames: opens the clip;  classes: upper bound of predicted ids, exclusive;  tick: called at each frame
    Raises UserError, naming clip and frame, where the method fails, or returns a kind whose latency is not known.
    """
    with blaming(method.name, f"clip {clip!r}"):
        method.reset()
    metric = OnShow(space, [])
    latency = dict(camera.latency)
    kinds: Counter[str] = Counter()
    ages: Counter[int] = Counter()
    total = labelled = before_first = 0

    def process(frame: Frame) -> tuple[Prediction, int]:
        taken = replace(frame, index=kinds.total())
        prediction, _ = run_frame(method, taken)
        check_prediction(method, taken, prediction, classes)
        kinds[prediction.kind] += 1
        return replace(prediction, age=0), _spent(method, clip, prediction.kind, latency)

    waiting: Waiting[Frame] = Newest() if camera.take == "newest" else InTurn(frames())
    arriving = ((arrival(frame.index, camera.fps), frame) for frame in ahead(frames()))
    for frame, on_show in shown(arriving, waiting, process):
        if on_show is None:
            metric.update_blank(frame)
            before_first += 1
        else:
            arrived, prediction = on_show
            metric.update(frame, prediction)
            ages[arrival(frame.index, camera.fps) - arrived] += 1
        total += 1
        labelled += frame.labels is not None
        tick()
    return StreamRecord(
        clip=clip,
        fps=camera.fps,
        frames=total,
        labelled=labelled,
        taken=kinds.total(),
        dropped=waiting.dropped,
        before_first=before_first,
        kinds=dict(kinds),
        ages={str(age): count for age, count in sorted(ages.items())},
        states={metric.name: metric.state()},
    )


def _spent(method: Method, clip: str, kind: str, latency: Mapping[str, int]) -> int:
    if kind not in latency:
        raise UserError(
            f"how long a {kind} frame takes is not known",
            where=f"{method.name}, clip {clip!r}",
            expected=f"latencies of every kind; there are: {', '.join(latency) or 'none'}",
            fix="more latency.frames in the run spec, so that each kind is timed, or stream.assume",
        )
    return latency[kind]
