"""What a method or dataset offers beyond its protocol: looked up in one place; unusable hooks are reported."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.huggingface_models import saved, segformer
from tests.helpers.paths import ROOT
from vssbench import hooks, load_dataset, load_method
from vssbench.datasets.codec import Compressed
from vssbench.hooks import DATASET, METHOD, HookFault, faults, nominal_schedule, offered, usable
from vssbench.profile import made_frames
from vssbench.schedule import FixedInterval, OnChange
from vssbench.types import Weights


def test_absent_and_none_hooks_are_not_offered():
    assert offered(SimpleNamespace(), "scores") is None
    assert offered(SimpleNamespace(scores=None), "scores") is None
    assert offered(SimpleNamespace(scores=len), "scores") is len


def test_hooks_passed_on_by_getattr_are_offered():
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            if name == "gop":
                return 12
            raise AttributeError(name)

    assert offered(Proxy(), "gop") == 12
    assert offered(Proxy(), "scores") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network", "resnet"), ("parameter_counts", {"all": 3}), ("cost_module", 3), ("scores", [0.5]), ("gop", 0),
        ("gop", True), ("numerics", "bf16"), ("weights", "packaged"), ("weights", Weights), ("classes", 4.0),
        ("runs_inner", "often"), ("inner", "mpvss"), ("outside_torch", ["flow"]), ("outside_torch", {"nonkey": 3}),
        ("outside_torch", {"other": "flow"}), ("schedule", SimpleNamespace(key_interval="5")),
        ("side", "motion"), ("side", [3]), ("frame", 3), ("labelled", [0, 5]), ("video", "a.mp4"), ("split", 3),
    ],
)  # fmt: skip
def test_hook_of_the_wrong_type_is_a_fault(name: str, value: Any):
    owner = SimpleNamespace(name="odd", **{name: value})
    with pytest.raises(HookFault, match=f"odd: the hook {name} ") as caught:
        offered(owner, name)
    assert caught.value.expected == (METHOD | DATASET)[name].expected
    assert usable(owner, name) is None
    found = [fault.sentence for fault in faults(owner, METHOD if name in METHOD else DATASET)]
    assert found == [caught.value.sentence]


def test_attribute_error_inside_a_hook_property_is_a_fault():
    class Odd:
        name = "odd"

        @property
        def weights(self) -> Weights:
            return self.wieghts  # type: ignore[attr-defined,no-any-return]

    with pytest.raises(HookFault, match="odd: the hook weights raised AttributeError: 'Odd' object has no"):
        offered(Odd(), "weights")
    assert hooks.weights(Odd()) == Weights()


def test_every_hook_of_the_package_matches_its_protocol(tmp_path: Path):
    saved(tmp_path, segformer)
    model = f"huggingface(model={tmp_path})"
    for spec in ("flowwarp(of=segformer)", "hold(of=mrcfa)", "mpvss", "arseg", model, "oracle"):
        method = load_method(spec)
        assert list(faults(method)) == []
        for layer in hooks.layers(method):
            for name, hook in METHOD.items():
                if offered(layer, name) is not None:
                    assert isinstance(layer, hook.protocol), (spec, name)
    for dataset in (load_dataset("synthetic"), Compressed(load_dataset("synthetic"), None)):  # type: ignore[arg-type]
        assert list(faults(dataset, DATASET)) == []


def test_wrapper_without_weights_has_those_of_its_inner_method():
    inner = load_method("mpvss")
    around = load_method("hold(of=oracle)")
    around.inner = inner  # type: ignore[attr-defined]
    del around.weights  # type: ignore[attr-defined]
    assert hooks.weights(around).origin == "packaged"
    around.weights = Weights("untrained")  # type: ignore[attr-defined]
    assert hooks.weights(around).origin == "untrained"


def test_nominal_schedule_counts_the_frames_of_each_kind():
    def scheduled(**hook: Any) -> Any:
        return SimpleNamespace(**hook)

    assert nominal_schedule(scheduled(), has_nonkey=False) == {"key": 1}
    assert nominal_schedule(scheduled(), has_nonkey=True) is None
    assert nominal_schedule(scheduled(gop=12), has_nonkey=True) == {"key": 1, "nonkey": 11}
    assert nominal_schedule(scheduled(schedule=FixedInterval(5)), has_nonkey=True) == {"key": 1, "nonkey": 4}
    assert nominal_schedule(scheduled(schedule=OnChange()), has_nonkey=False) is None
    assert nominal_schedule(load_method("hold(of=mpvss,key_interval=3)"), has_nonkey=False) == {"key": 1, "nonkey": 14}


def test_made_motion_follows_the_interval_of_the_inner_method():
    frames = made_frames([load_method("hold(of=arseg(gop=4))")], (32, 48), 6)
    assert ["motion" in frame.side for frame in frames] == [index % 4 > 0 for index in range(6)]


def test_only_the_room_of_hooks_looks_up_hooks_by_name():
    """`getattr(method, "inner", ...)` and similar calls are in vssbench/hooks/ only."""
    names = "|".join([*METHOD, *DATASET])
    pattern = re.compile(rf"""(get|has)attr\([^()]*,\s*["']({names})["']""")
    files = [file for room in ("vssbench", "methods", "metrics", "reports") for file in (ROOT / room).rglob("*.py")]
    found = [str(file) for file in files if file.parent.name != "hooks" and pattern.search(Path(file).read_text())]
    assert found == []
