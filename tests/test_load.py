"""From specs to objects: what a constructor asks for is given, and nothing else is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from vssbench import load_dataset, load_method, registry
from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.specs import Spec


class Recorder:
    """A method or dataset that remembers what it was built with."""

    needs: frozenset[str] = frozenset()
    lookahead = 0

    def __init__(self, backbone: str = "tiny", scale: float = 0.5, labels: str | None = None, device: str = "cpu",
                 checkpoint: object = None):  # fmt: skip
        self.built = (backbone, scale, labels, device, checkpoint)


class Bare:
    def __init__(self, *anything: object, of: str | Spec, context: Context, **more: object):
        self.inner, self.given = context.load(of), (anything, more)


class Store:
    def __init__(self, root: Path | None, split: str, clips: int = 2):
        self.built = (root, split, clips)


def unreadable(x: NotThere = 0): ...  # type: ignore[name-defined]  # noqa: F821


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"recorder": Recorder, "bare": Bare, "store": Store, "unreadable": unreadable}
    resolve = registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda group, name: made.get(name) or resolve(group, name))


def test_arguments_context_and_defaults() -> None:
    assert load_method("recorder").built == ("tiny", 0.5, None, "cpu", None)
    method = load_method("recorder(scale=1,backbone=r50)", checkpoint="a.pth", device="cuda:0", labels="vspw")
    assert method.built == ("r50", 1, "vspw", "cuda:0", "a.pth")
    assert method.name == "recorder(backbone=r50,scale=1)"
    assert load_method("recorder(labels=camvid)", labels="vspw").built[2] == "camvid"


def test_wrappers_hand_on_the_context() -> None:
    method = load_method("bare(of=bare(of=recorder(scale=0.25)))", checkpoint="a.pth", labels="vspw")
    assert method.inner.inner.built == ("tiny", 0.25, "vspw", "cpu", "a.pth")
    assert method.given == ((), {})
    files = {"recorder": {"hr": "h.pth", "lr": "l.pth"}}
    assert load_method("hold(of=recorder)", checkpoints=files).inner.built[4] == files["recorder"]


def test_dataset() -> None:
    dataset = load_dataset("store(clips=5)", root="somewhere", split="train")
    assert dataset.built == (Path("somewhere"), "train", 5)
    assert dataset.name == "store(clips=5)"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("recorder(backbon=r50)", "did you mean 'backbone'"),
        ("recorder(backbone=5)", "valid string"),
        ("recorder(scale=big)", "valid number"),
        ("recorder(scale=true)", "valid number"),
        ("recorder(device=cuda)", "no argument 'device'"),
        ("recorder(checkpoint=\"/etc/passwd\")", "no argument 'checkpoint'"),
        ("recorder@3", "no '@' number"),
        ("bare", "needs the argument 'of'"),
        ("bare(of=recorder,context=1)", "no argument 'context'"),
        ("bare(of=recodrer)", "unknown method 'recodrer'"),
        ("hold(of=oracle,key_interval=2.5)", "valid integer"),
        ("hold(of=oracle,key_interval=true)", "valid integer"),
        ("hold(of=\"no spec\")", "cannot read"),
        ("unreadable", "outside `if TYPE_CHECKING`"),
        ("recorder(", "position 10"),
    ],
)  # fmt: skip
def test_mistakes_are_one_message(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=None) as caught:
        load_method(spec)
    assert message in str(caught.value)


def test_a_checkpoint_may_be_for_one_spec_of_several(tmp_path):
    from vssbench.load import check_checkpoints
    from vssbench.specs import parse

    check_checkpoints(["mpvss(backbone=r50)"], [parse("hold(of=mpvss(backbone=r50))")])
    with pytest.raises(UserError, match="did you mean 'mpvss'"):
        check_checkpoints(["mpvs"], [parse("mpvss")])


def test_a_short_name_is_resolved_to_every_argument():
    from vssbench.load import load_method, resolved
    from vssbench.specs import parse

    spec = parse("hold(of=mrcfa,key_interval=3)")
    full = resolved(load_method(spec), spec)
    inner = "mrcfa(backbone=tiny,compile=false,dtype=float32,labels=synthetic,references=cached,resize=auto)"
    assert str(full) == f"hold(key_interval=3,of={inner},offset=0)"
    assert parse(str(full)) == full
    assert "labels=camvid" in str(resolved(load_method(spec, labels="camvid"), spec, "camvid"))
