"""From specs to objects: a constructor gets what it asks for, and nothing else is accepted."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from vssbench import load_dataset, load_method, registry
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.hooks import weights
from vssbench.load import Context, resolved
from vssbench.specs import Spec, parse
from vssbench.types import LabelSpace, Weights


class Silent:
    """The parts that every method has."""

    needs: frozenset[str] = frozenset()
    lookahead = 0

    def reset(self) -> None: ...
    def prepare(self, frame: object) -> None: ...
    def step(self, x: object) -> None: ...
    def decode(self, y: object) -> None: ...


class Recorder(Silent):
    """A method that remembers what it was built with."""

    def __init__(self, backbone: str = "tiny", scale: float = 0.5, labels: object = None, device: str = "cpu",
                 checkpoint: object = None):  # fmt: skip
        self.built = (backbone, scale, labels, device, checkpoint)


class Bare(Silent):
    def __init__(self, *anything: object, of: str | Spec, context: Context, **more: object):
        self.inner, self.given = context.load(of), (anything, more)


class Store:
    space = LabelSpace.plain("store", ["a"])
    clips = stems = frames = labels = print

    def __init__(self, root: Path | None, split: str, clips: int = 2):
        self.built = (root, split, clips)


def unreadable(x: NotThere = 0): ...  # type: ignore[name-defined]  # noqa: F821


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"recorder": Recorder, "bare": Bare, "store": Store, "unreadable": unreadable}
    resolve = registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda group, name: made.get(name) or resolve(group, name))


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A checkpoint."""
    (tmp_path / "a.pth").write_bytes(b"weights")
    return str(tmp_path / "a.pth")


def test_constructor_gets_arguments_context_and_defaults(file: str) -> None:
    assert load_method("recorder").built == ("tiny", 0.5, None, "cpu", None)
    method = load_method("recorder(scale=1,backbone=r50)", checkpoint=file, device="cuda:0", labels="vspw")
    assert method.built == ("r50", 1, load_space("vspw"), "cuda:0", file)
    assert method.name == "recorder(backbone=r50,scale=1)"
    assert load_method("recorder(labels=camvid)").built[2] is load_space("camvid")
    assert load_method("recorder(labels=camvid)", labels=load_space("camvid")).built[2] is load_space("camvid")
    with pytest.raises(UserError, match=r"the 11 classes of labels=camvid are not the 124 of the data \('vspw'\)"):
        load_method("recorder(labels=camvid)", labels="vspw")


def test_wrappers_pass_the_context_to_inner_methods(file: str) -> None:
    method = load_method("bare(of=bare(of=recorder(scale=0.25)))", checkpoint=file, labels="vspw")
    assert method.inner.inner.built == ("tiny", 0.25, load_space("vspw"), "cpu", file)
    assert method.given == ((), {})
    files = {"recorder": {"hr": file, "lr": file}}
    assert load_method("hold(of=recorder)", checkpoints=files).inner.built[4] == files["recorder"]


def test_dataset_gets_root_split_and_arguments() -> None:
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
def test_mistake_in_a_spec_is_one_error_message(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=None) as caught:
        load_method(spec)
    assert message in str(caught.value)


def test_checkpoint_must_name_a_method_or_spec_of_the_run(tmp_path):
    from vssbench.load import check_checkpoints
    from vssbench.specs import parse

    check_checkpoints(["mpvss(backbone=r50)"], [parse("hold(of=mpvss(backbone=r50))")])
    with pytest.raises(UserError, match="did you mean 'mpvss'"):
        check_checkpoints(["mpvs"], [parse("mpvss")])


def test_spec_is_resolved_to_every_argument():
    from vssbench.load import load_method, resolved
    from vssbench.specs import parse

    spec = parse("hold(of=mrcfa,key_interval=3)")
    full = resolved(load_method(spec), spec)
    inner = "mrcfa(backbone=tiny,compile=false,dtype=float32,labels=synthetic,references=cached,resize=auto)"
    assert str(full) == f"hold(key_interval=3,of={inner},offset=0)"
    assert parse(str(full)) == full
    assert "labels=camvid" in str(resolved(load_method(spec, labels="camvid"), spec, "camvid"))


def test_threads_reach_methods_and_datasets_that_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Threaded(Silent):
        def __init__(self, threads: int = 3):
            self.built = threads

    class ThreadedStore(Store):
        def __init__(self, root: Path | None, split: str, threads: int | None = None):
            self.built = threads  # type: ignore[assignment]

    made = {"threaded": Threaded, "store": ThreadedStore}
    resolve = registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda group, name: made.get(name) or resolve(group, name))
    assert load_method("threaded").built == 3
    assert load_method("threaded", threads=2).built == 2
    assert load_method("hold(of=threaded)", threads=2).inner.built == 2
    assert load_method("threaded(threads=1)", threads=2).built == 1  # the spec wins, as for labels
    assert load_dataset("store", threads=2).built == 2
    spec = Spec("threaded")
    assert (
        resolved(load_method(spec, threads=2), spec) == spec
    )  # threads are not part of what is measured, except for speed
    assert str(resolved(load_method("threaded(threads=1)"), parse("threaded(threads=1)"))) == "threaded(threads=1)"


def test_checkpoint_is_recorded_for_methods_that_do_not_report_weights(file: str, tmp_path: Path) -> None:
    sha = sha256(b"weights").hexdigest()
    assert weights(load_method("recorder", checkpoint=file)) == Weights("file", file, sha)
    assert weights(load_method("hold(of=recorder)", checkpoint=file)) == Weights("file", file, sha)
    branches = {"hr": file, "lr": file}
    assert weights(load_method("recorder", checkpoint=branches)) == Weights("file", f"{file}, {file}", f"{sha},{sha}")
    assert weights(load_method("recorder", checkpoint="untrained")).origin == "none"
    folder = weights(load_method("recorder", checkpoint=tmp_path)).sha256
    (tmp_path / "a.pth").write_bytes(b"others")
    assert weights(load_method("recorder", checkpoint=tmp_path)).sha256 != folder
    with pytest.raises(UserError, match=r"not_there.pth: no such file"):
        load_method("recorder", checkpoint="not_there.pth")


@pytest.mark.parametrize("spec", ["oracle", "hold(of=oracle)"])
def test_checkpoint_for_a_method_that_reads_none_is_refused(spec: str, file: str) -> None:
    with pytest.raises(UserError, match="oracle reads no checkpoint"):
        load_method(spec, checkpoint=file)


def test_failing_constructor_and_incomplete_method_are_one_error_message(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Silent):
        def __init__(self, size: int = 3):
            raise ZeroDivisionError("no size\nat all")

    class NoMethod:
        name = "half"

        def prepare(self, frame: object) -> None: ...

    made = {"failing": Failing, "half": NoMethod}
    monkeypatch.setattr(registry, "resolve", lambda group, name: made[name])
    with pytest.raises(UserError, match=r"failing.size=4.: Failing failed: ZeroDivisionError: no size\n"):
        load_method("failing(size=4)")
    with pytest.raises(UserError, match="half: is not a method: it lacks needs, lookahead, reset, step, decode\n"):
        load_method("half")
