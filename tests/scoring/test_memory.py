"""Scoring streams its frames: memory does not grow with the clip, and decoding ahead changes no figure."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tests.metrics.accuracy.videos import still
from vssbench.metrics.plan import DEFAULT
from vssbench.scoring import folder as scoring
from vssbench.scoring.folder import Submission, score

SIZE = (240, 320)


@pytest.fixture
def submission(tmp_path):
    """Makes a VSPW layout of one clip of `frames` frames, which repeat six different ones."""

    def make(frames):
        root = tmp_path / str(frames)
        origin, *folders = root / "data" / "a" / "origin", root / "data" / "a" / "mask", root / "predictions" / "a"
        for seed, folder in enumerate(folders):
            folder.mkdir(parents=True)
            maps = still(np.random.default_rng(seed), (6, 24, 32), [1, 2, 3], 0.2).repeat(10, axis=1).repeat(10, axis=2)
            for index in range(frames):
                file = folder / f"{index:06d}.png"
                if index < len(maps):
                    Image.fromarray(maps[index]).save(file)
                else:
                    file.hardlink_to(folder / f"{index % len(maps):06d}.png")
        origin.mkdir()
        for index in range(frames):
            (origin / f"{index:06d}.jpg").touch()
        (root / "val.txt").write_text("a\n")
        return Submission("vspw", root, "val", root / "predictions", DEFAULT)

    return make


def peak(asked: Submission) -> int:
    """Return the bytes that scoring holds at most: the least of three, as threads of other tests may hold some too."""
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        score(asked)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return min(peaks)


@pytest.mark.parametrize("cores", [1, 2])
def test_scoring_memory_does_not_grow_with_clip_length(submission, monkeypatch, cores):
    monkeypatch.setattr(scoring.environment, "cores", lambda: cores)
    score(submission(20))  # from here on, what is loaded once and kept is in memory
    few, many = (peak(submission(frames)) for frames in (50, 250))
    one = SIZE[0] * SIZE[1]
    assert few > 3 * one  # the trace does see the current frames
    assert many - few < 40 * one  # names, counts, maps decoded ahead; 200 more frames would be 400 maps


def test_decoding_ahead_needs_a_second_core_and_changes_no_figure(submission, monkeypatch):
    asked, found = submission(20), []
    for cores, threads in ((1, 0), (2, 2)):
        started = []

        def ahead(items, started=started, real=scoring.ahead):
            started.append(items)
            return real(items)

        with monkeypatch.context() as patch:
            patch.setattr(scoring.environment, "cores", lambda cores=cores: cores)
            patch.setattr(scoring, "ahead", ahead)
            found.append(score(asked))
        assert len(started) == threads
    assert found[0] == found[1]
