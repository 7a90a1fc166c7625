"""AR-Seg's protocol: each labelled frame at each distance from a key frame; only that frame is scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.datasets.export import export
from vssbench.datasets.key_distances import Distances
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.progress import Progress
from vssbench.reports.read_runs import read
from vssbench.reports.tables.leaderboard import markdown
from vssbench.results.read_folder import read_folder
from vssbench.specs import parse
from vssbench.stats import compare_folders, intervals
from vssbench.testing import check_dataset

SMALL = "synthetic(clips=1,frames=8,height=32,width=48)"


@pytest.fixture
def plain() -> Synthetic:
    return Synthetic(clips=1, frames=8, height=32, width=48)


def test_cut_clip_ends_with_its_only_labelled_frame(plain: Synthetic) -> None:
    cut = Distances(plain, [0, 3])
    (source,) = plain.clips()
    whole = list(plain.frames(source))
    assert len(cut.clips()) == 8 + 5
    assert cut.missing == {0: 0, 3: 3}
    for clip in cut.clips():
        frames = list(cut.frames(clip))
        distance = int(clip.rpartition("-")[2])
        assert [frame.index for frame in frames] == list(range(distance + 1))
        assert [frame.labels is not None for frame in frames] == [False] * distance + [True]
        end = next(frame for frame in whole if frame.stem == frames[-1].stem)
        assert np.array_equal(frames[-1].labels, end.labels)
        assert np.array_equal(frames[0].image, whole[end.index - distance].image)


def test_cut_dataset_passes_check_dataset(plain: Synthetic) -> None:
    check_dataset(Distances(plain, [2]))


def test_distance_longer_than_every_clip_is_refused(plain: Synthetic) -> None:
    with pytest.raises(UserError, match="no labelled frame has 8 frames before it"):
        Distances(plain, [0, 8])


def test_no_cut_clip_spans_missing_frames(tmp_path: Path, arrays) -> None:
    """A clip has that many frames before the label without a gap, or there is no clip."""
    export(arrays(clip_count=1, length=20, size=(8, 8)), "cityscapes", tmp_path)
    for number in (16, 17):
        next(tmp_path.rglob(f"*_{number:06d}_leftImg8bit.png")).unlink()
    dataset = load_dataset("cityscapes", tmp_path)
    cut = Distances(dataset, [0, 1])
    assert cut.stems(cut.clips()[1]) == ["synthetic_000000_000018", "synthetic_000000_000019"]
    for distance in (2, 3, 5):
        with pytest.raises(UserError, match=f"no labelled frame has {distance} frames before it"):
            Distances(dataset, [0, distance])


def test_a_run_scores_every_distance_for_every_method(tmp_path: Path) -> None:
    truth = f"replay(predictions={_truth(tmp_path)})"
    methods = [truth, f"hold(key_interval=100,of={truth})"]
    spec = RunSpec(methods=methods, dataset=SMALL, distances=[0, 1, 2], latency=LatencySpec(enabled=False))
    perfect, held = run(spec, [parse(method) for method in methods], tmp_path / "run", False, Progress())
    for result in (perfect, held):
        assert [row["distance"] for row in result.by_distance] == [0, 1, 2]
        assert [row["pixels"] for row in result.by_distance] == [8 * 1536, 7 * 1536, 6 * 1536]
    assert [row["mIoU"] for row in perfect.by_distance] == [100.0] * 3
    assert held.by_distance[0]["mIoU"] == 100.0
    assert held.by_distance[2]["mIoU"] < held.by_distance[1]["mIoU"] < 100.0
    assert any("do not count: 1 at d=1, 2 at d=2" in caveat for caveat in perfect.caveats)


def _truth(tmp_path: Path) -> Path:
    """The ground truth as predictions, under the names of the cut clips."""
    import cv2

    cut = Distances(Synthetic(clips=1, frames=8, height=32, width=48), [0, 1, 2])
    (source,) = cut.dataset.clips()
    truth = dict(cut.dataset.labels(source))
    for clip in cut.clips():
        (tmp_path / "truth" / clip).mkdir(parents=True)
        for stem in cut.stems(clip):
            cv2.imwrite(str(tmp_path / "truth" / clip / f"{stem}.png"), truth[stem])
    return tmp_path / "truth"


def test_windows_of_one_clip_count_as_one_clip_in_intervals_and_tests(tmp_path: Path) -> None:
    """Clips that share frames: intervals and tests are over the clips they are cut from, and the table says so."""
    truth = f"replay(predictions={_truth(tmp_path)})"
    methods = [truth, f"hold(key_interval=100,of={truth})"]
    spec = RunSpec(methods=methods, dataset=SMALL, distances=[0, 1, 2], latency=LatencySpec(enabled=False))
    perfect, held = run(spec, [parse(method) for method in methods], tmp_path / "run", False, Progress())
    assert (held.dataset.clips, held.dataset.cut_from) == (8 + 7 + 6, 1)
    folders = [folder for folder in (tmp_path / "run").iterdir() if (folder / "result.json").exists()]
    for folder in folders:
        kept = read_folder(folder)
        assert {record.cut_from for record in kept.records()} == {"val_0000"}
        found = intervals(folder)["mIoU"]
        assert found.value == pytest.approx(kept.result.metrics["mIoU"], abs=1e-12)
        assert (found.clips, found.low, found.reason) == (1, None, "1 clip: an interval over clips needs 10")
    (comparison,) = compare_folders(folders).values()
    assert (comparison.clips, comparison.p) == (1, 1.0)  # one clip cannot show more
    assert abs(comparison.effect) == pytest.approx(perfect.metrics["mIoU"] - held.metrics["mIoU"])
    assert f"21 clips cut from 1, {held.dataset.frames} frames" in markdown(read([tmp_path / "run"]))


def test_codec_group_shorter_than_the_distance_is_refused(tmp_path: Path) -> None:
    spec = RunSpec(methods=["oracle"], dataset=SMALL, distances=[0, 4], codec="h264(gop=4)")
    with pytest.raises(UserError, match="a group of 4 frames"):
        run(spec, [parse("oracle")], tmp_path / "run", False, Progress())
