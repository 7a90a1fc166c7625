"""The ground truth as a method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vssbench import load_method
from vssbench.errors import UserError
from vssbench.testing import check_method, random_clip


def test_method_satisfies_the_contract() -> None:
    check_method("oracle", classes=4)


def test_predictions_are_the_labels_with_void_as_class_0() -> None:
    oracle = load_method("oracle")
    for frame in random_clip():
        prediction = oracle.decode(oracle.step(oracle.prepare(frame)))
        assert (prediction.kind, prediction.age) == ("key", 0)
        void = frame.labels == 255
        assert void.any()
        np.testing.assert_array_equal(prediction.labels[~void], frame.labels[~void])
        assert not prediction.labels[void].any()


def test_frame_without_labels_is_refused_by_name() -> None:
    frame = replace(random_clip("street")[3], labels=None)
    with pytest.raises(UserError, match=r"clip 'street', frame 3 \(000003\)"):
        load_method("oracle").prepare(frame)
