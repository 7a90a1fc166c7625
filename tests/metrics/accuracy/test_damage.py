"""Edited or damaged records: each is one message that names the clip; none is accepted, none causes a traceback."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.accuracy.videos import label_space, measure
from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.results.record import ClipRecord
from vssbench.specs import parse

SPACE = label_space(3)
SPECS = [parse("mIoU"), parse("VC@2")]


@pytest.fixture(scope="module")
def record() -> ClipScore:
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 3, (2, 20, 4, 6)).astype(np.uint8)
    guess[0, 0, 0] = 7  # an id that is not a class: "outside" has an entry
    return measure(SPACE, "street", truth, guess, SPECS, ages=[0, 1, 2, 0, 1] * 4)


def confusion(states: dict[str, Any]) -> dict[str, Any]:
    return states["confusion"][0]


def counts(states: dict[str, Any]) -> list[list[Any]]:
    return confusion(states)["counts"]["0"]


def windows(states: dict[str, Any]) -> list[list[Any]]:
    return states["consistency"][0]["windows"]["2"]


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "an index of -1": lambda states: counts(states)[0].__setitem__(0, -1),
    "an index of 10 000 000": lambda states: counts(states)[0].__setitem__(0, 10_000_000),
    "an index twice": lambda states: counts(states)[0].__setitem__(0, counts(states)[0][1]),
    "an index as text": lambda states: counts(states)[0].__setitem__(0, "0"),
    "a negative count": lambda states: counts(states)[1].__setitem__(0, -1_000_000),
    "a count of 1.9": lambda states: counts(states)[1].__setitem__(0, 1.9),
    "a count of true": lambda states: counts(states)[1].__setitem__(0, True),
    "frames of its own": lambda states: confusion(states).update(frames=-5),
    "labels of its own": lambda states: confusion(states).update(labelled="x"),
    "a count of 2**62": lambda states: counts(states)[1].__setitem__(0, 2**62),
    "a count of 2**80": lambda states: counts(states)[1].__setitem__(0, 2**80),
    "counts that overflow together": lambda states: counts(states).__setitem__(1, [2**52] * len(counts(states)[0])),
    "a count too few": lambda states: counts(states)[1].pop(),
    "a count too many": lambda states: counts(states)[1].append(1),
    "no counts": lambda states: counts(states).pop(),
    "counts that are no list": lambda states: confusion(states)["counts"].__setitem__("0", 5),
    "a distance of -7": lambda states: confusion(states)["counts"].update({"-7": [[0], [1]]}),
    "a distance of x": lambda states: confusion(states)["counts"].update(x=[[0], [1]]),
    "counts that are a list": lambda states: confusion(states).update(counts=[]),
    "a state that is no list": lambda states: states.update(confusion=3),
    "a state of nothing": lambda states: states.update(confusion=[None]),
    "outside ids that are none": lambda states: confusion(states).update(outside=[[1, 0]]),
    "outside without a frame": lambda states: confusion(states).update(outside=[[7]]),
    "outside in a frame that there is not": lambda states: confusion(states).update(outside=[[7, 99]]),
    "negative windows": lambda states: windows(states)[0].__setitem__(0, -3),
    "windows of another number": lambda states: windows(states)[1].pop(),
    "rows of windows that lack": lambda states: windows(states).pop(),
    "more consistent than constant": lambda states: windows(states)[1].__setitem__(0, windows(states)[0][0] + 1),
    "windows that are no list": lambda states: states["consistency"][0]["windows"].update({"2": 7}),
}


@pytest.mark.parametrize("protocol", ["exact", "vspw", "mmseg"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_metric_states_are_one_message_that_names_the_clip(
    record: ClipScore, damage: str, protocol: str
) -> None:
    states = copy.deepcopy(record.states)
    confusion(states)["outside"] = (
        [] if protocol == "exact" and "outside" not in damage else confusion(states)["outside"]
    )
    DAMAGE[damage](states)
    damaged = ClipScore("street", 20, 20, states)  # long enough for every protocol
    reads_windows = "windows" in damage or "consistent" in damage
    if protocol == "mmseg" and reads_windows:
        pytest.skip("the protocol has no windows")
    with pytest.raises(UserError, match="the record of clip 'street' is damaged") as caught:
        evaluate(protocol, SPACE, [damaged], SPECS)
    assert "clips.jsonl" in str(caught.value)


def test_counted_pixels_without_labelled_frames_are_refused(record: ClipScore) -> None:
    states = copy.deepcopy(record.states)
    confusion(states)["labelled"] = 0
    damaged = ClipScore("street", 20, 0, states)
    with pytest.raises(UserError, match="labelled frames where pixels are counted"):
        evaluate("mmseg", SPACE, [damaged], SPECS)


@pytest.mark.parametrize(
    "change",
    [
        {"frames": -5},
        {"labelled": 6},
        {"kinds": {"key": -1, "nonkey": 6}},
        {"kinds": {"k": 5}},
        {"seconds": {"step": -1.0}},
    ],
)
def test_invalid_frame_counts_or_times_of_a_record_are_refused_on_reading(
    record: ClipScore, change: dict[str, Any]
) -> None:
    good = {"clip": "a", "frames": 5, "labelled": 5, "kinds": {"key": 5}, "states": {}, "seconds": {}}
    ClipRecord.model_validate_json(json.dumps(good))
    with pytest.raises(ValueError):
        ClipRecord.model_validate_json(json.dumps(good | change))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_arbitrary_values_in_a_state_are_evaluated_or_one_user_error(record: ClipScore, data: st.DataObject) -> None:
    states: Any = copy.deepcopy(record.states)
    place, path = states, []
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        path.append((place, data.draw(st.sampled_from(keys))))
        place = path[-1][0][path[-1][1]]
        if data.draw(st.booleans()):
            break
    holder, key = path[-1]
    holder[key] = data.draw(ANY)
    for protocol in ("mmseg", "vspw"):
        with contextlib.suppress(UserError):
            evaluate(protocol, SPACE, [ClipScore("street", 20, 20, states)], SPECS)
