"""Intervals and comparisons: the digits of the protocols, known answers, and coverage by simulation."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from time import process_time

import numpy as np
import pytest

from benchmarks.coverage import POPULATIONS, as_totals, coverage, trials, truth
from vssbench.errors import NotComparable, UserError
from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo
from vssbench.specs import parse
from vssbench.stats import LEAST_CLIPS, compare, compare_folders, holm, interval, intervals, totals
from vssbench.stats.bootstrap import apply, interval_of, sample, weights
from vssbench.stats.sign_flip import sign_flip
from vssbench.types import LabelSpace

METRICS = ["mIoU", "WIoU", "pixel_accuracy", "class_accuracy", "VC@2", "VC@5", "VCC@5", "mIoU(protocol=mmseg)"]


def label_space(classes):
    return LabelSpace.plain("made", [f"class{index}" for index in range(classes)])


def record(rng, clip, classes, skill=0.7, odd=None):
    """One clip with random counts: a few of the classes, some void, now and then a fully void window."""
    shown = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    cells = {}
    for label in [*shown.tolist(), classes]:
        for guess in [label % classes, *rng.choice(classes, 2).tolist(), *([] if odd is None else [odd])]:
            weight = skill if guess == label else 1 - skill
            cells[label * 256 + guess] = cells.get(label * 256 + guess, 0) + int(weight * rng.integers(1, 10**6))
    frames = int(rng.integers(3, 30))
    windows = {}
    for n in (2, 5):
        rows = np.zeros((5, max(0, frames - n + 1)), np.int64)
        rows[0] = rng.integers(0, 3 * 10**5, rows.shape[1]) * (rng.random(rows.shape[1]) < 0.9)
        rows[1], rows[2] = rows[0] * rng.random(rows.shape[1]), rows[0] // 3 * 2
        rows[3] = rows[2] * rng.random(rows.shape[1])
        rows[4] = rows[3] // 2
        windows[str(n)] = rows.tolist()
    counts = {"0": [sorted(cells), [cells[cell] for cell in sorted(cells)]]}
    confusion = {"counts": counts, "outside": [] if odd is None else [[odd, 0]]}
    head = {"frames": frames, "labelled": frames}
    states = {"confusion": [head | confusion], "consistency": [head | {"windows": windows}]}
    return ClipScore(clip, frames, frames, states)


def records(seed, clips, classes, **options):
    rng = np.random.default_rng(seed)
    return [record(rng, f"clip{index}", classes, **options) for index in range(clips)]


def drawn(some, counts):
    """The records of a resample, each with a name of its own."""
    return [
        dataclasses.replace(one, clip=f"{one.clip}-{copy}")
        for one, count in zip(some, counts, strict=True)
        for copy in range(count)
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("metric", METRICS)
def test_every_resample_has_the_digits_of_evaluate(protocol, metric):
    compared = 0
    for seed, classes in itertools.product(range(3), (2, 5, 124)):
        odd = classes if protocol in ("detectron2", "mmseg") and seed == 0 else None
        some, space = records(seed, 6, classes, odd=odd), label_space(classes)
        found = totals(some, space, metric, protocol)
        if isinstance(found, str):
            assert evaluate(protocol, space, some, [parse(metric)]).reasons[metric] == found
            continue
        counts = [np.ones(6, int), *np.random.default_rng(seed).multinomial(6, np.full(6, 1 / 6), size=5)]
        kept = [int(clip.removeprefix("clip")) for clip in found.clips]
        (fast,) = apply(found.columns, [(slice(None), found.read)], np.stack(counts)[:, kept])
        for row, value in zip(counts, fast.tolist(), strict=True):
            slow = evaluate(protocol, space, drawn(some, row), [parse(metric)]).metrics[metric]
            assert slow == value or (slow is None and math.isnan(value))
            compared += slow is not None
        assert interval(some, space, metric, protocol).value == fast[0]
    assert compared or protocol not in ("exact", "vspw")


def test_most_protocols_have_most_metrics():
    some, space = records(0, 6, 5), label_space(5)
    missing = {(p, m) for p in PROTOCOLS for m in METRICS if isinstance(totals(some, space, m, p), str)}
    assert missing == {
        *itertools.product(
            ("detectron2", "mmseg", "mmseg1", "cityscapes", "arseg", "espnet"), ("VC@2", "VC@5", "VCC@5")
        ),
        *itertools.product(("arseg",), ("WIoU", "pixel_accuracy", "class_accuracy")),
        *itertools.product(("espnet",), ("WIoU", "pixel_accuracy")),
        *itertools.product(("vspw_vc",), ("mIoU", "WIoU", "pixel_accuracy", "class_accuracy")),
    }


def test_ratios_add_up_to_the_last_bit():
    """Windows of one pixel in many, and of all pixels: floats of very different size in one sum."""
    whole = [2**40 - 1, 3, 7, 2**24 - 1, 1]
    rows = [whole, [1, 1, 6, 2**24 - 2, 1], whole, [1, 1, 6, 2**24 - 2, 1], [0] * 5]
    head = {"frames": 6, "labelled": 6}
    some = [ClipScore(name, 6, 6, {"consistency": [head | {"windows": {"2": rows}}]}) for name in "abc"]
    found = totals(some, label_space(2), "VC@2", "exact")
    expected = 100 * math.fsum(3 * [part / all_ for part, all_ in zip(rows[1], rows[0], strict=True)]) / 15
    assert found.value() == expected


def test_the_interval_narrows_with_clips_and_widens_with_the_level():
    space = label_space(5)
    few, many = (interval(records(0, clips, 5), space, "mIoU", "exact", resamples=2000) for clips in (20, 200))
    wide = interval(records(0, 20, 5), space, "mIoU", "exact", level=0.99, resamples=2000)
    assert wide.low < few.low < few.value < few.high < wide.high
    assert 2 < (few.high - few.low) / (many.high - many.low) < 5  # about the root of 10
    assert few.clips == 20


def test_a_mean_of_equal_clips_has_the_textbook_interval():
    """Pixel accuracy of clips of one size is a plain mean: Student's interval."""
    rng = np.random.default_rng(1)
    share = rng.normal(0.6, 0.1, 40)
    hit = np.round(10**6 * np.clip(share, 0, 1))
    areas = np.zeros((40, 3, 2))
    areas[:, 0, 0], areas[:, 1, 0], areas[:, 1, 1], areas[:, 2, 0] = 1e6, hit, 1e6 - hit, hit
    found = interval_of(sample(as_totals(areas, "exact", "pixel_accuracy"), 20_000))
    half = 2.0227 * (hit / 1e4).std(ddof=1) / math.sqrt(40)  # t quantile of 39 degrees of freedom
    assert found.value == pytest.approx((hit / 1e4).mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.03)
    assert (found.high + found.low) / 2 == pytest.approx(found.value, abs=half / 20)


def test_the_seed_decides():
    some, space = records(0, 20, 5), label_space(5)
    first, again, other = (interval(some, space, "mIoU", "exact", resamples=500, seed=seed) for seed in (3, 3, 4))
    assert first == again != other


def test_too_few_clips_have_no_interval_and_the_reason():
    space = label_space(5)
    for clips in (1, LEAST_CLIPS - 1):
        found = interval(records(0, clips, 5), space, "mIoU", "exact")
        assert found.value == evaluate("exact", space, records(0, clips, 5), [parse("mIoU")]).metrics["mIoU"]
        assert (found.low, found.high) == (None, None)
        assert f"{clips} clip" in found.reason
        assert str(LEAST_CLIPS) in found.reason
    assert interval(records(0, LEAST_CLIPS, 5), space, "mIoU", "exact", resamples=200).reason is None
    assert interval([], space, "mIoU", "exact").reason == "there are no clips"


def test_clips_without_a_window_do_not_make_an_interval():
    space, some = label_space(3), records(0, 30, 3)
    for index, one in enumerate(some[5:], 5):
        windows = {"2": [row[:2] for row in one.states["consistency"][0]["windows"]["2"]], "5": [[]] * 5}
        states = {name: [{**state[0], "frames": 3, "labelled": 3}] for name, state in one.states.items()}
        states["consistency"][0]["windows"] = windows
        some[index] = dataclasses.replace(one, frames=3, labelled=3, states=states)
    found = interval(some, space, "VC@5", "exact")
    assert found.low is None
    assert "5 clips" in found.reason
    assert interval(some, space, "VC@2", "exact", resamples=200).low is not None


def test_a_class_in_one_clip_leaves_arseg_without_an_interval():
    space, some = label_space(4), records(0, 30, 3)
    for one in some:  # counted for 3 classes: void moves from row 3 to row 4
        index = one.states["confusion"][0]["counts"]["0"][0]
        index[:] = [cell + 256 * (cell >= 3 * 256) for cell in index]
    index, counts = some[7].states["confusion"][0]["counts"]["0"]
    index.append(3 * 256 + 3)
    counts.append(10)
    found = interval(some, space, "mIoU", "arseg", resamples=1000)
    assert found.value is not None
    assert found.low is None
    assert "resamples" in found.reason
    assert interval(some, space, "mIoU", "exact", resamples=1000).low is not None


def test_what_cannot_be_measured_has_the_protocols_reason():
    some, space = records(0, 12, 5), label_space(5)
    assert interval(some, space, "VC@2", "mmseg").reason == "not defined by the protocol mmseg"
    assert interval(some, space, "VC@9", "exact").reason == "windows of 9 frames were not counted"
    assert (
        interval(some, space, "sharpness", "exact").reason == "no plugin that brings the metric sharpness is installed"
    )
    with pytest.raises(UserError, match="unknown protocol"):
        interval(some, space, "mIoU", "vspv")
    with pytest.raises(UserError, match="occurs twice"):
        interval([*some, some[0]], space, "mIoU", "exact")
    with pytest.raises(UserError, match="confidence level"):
        interval(some, space, "mIoU", "exact", level=95)


def better(some, share=0.1):
    """The same clips with a share of every class's wrong pixels put right."""
    made = json.loads(json.dumps([dataclasses.asdict(one) for one in some]))
    for one in made:
        index, counts = one["states"]["confusion"][0]["counts"]["0"]
        cells = dict(zip(index, counts, strict=True))
        for cell in list(cells):
            label, guess = divmod(cell, 256)
            if label != guess:
                moved = int(share * cells[cell])
                cells[cell] -= moved
                cells[label * 257] = cells.get(label * 257, 0) + moved
        one["states"]["confusion"][0]["counts"]["0"] = [sorted(cells), [cells[cell] for cell in sorted(cells)]]
    return [ClipScore(**one) for one in made]


@pytest.fixture(scope="module")
def pair():
    some = records(0, 30, 5)
    for one in some:  # void is no class to put right
        index, counts = one.states["confusion"][0]["counts"]["0"]
        kept = [(cell, count) for cell, count in zip(index, counts, strict=True) if cell < 5 * 256]
        one.states["confusion"][0]["counts"]["0"] = [[cell for cell, _ in kept], [count for _, count in kept]]
    return better(some), some


def test_a_small_gain_in_every_clip_is_found(pair):
    a, b = pair
    space = label_space(5)
    values = [interval(one, space, "mIoU", "vspw") for one in (a, b)]
    found = compare(a, b[::-1], space, "mIoU", "vspw")
    assert found.effect == values[0].value - values[1].value
    assert 0 < found.low < found.effect < found.high
    assert found.high - found.low < (values[0].high - values[0].low) / 2  # the clips' difficulty cancels
    assert found.p < 0.001
    back = compare(b, a, space, "mIoU", "vspw")
    assert back.effect == -found.effect
    assert back.p == found.p
    assert compare(a, b, space, "mIoU", "vspw", alternative="greater").p < 0.001
    assert compare(a, b, space, "mIoU", "vspw", alternative="less").p > 0.999
    exact, mmseg = (compare(a, b, space, "mIoU", protocol, resamples=200).effect for protocol in ("exact", "mmseg"))
    assert exact == mmseg  # no class is predicted only


def test_a_method_is_no_better_than_itself(pair):
    found = compare(pair[1], pair[1], label_space(5), "mIoU", "exact")
    assert (found.effect, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_both_methods_see_the_same_resamples(pair):
    a, b = (totals(one, label_space(5), "mIoU", "exact") for one in pair)
    found = compare(*pair, label_space(5), "mIoU", "exact", resamples=1000, seed=5)
    apart = sample(a, 1000, 5).drawn - sample(b, 1000, 5).drawn
    assert apart.min() > 0
    assert found.low == pytest.approx(np.quantile(apart, 0.025), abs=apart.std())


def test_sign_flips_swap_whole_clips_under_the_formula():
    """Few clips: all swaps, counted by hand with evaluate."""
    space = label_space(3)
    a, b = records(1, 5, 3, skill=0.8), records(1, 5, 3, skill=0.6)

    def miou(some):
        return evaluate("mmseg", space, some, [parse("mIoU")]).metrics["mIoU"]

    observed, extreme, above = miou(a) - miou(b), 0, 0
    for swaps in itertools.product([False, True], repeat=5):
        first = [two if swap else one for one, two, swap in zip(a, b, swaps, strict=True)]
        second = [one if swap else two for one, two, swap in zip(a, b, swaps, strict=True)]
        extreme += abs(miou(first) - miou(second)) >= abs(observed)
        above += miou(first) - miou(second) >= observed
    sums = [totals(some, space, "mIoU", "mmseg") for some in (a, b)]
    assert sign_flip(*sums, 10_000, 0) == extreme / 32
    assert sign_flip(*sums, 10_000, 0, "greater") == above / 32
    assert 0 < extreme < 32


def test_the_p_value_errs_as_often_as_it_says():
    """Two methods that are equally good: p below 0.05 in about 5 % of 400 data sets."""
    few = 0
    for trial in range(400):
        a, b = POPULATIONS["few"].draw(np.random.default_rng([trial, 7]), 20, shift=0)
        few += sign_flip(as_totals(a, "exact", "mIoU"), as_totals(b, "exact", "mIoU"), 300, trial) <= 0.05
    assert 10 <= few <= 31  # mean 20, standard deviation 4.4


def test_different_clips_are_not_comparable():
    some, space = records(0, 12, 5), label_space(5)
    with pytest.raises(NotComparable, match="clip11"):
        compare(some, some[:-1], space, "mIoU", "exact")
    other = [*some[:-1], dataclasses.replace(records(1, 12, 5)[0], clip="clip11")]
    with pytest.raises(NotComparable, match="ground truth"):
        compare(some, other, space, "mIoU", "exact")


def test_one_clip_has_an_effect_and_no_interval():
    a, b = (records(0, 1, 5, skill=skill) for skill in (0.7, 0.7))
    found = compare(a, b, label_space(5), "mIoU", "exact")
    assert found.effect == 0
    assert found.low is None
    assert found.reason.startswith("1 clip:")
    assert found.p == 1


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []
    with pytest.raises(UserError, match="no probability"):
        holm([1.5])


def write(folder, some, space, method, **changes):
    """A method's folder as a run leaves it."""
    folder.mkdir()
    names = [one.clip for one in some]
    frames = sum(one.frames for one in some)
    info = DatasetInfo(
        spec="made", split="val", labels="made", classes=list(space.names), clips=len(some), frames=frames,
        labelled=frames, fingerprint="f" * 64, names=names,
    )  # fmt: skip
    metrics = evaluate("exact", space, some, [parse("mIoU"), parse("VC@5")]).metrics
    result = RunResult(
        schema=1, method=method, dataset=info, protocol="exact", metrics=metrics, weights=WeightsInfo(origin="none")
    ).model_copy(update=changes)
    (folder / "result.json").write_text(result.to_json())
    lines = [
        ClipRecord(**dataclasses.asdict(one), kinds={"key": one.frames}, seconds={}).model_dump_json() + "\n"
        for one in some
    ]
    (folder / "clips.jsonl").write_text("".join(lines))
    return result


def test_intervals_of_a_folder(pair, tmp_path):
    result = write(tmp_path / "a", pair[0], label_space(5), "a")
    found = intervals(tmp_path / "a", resamples=500)
    assert {name: one.value for name, one in found.items()} == result.metrics
    assert all(one.low < one.value < one.high for one in found.values())
    assert found["mIoU"] == interval(pair[0], label_space(5), "mIoU", "exact", resamples=500)
    assert intervals(tmp_path / "a", protocol="arseg", resamples=500)["VC@5"].reason
    write(tmp_path / "b", pair[0], label_space(5), "b", metrics=None)
    assert intervals(tmp_path / "b") == {}
    lines = (tmp_path / "a" / "clips.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a" / "clips.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match="clip0"):
        intervals(tmp_path / "a")


def test_a_leaderboard_is_compared_in_pairs(pair, tmp_path):
    space, (a, b) = label_space(5), pair
    for name, some in {"a": a, "b": b[::-1], "same": b}.items():
        write(tmp_path / name, some, space, name)
    write(tmp_path / "cost", b, space, "cost", metrics=None)
    found = compare_folders([tmp_path / name for name in ("cost", "a", "b", "same")], resamples=1000)
    assert list(found) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert found[0, 1].reason == "measured for cost only"
    assert found[1, 2].p == 1 / 1001
    assert found[1, 2].adjusted == pytest.approx(3 / 1001)
    assert (found[2, 3].effect, found[2, 3].adjusted) == (0, 1)
    write(tmp_path / "other", a, space, "other", protocol="vspw")
    with pytest.raises(NotComparable, match="vspw"):
        compare_folders([tmp_path / "a", tmp_path / "other"])
    assert compare_folders([tmp_path / "a", tmp_path / "other"], protocol="exact", resamples=200)[0, 1].effect == 0


def test_neither_torch_nor_a_plot_is_imported():
    script = "import sys, vssbench.stats; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "vssbench.stats" in found
    assert not {"torch", "matplotlib", "pandas", "transformers"} & set(found)


def test_every_clip_is_drawn_as_often_as_any():
    counts = weights(50, 2000, 0)
    assert (counts.sum(1) == 50).all()
    assert abs(counts.mean(0) - 1).max() < 0.1


def test_ten_thousand_resamples_take_seconds():
    """Of processor time: the wall clock of a busy machine says nothing."""
    areas, _ = POPULATIONS["long"].draw(np.random.default_rng(0), 343)
    weights.cache_clear()
    began = process_time()
    interval_of(sample(as_totals(areas, "vspw", "mIoU")))
    assert process_time() - began < 10


@pytest.mark.slow
@pytest.mark.parametrize("population", POPULATIONS)
def test_coverage_at_100_clips(population):
    true = truth(POPULATIONS[population], 50_000)
    for title, rows in trials(POPULATIONS[population], 100, 400, 500).items():
        covered = coverage(rows["ours"], true[title])
        # 95 give or take two, and two of chance in 400 trials; pixel accuracy of the population "few" is at 90.75.
        assert 90 <= covered <= 99.5, (title, covered)
