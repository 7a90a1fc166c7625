"""`vssbench profile`: cost at a frame size, from made frames."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vssbench.bench.spec import LatencySpec
from vssbench.errors import UserError
from vssbench.load import load_method
from vssbench.profile import file_decoding, made_frames, profile
from vssbench.schedule import change, thumbnail

SCOPES = ["step", "step+decode", "end_to_end", "end_to_end+jpeg", "end_to_end+png"]
QUICK = LatencySpec(frames=6, warmup=0, rounds=1, seconds=60)


def test_profile_measures_methods_with_and_without_a_network():
    specs = ["segformer", "mpvss(key_interval=3)", "flowwarp(of=oracle)", "hold(of=oracle)"]
    found = profile({spec: load_method(spec) for spec in specs}, (64, 96), latency=QUICK)
    assert list(found) == specs
    for spec, one in found.items():
        assert list(one["fps"]) == SCOPES, spec
        rates = list(one["fps"].values())
        assert rates[0] > rates[1] > rates[2] > max(rates[3:]), spec
        assert one["latency_ms"]["all"]["step"]["n"] == 6
        assert one["energy"]["joules_per_frame"] is None
        assert one["energy"]["reason"]
        assert one["memory_mb"]["device_peak"] is None
    assert found["segformer"]["weights"] == "untrained"
    assert found["segformer"]["latency_ms"]["nonkey"] is None
    assert found["hold(of=oracle)"]["gflops"] is None
    assert found["hold(of=oracle)"]["params_m"] is None
    mpvss = found["mpvss(key_interval=3)"]
    assert mpvss["latency_ms"]["nonkey"]["step"]["n"] == 4
    cost = mpvss["gflops"]
    assert cost["amortised"] == pytest.approx((cost["key"] + 2 * cost["nonkey"]) / 3)
    by_schedule = (mpvss["latency_ms"]["key"]["step"]["mean"] + 2 * mpvss["latency_ms"]["nonkey"]["step"]["mean"]) / 3
    assert mpvss["fps"]["step"] == pytest.approx(1e3 / by_schedule)


def test_made_frames_move_enough_for_an_adaptive_schedule():
    frames = made_frames([], (64, 96), 12)
    assert [frame.index for frame in frames] == list(range(12))
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)}
    moved = [change(thumbnail(a.image), thumbnail(b.image)) for a, b in pairwise(frames)]
    assert min(moved) > 0.5


def test_made_motion_points_to_the_key_frame_of_the_group():
    asking = SimpleNamespace(needs=frozenset({"motion"}), gop=4)
    frames = made_frames([asking], (32, 48), 9)  # type: ignore[list-item]
    assert ["motion" in frame.side for frame in frames] == [index % 4 > 0 for index in range(9)]
    motion = frames[5].side["motion"]
    assert motion.shape == (32, 48, 2)
    assert np.abs(motion).max() > 0
    assert np.array_equal(motion, frames[5].side["flow"])  # one frame after the key frame, both point to it


def test_inputs_that_cannot_be_made_are_refused():
    with pytest.raises(UserError, match="depth"):
        made_frames([SimpleNamespace(needs=frozenset({"depth"}))], (32, 48), 2)  # type: ignore[list-item]
    several = [SimpleNamespace(needs=frozenset({"motion"}), gop=gop) for gop in (4, 12)]
    with pytest.raises(UserError, match="several gop"):
        made_frames(several, (32, 48), 2)  # type: ignore[arg-type]


def test_file_decoding_is_timed_on_files_of_the_made_frames():
    frames = made_frames([], (64, 96), 2)
    found = file_decoding(frames, repeats=2)
    assert {name: figures["n"] for name, figures in found.items()} == {"jpeg": 4, "png": 4}
    assert 0 < found["jpeg"]["bytes"] < found["png"]["bytes"] < 2 * frames[0].image.nbytes
    assert all(figures["mean"] > 0 for figures in found.values())


def test_method_that_fails_at_the_size_is_one_error_message():
    class Failing:
        name, needs, lookahead = "failing", frozenset(), 0

        def reset(self):
            pass

        def prepare(self, frame):
            raise torch.OutOfMemoryError("out of memory\nand a long story")

    with pytest.raises(UserError, match="latency pass at 32x48: failing failed: OutOfMemoryError: out of memory\n"):
        profile({"failing": Failing()}, (32, 48), latency=QUICK)  # type: ignore[dict-item]


@pytest.mark.parametrize("error", [RuntimeError("too small\nfor it"), MemoryError("too small"), KeyError("size")])
def test_network_that_cannot_be_counted_gets_a_note(error):
    def refuse(kind, size):
        raise error

    found = profile({"failing": SimpleNamespace(name="failing", cost_module=refuse)}, (32, 48))  # type: ignore[dict-item]
    assert found["failing"]["gflops"] is None
    assert re.search("cost_module of failing: [A-Za-z]+: ('size'|too small)$", found["failing"]["notes"][0])


def test_json_is_the_only_output_on_stdout(vssbench):
    status, out, err = vssbench(
        "profile", "--methods", "segformer,hold(of=oracle)", "--size", "64x96", "--no-latency", "--json"
    )
    assert status == 0
    found = json.loads(out)
    assert list(found["methods"]) == ["segformer", "hold(of=oracle)"]
    one = found["methods"]["segformer"]
    assert one["gflops"]["key"] == one["gflops"]["amortised"] > 0
    assert one["gflops"]["convention"] == "mac"
    assert one["gflops"]["uncounted"] == []
    assert one["params_m"] > 0
    assert (one["fps"], one["latency_ms"], one["memory_mb"]) == (None, None, None)
    assert found["environment"]["packages"]["torch"]
    assert "counting segformer" in err


def test_table_states_what_was_counted(vssbench):
    status, out, _ = vssbench("profile", "--methods", "flowwarp(of=segformer)", "--size", "64x96", "--no-latency")
    assert status == 0
    assert "agree within 1 %" in out
    assert "not counted (nonkey frames): dense optical flow" in out


def test_table_states_the_input_size_of_the_network(vssbench):
    specs = "arseg(backbone=tiny,scale=0.5),hold(of=oracle)"
    _, out, _ = vssbench("profile", "--methods", specs, "--size", "64x96", "--no-latency")
    assert out.count("the network sees a frame at") == 1
    assert "the network sees a frame at 64x96 (nonkey frames: 32x48), padding included" in out


def test_table_states_the_cost_of_each_frame_kind(vssbench):
    specs = "segformer,mpvss(key_interval=2),mpvss(key_interval=auto)"
    status, out, _ = vssbench("profile", "--methods", specs, "--size", "64x96", "--no-latency")
    assert status == 0
    every, fixed, adaptive = (line for line in out.splitlines() if "  GFLOPs per frame" in line)
    assert re.search(r"[\d.]+ on every frame$", every)
    assert re.search(r"key [\d.]+, nonkey [\d.]+, amortised [\d.]+ over the method's own interval$", fixed)
    assert adaptive.endswith("amortised not known")
    assert "note: no GFLOPs per frame: how often each kind runs depends on the video" in out


def test_table_marks_a_disagreement_between_the_flop_counters(vssbench):
    status, out, _ = vssbench(
        "profile", "--methods", "mrcfa(backbone=mit_b0,labels=vspw)", "--size", "480x853", "--no-latency"
    )
    assert status == 0
    assert "THE COUNTERS DISAGREE on matrix product of key frames" in out
    assert "fvcore counts a broadcast product once" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "segformer", "--size", "480*853"], "--size 480*853 is not valid"),
        (["--methods", "segformer", "--size", "0x5"], "--size 0x5 is not valid"),
        (["--methods", "segfromer", "--size", "64x96"], "did you mean 'segformer'"),
    ],
)
def test_mistake_in_profile_is_one_error_message(vssbench, words, message):
    status, out, err = vssbench("profile", *words)
    assert status == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
