"""What each clip adds to a metric: every resample equals the evaluation under the protocol to the digit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tests.stats.made import drawn, label_space, records
from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.specs import parse
from vssbench.stats import interval, totals
from vssbench.stats.bootstrap import apply

METRICS = ["mIoU", "WIoU", "pixel_accuracy", "class_accuracy", "VC@2", "VC@5", "VCC@5", "mIoU(protocol=mmseg)"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("metric", METRICS)
def test_every_resample_equals_evaluate_to_the_digit(protocol, metric):
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


def test_only_the_listed_protocol_metric_pairs_are_undefined():
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


def test_sum_of_window_ratios_is_exact_to_the_last_bit():
    """Windows with one pixel in many, and with all pixels: one sum of floats of very different size."""
    whole = [2**40 - 1, 3, 7, 2**24 - 1, 1]
    rows = [whole, [1, 1, 6, 2**24 - 2, 1], whole, [1, 1, 6, 2**24 - 2, 1], [0] * 5]
    head = {"frames": 6, "labelled": 6}
    some = [ClipScore(name, 6, 6, {"consistency": [head | {"windows": {"2": rows}}]}) for name in "abc"]
    found = totals(some, label_space(2), "VC@2", "exact")
    expected = 100 * math.fsum(3 * [part / all_ for part, all_ in zip(rows[1], rows[0], strict=True)]) / 15
    assert found.value() == expected
