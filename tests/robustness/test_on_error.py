"""--on-error skip-clip: a clip that fails counts for no method, is listed with its reason, and may be fixed later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.class_zero import ClassZero
from tests.helpers.command import vssbench
from tests.robustness.made import assert_refused, vspw, write
from vssbench import methods, registry
from vssbench.metrics.accuracy.evaluate import read
from vssbench.registry import Entry
from vssbench.results.read_folder import read_folder
from vssbench.results.record import RunResult, read_result
from vssbench.specs import parse
from vssbench.types import Frame

MASK, IMAGE = "data/b/mask/001.png", "data/b/origin/001.jpg"


class FailsOnB(ClassZero):
    """Fails on the second frame of clip b."""

    name = "failsonb"

    def prepare(self, frame: Frame) -> Frame:
        if frame.clip == "b" and frame.index == 1:
            raise RuntimeError("out of luck\nand a long story")
        return frame


class FailsInReset(FailsOnB):
    name = "failsinreset"

    def reset(self) -> None:
        raise ValueError("nothing to forget")


@pytest.fixture(autouse=True)
def _own_methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for one in (FailsOnB, FailsInReset):
        monkeypatch.setitem(methods.BUILTIN, one.name, Entry(f"{__name__}:{one.__name__}"))
    registry.entries.cache_clear()
    yield
    registry.entries.cache_clear()


def arguments(
    root: Path, output: Path, *more: str, methods: str = "oracle,hold(of=oracle,key_interval=2)"
) -> list[str]:
    spec = output.with_suffix(".yaml")
    spec.write_text("metrics: [mIoU, VC@2]\nkeep_frames: 0\n")
    run = ["run", str(spec), "--methods", methods, "--dataset", "vspw", "--data-root", str(root), "--protocol", "exact"]
    return [*run, "--output", str(output), "--no-latency", "--json", *more]


def results(output: Path) -> dict[str, RunResult]:
    found = [read_result(file) for file in sorted(output.glob("*/result.json"))]
    return {result.method: result for result in found}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a mask cut short": lambda root: (root / MASK).write_bytes((root / MASK).read_bytes()[:40]),
    "an image cut short": lambda root: (root / IMAGE).write_bytes((root / IMAGE).read_bytes()[:200]),
    "a mask of another size": lambda root: write(root / MASK, np.zeros((5, 8), np.uint8)),
    "a frame of another size": lambda root: write(root / IMAGE, np.zeros((5, 8, 3), np.uint8)),
    "a 16-bit mask": lambda root: write(root / MASK, np.zeros((6, 8), np.uint16)),
    "a value without a meaning": lambda root: write(root / MASK, np.full((6, 8), 200, np.uint8)),
    "a mask without a frame": lambda root: (root / IMAGE).unlink(),
    "no frames": lambda root: [file.unlink() for file in (root / "data" / "b").glob("*/*")],
    "no clip": lambda root: (root / "data/b").rename(root / "data/other"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_unreadable_clip_stops_the_run_or_is_skipped_for_every_method(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    root = vspw(tmp_path / "vspw")
    damage(root)
    stopped = vssbench(*arguments(root, tmp_path / "stopped"))
    assert_refused(stopped)
    assert str(root) in stopped.stderr
    done = vssbench(*arguments(root, tmp_path / "run", "--on-error", "skip-clip"))
    assert done.status == 0, done
    for result in json.loads(done.stdout)["methods"].values():
        assert list(result["failed"]) == ["b"]
        assert str(root) in result["failed"]["b"]
        assert "\n" not in result["failed"]["b"]
        assert (result["dataset"]["names"], result["dataset"]["clips"]) == (["a", "c"], 2)
        assert (result["dataset"]["frames"], result["dataset"]["labelled"]) == (6, 6)
        assert any("1 clip that failed is left out for every method" in caveat for caveat in result["caveats"])
    assert "1 clip that failed is left out for every method" in (tmp_path / "run" / "leaderboard.md").read_text()


def test_numbers_are_over_the_remaining_clips_for_every_method(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    names = "oracle,failsonb,hold(of=oracle,key_interval=2)"
    assert vssbench(*arguments(root, tmp_path / "run", "--on-error", "skip-clip", methods=names)).status == 0
    found = results(tmp_path / "run")
    assert len({(result.dataset.fingerprint, *result.dataset.names) for result in found.values()}) == 1
    assert found["oracle"].failed["b"] == "clip 'b', frame 1 (001): failsonb failed: RuntimeError: out of luck"
    (root / "val.txt").write_text("a\nc\n")
    assert vssbench(*arguments(root, tmp_path / "without", methods=names)).status == 0
    for name, result in results(tmp_path / "without").items():
        assert (found[name].metrics, found[name].per_class) == (result.metrics, result.per_class)
        assert found[name].kinds == result.kinds


def test_leaderboard_names_the_clips_that_are_left_out(tmp_path: Path) -> None:
    clips = tuple(f"clip{number:02d}" for number in range(16))
    root = vspw(tmp_path / "vspw", clips, length=1)
    for count, named in ((2, "'clip00', 'clip01'; 'clip00': "), (14, "'clip10', 'clip11' and 2 more; 'clip00': ")):
        for clip in clips[:count]:
            (root / "data" / clip / "mask" / "000.png").write_bytes(b"")
        output = tmp_path / str(count)
        assert vssbench(*arguments(root, output, "--on-error", "skip-clip")).status == 0
        assert all(list(result.failed) == list(clips[:count]) for result in results(output).values())
        table = (output / "leaderboard.md").read_text()
        assert f"{count} clips that failed are left out for every method (--on-error skip-clip): 'clip00', " in table
        assert named in table


def test_results_that_lack_different_clips_differ_in_fingerprint(tmp_path: Path) -> None:
    for clip in "ab":
        root = vspw(tmp_path / clip)
        (root / "data" / clip / "mask" / "000.png").write_bytes(b"")
        assert vssbench(*arguments(root, tmp_path / f"run_{clip}", "--on-error", "skip-clip")).status == 0
    one, other = (results(tmp_path / f"run_{clip}")["oracle"].dataset for clip in "ab")
    assert one.clips == other.clips
    assert one.fingerprint != other.fingerprint


def test_fixed_clip_counts_after_resume(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    whole = (root / MASK).read_bytes()
    (root / MASK).write_bytes(b"")
    assert vssbench(*arguments(root, tmp_path / "run", "--on-error", "skip-clip")).status == 0
    (root / MASK).write_bytes(whole)
    assert vssbench(*arguments(root, tmp_path / "run", "--resume")).status == 0
    assert vssbench(*arguments(root, tmp_path / "fresh")).status == 0
    for name, result in results(tmp_path / "fresh").items():
        mended = results(tmp_path / "run")[name]
        assert (mended.metrics, mended.failed, mended.dataset) == (result.metrics, {}, result.dataset)


def test_records_of_left_out_clips_do_not_count_when_read_again(tmp_path: Path) -> None:
    """oracle has a record of clip b, which failed under the other method."""
    root = vspw(tmp_path / "vspw")
    assert (
        vssbench(*arguments(root, tmp_path / "run", "--on-error", "skip-clip", methods="oracle,failsonb")).status == 0
    )
    for file in (tmp_path / "run").glob("*/result.json"):
        kept = read_folder(file.parent)
        clips = kept.clips("exact")
        assert [record.clip for record in clips.all] == ["a", "c"]
        again = read(clips, [parse("mIoU")])
        assert again.metrics["mIoU"] == kept.result.metrics["mIoU"]


@pytest.mark.parametrize("method", ["failsinreset", "replay(predictions={root})"])
def test_run_in_which_every_clip_fails_is_refused(method: str, tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    failed = vssbench(
        *arguments(root, tmp_path / "run", "--on-error", "skip-clip", methods=f"oracle,{method.format(root=root)}")
    )
    assert_refused(failed)
    assert "every clip failed" in failed.stderr
    assert vssbench(*arguments(root, tmp_path / "run", "--resume", methods="oracle")).status == 0


@pytest.mark.slow
def test_workers_skip_the_same_clips(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    DAMAGES["a mask cut short"](root)
    kept: list[dict[str, Any]] = []
    for workers in ("1", "2"):
        output = tmp_path / workers
        assert vssbench(*arguments(root, output, "--on-error", "skip-clip", "--workers", workers)).status == 0
        kept.append({name: (result.metrics, result.failed, result.dataset) for name, result in results(output).items()})
    assert kept[0] == kept[1]


def test_method_that_fails_in_the_latency_pass_is_one_error_message(tmp_path: Path) -> None:
    """Without weights, it does not run earlier."""
    root = vspw(tmp_path / "vspw")
    run = ["run", "--methods", "failsinreset", "--dataset", "vspw", "--data-root", root, "--output", tmp_path / "run"]
    failed = vssbench(*run)
    assert_refused(failed)
    assert "failsinreset failed: ValueError: nothing to forget" in failed.stderr


def test_skipped_method_is_a_leaderboard_row_with_its_reason(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    names = "oracle,failsonb,replay(predictions=nowhere)"
    run = arguments(root, tmp_path / "run", "--on-error", "skip-method", methods=names)
    assert vssbench(*run).status == 0
    found = results(tmp_path / "run")
    assert [*found] == ["failsonb", "oracle", "replay(predictions=nowhere)"]
    assert found["oracle"].dataset.names == ["a", "b", "c"]
    assert found["failsonb"].metrics is None
    assert found["failsonb"].failure == "clip 'b', frame 1 (001): failsonb failed: RuntimeError: out of luck"
    assert "nowhere" in str(found["replay(predictions=nowhere)"].failure)
    table = (tmp_path / "run" / "leaderboard.md").read_text()
    assert "| `failsonb` [" in table
    assert "failed: clip 'b', frame 1 (001): failsonb failed" in table
    assert vssbench("verify", str(tmp_path / "run")).status == 0
    assert vssbench(*run, "--resume").status == 0
    assert results(tmp_path / "run")["oracle"].metrics == found["oracle"].metrics
    assert_refused(vssbench(*arguments(root, tmp_path / "none", "--on-error", "skip-method", methods="failsonb")))


def test_skipped_method_may_fail_in_the_latency_pass_first(tmp_path: Path) -> None:
    """Without weights, it does not run earlier."""
    root, spec = vspw(tmp_path / "vspw"), tmp_path / "quick.yaml"
    spec.write_text("metrics: [mIoU]\nlatency: {frames: 2, warmup: 1, rounds: 1}\n")
    where = ["--dataset", "vspw", "--data-root", root, "--protocol", "exact", "--on-error", "skip-method"]
    run = ["run", spec, *where, "--methods", "failsinreset,oracle", "--output", tmp_path / "run"]
    for again in ([], ["--resume"]):
        assert vssbench(*run, *again).status == 0
        found = results(tmp_path / "run")
        assert (found["oracle"].metrics, found["oracle"].failure) == ({"mIoU": 100.0}, None)
        assert found["oracle"].fps is not None
        assert "failsinreset failed: ValueError: nothing to forget" in str(found["failsinreset"].failure)
    alone = vssbench("run", spec, *where, "--methods", "failsinreset", "--output", tmp_path / "alone")
    assert_refused(alone)
    assert "every method failed" in alone.stderr
