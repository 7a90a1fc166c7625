"""Progress without a terminal: a line every half minute, and nothing for short tasks."""

from __future__ import annotations

import pytest

from vssbench import progress
from vssbench.progress import Progress, clip_progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


def test_progress_is_a_line_with_the_time_left_every_half_minute(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    with Progress() as shown:
        shown.start(400)
        shown.show("mpvss", "val_0001")
        for _ in range(100):
            clock.now += 0.7
            shown.tick()
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        "vssbench: 43 of 400 frames, 0:04:10 left, mpvss  val_0001",
        "vssbench: 86 of 400 frames, 0:03:40 left, mpvss  val_0001",
    ]


def test_short_task_prints_no_progress(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    with clip_progress("score", 3) as advance:
        for clip in "abc":
            clock.now += 9.9
            advance(clip)
    assert capfd.readouterr().err == ""


def test_progress_counts_clips_where_frames_are_not_counted(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    with clip_progress("score", 3) as advance:
        clock.now += 40
        advance("a")
    assert capfd.readouterr().err == "vssbench: 1 of 3 clips, 0:01:20 left, score\n"
