"""A user's dataset with its own classes, through every verb: the checkerboard of the plug-in package."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.helpers.command import vssbench
from tests.helpers.described import CLASSES, describe, write_tree
from vssbench import datasets, load_dataset, registry, score
from vssbench.datasets.label_spaces import load_space
from vssbench.load import Context, innermost, load_method, resolved
from vssbench.networks.class_mapping import trained_for
from vssbench.registry import Entry
from vssbench.specs import parse

BOARD = ("black", "white")
NETWORKS = (
    "mask2former(backbone=tiny)",
    "mpvss(backbone=tiny)",
    "mrcfa(backbone=tiny)",
    "psp18(backbone=tiny)",
    "segformer(backbone=tiny)",
    "espnet(backbone=tiny)",
    "espnetv2",
    "hold(of=mask2former(backbone=tiny))",
)
FEW = ("--steps", 2, "--batch", 2, "--crop", "32x32", "--validation", "none")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> Iterator[None]:
    """The checkerboard as if the package were installed; `test_plugin.py` installs it for real."""
    source = Path(__file__).parent / "plugin_package" / "vssbench_example.py"
    spec = importlib.util.spec_from_file_location("vssbench_example", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "vssbench_example", module)
        patch.setattr(datasets, "BUILTIN", {**datasets.BUILTIN, "checkerboard": Entry("vssbench_example:Checkerboard")})
        registry.entries.cache_clear()
        yield
    registry.entries.cache_clear()


def verb(*arguments: object) -> str:
    """Return the standard output of a command that must succeed."""
    done = vssbench(*arguments)
    assert done.status == 0, done.stderr
    return done.stdout


def run(folder: Path, methods: str, *more: object) -> dict[str, Any]:
    arguments = ("run", "--methods", methods, "--dataset", "checkerboard(length=3)", "--no-latency", "--json")
    found: dict[str, Any] = json.loads(verb(*arguments, "--output", folder, *more))["methods"]
    return found


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board's frames as images, for predict."""
    folder = tmp_path_factory.mktemp("frames") / "across"
    folder.mkdir()
    for frame in load_dataset("checkerboard(length=3)").frames("across"):
        Image.fromarray(frame.image).save(folder / f"{frame.stem}.png")
    return folder.parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """mask2former trained for a few steps, and mpvss trained from it for a few more."""
    folder = tmp_path_factory.mktemp("trained")
    train = ("train", "--dataset", "checkerboard(length=3)", *FEW)
    verb(*train, "mask2former(backbone=tiny)", "--output", folder / "a")
    verb(*train, "mpvss", "--start", folder / "a" / "mask2former.safetensors", "--output", folder / "b")
    return {name: folder / part / f"{name}.safetensors" for name, part in (("mask2former", "a"), ("mpvss", "b"))}


@pytest.mark.parametrize("spec", NETWORKS)
def test_every_network_predicts_the_classes_of_the_dataset(spec: str) -> None:
    dataset = load_dataset("checkerboard(length=3)")
    method: Any = load_method(spec, "untrained", labels=dataset.space)
    for frame in dataset.frames("across"):
        y = method.step(method.prepare(frame))
        assert method.decode(y).labels.max() < 2
    full = resolved(method, parse(spec), dataset.space.name)
    assert f"labels={dataset.space.name}" in str(full)
    assert "mapping" not in str(full)
    again: Any = Context(dataset.space, checkpoints={innermost(full).name: "untrained"}).load(full)
    assert resolved(again, full, dataset.space.name) == full


def test_run_scores_networks_on_own_classes(tmp_path: Path) -> None:
    for spec, entry in run(tmp_path, "mask2former(backbone=tiny),mpvss(backbone=tiny)", "--allow-untrained").items():
        assert entry["metrics"]["mIoU"] is not None, spec
        assert entry["dataset"]["classes"] == list(BOARD)
        assert parse(entry["resolved"]).get("labels") == "checkerboard"


def test_trained_weights_state_their_classes_and_run_by_name(trained: dict[str, Path], tmp_path: Path) -> None:
    for path in trained.values():
        space = trained_for(path)
        assert space is not None
        assert (space.name, space.names, space.colours.tolist()) == ("checkerboard", BOARD, [[0] * 3, [255] * 3])
    files = [word for name, path in trained.items() for word in ("--checkpoint", f"{name}={path}")]
    found = run(tmp_path, "mask2former,mpvss", *files)
    for name, entry in found.items():
        assert (entry["weights"]["origin"], parse(entry["resolved"]).get("backbone")) == ("file", "tiny"), name
    assert "`mpvss`" in verb("report", tmp_path)
    assert "`mpvss`" in verb("report", tmp_path, "--protocol", "detectron2")


def test_predict_takes_the_classes_of_the_weights_and_score_reads_its_output(
    trained: dict[str, Path], frames: Path, tmp_path: Path
) -> None:
    words = ("predict", "mpvss", "--frames", frames, "--checkpoint", f"mpvss={trained['mpvss']}")
    told = json.loads(verb(*words, "--output", tmp_path / "own", "--overlay", "--json"))
    assert (told["labels"], told["frames"]) == ("checkerboard", 3)
    (tmp_path / "board.yaml").write_text("name: board\nclasses: [black, white]\n")
    for number, labels in enumerate(("checkerboard", tmp_path / "board.yaml")):
        verb(*words, "--labels", labels, "--output", tmp_path / str(number))
    for path in sorted((tmp_path / "own" / "across").iterdir()):
        pictures = [np.asarray(Image.open(tmp_path / folder / "across" / path.name)) for folder in ("own", "0", "1")]
        assert np.array_equal(pictures[0], pictures[1])
        assert np.array_equal(pictures[0], pictures[2])
    (tmp_path / "own" / "down").symlink_to(tmp_path / "own" / "across")
    scored = ("score", "--dataset", "checkerboard(length=3)", "--predictions", tmp_path / "own", "--protocol", "exact")
    assert json.loads(verb(*scored, "--json"))


@pytest.mark.parametrize("labels", ["camvid", "FILE"])
def test_predict_refuses_classes_that_differ_from_those_of_the_weights(
    labels: str, trained: dict[str, Path], frames: Path, tmp_path: Path
) -> None:
    (tmp_path / "swapped.yaml").write_text("classes: [white, black]\n")
    words = ("--labels", labels.replace("FILE", str(tmp_path / "swapped.yaml")), "--output", tmp_path / "out")
    checkpoint = ("--checkpoint", f"mpvss={trained['mpvss']}")
    done = vssbench("predict", "mpvss", "--frames", frames, *checkpoint, *words)
    assert done.status == 2
    assert "was trained for 2 classes of 'checkerboard'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_labels_argument_can_be_a_file_of_classes(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text("name: board\nclasses: [black, white]\n")
    (tmp_path / "other.yaml").write_text("classes: [white, black]\n")
    spec = parse(f"mask2former(backbone=tiny,labels={tmp_path}/board.yaml)")
    context = Context(load_dataset("checkerboard").space)
    assert resolved(context.load(spec), spec, "checkerboard").get("labels") == f"{tmp_path}/board.yaml"
    words = ("run", "--dataset", "checkerboard", "--no-latency", "--allow-untrained", "--output", tmp_path / "b")
    done = vssbench(*words, "--methods", str(spec).replace("board.yaml", "other.yaml"))
    assert done.status == 2
    assert "mapping=FILE" in done.stderr


def test_mapping_converts_the_classes_of_a_network(trained: dict[str, Path], tmp_path: Path) -> None:
    """The classes in the opposite order: the same pixels with the other class number, so the same mIoU."""
    board, weights = load_dataset("checkerboard(length=3)"), trained["mask2former"]
    (tmp_path / "swapped.yaml").write_text("classes: [light, dark]\n")
    (tmp_path / "map.yaml").write_text("light: [white]\ndark: [black]\n")
    swapped, mapping = load_space(f"{tmp_path}/swapped.yaml"), f"mapping={tmp_path}/map.yaml"
    frames = list(board.frames("down"))
    truth = np.array([frame.labels for frame in frames])

    def predictions(method: Any) -> list[np.ndarray]:
        return [method.decode(method.step(method.prepare(frame))).labels for frame in frames]

    plain = predictions(load_method("mask2former", weights, labels=board.space))
    mapped = predictions(load_method(f"mask2former(labels={tmp_path}/swapped.yaml,{mapping})", weights))
    in_a_run = predictions(load_method(f"mask2former({mapping})", weights, labels=swapped))
    assert np.array_equal(mapped, 1 - np.array(plain))
    assert np.array_equal(in_a_run, mapped)
    before, after = score(list(truth), plain, classes=board.space), score(list(1 - truth), mapped, classes=swapped)
    assert before["mIoU"] is not None
    assert before["mIoU"] > 0
    assert after.metrics == before.metrics
    assert after.per_class == {"light": before.per_class["white"], "dark": before.per_class["black"]}


def test_mapping_template_is_written_to_be_filled_in(trained: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "shade.yaml").write_text("classes: [dark, white]\n")
    spec = f"mask2former(labels={tmp_path}/shade.yaml)"
    words = (
        "profile",
        "--methods",
        spec,
        "--size",
        "32x32",
        "--no-latency",
        "--mapping-template",
        tmp_path / "map.yaml",
    )
    given = ("--checkpoint", f"mask2former={trained['mask2former']}")
    done = vssbench(*words, *given)
    assert (done.status, done.stdout) == (0, "")
    assert f"then pass mapping={tmp_path}/map.yaml" in done.stderr
    text = (tmp_path / "map.yaml").read_text()
    assert "dark:\nwhite: [white]\n" in text
    assert "#   0: black" in text
    assert "already exists" in vssbench(*words, *given).stderr
    (tmp_path / "map.yaml").write_text(text.replace("dark:", "dark: [black]"))
    mapped = spec.replace(")", f",mapping={tmp_path}/map.yaml)")
    verb("profile", "--methods", mapped, "--size", "32x32", "--no-latency", *given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mpvss(backbone=tiny)",), "MPVSS is trained from a per-frame Mask2Former"),
        (("mask2former(backbone=tiny,labels=camvid)",), "the 2 of the data ('checkerboard')"),
        (("mask2former(backbone=tiny,mapping=map.yaml)",), "training learns the classes of the data"),
        (("mask2former(backbone=tiny)", "--start", "PACKAGED"), "was trained for 11 classes of 'synthetic'"),
        (("psp18(backbone=tiny)", "--start", "PACKAGED"), "was trained for 11 classes of 'synthetic'"),
    ],
)
def test_training_that_does_not_fit_the_data_is_refused(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    packaged = Path(__file__).parents[1] / "methods" / "mask2former" / "tiny_synthetic.safetensors"
    words = [argument.replace("PACKAGED", str(packaged)) for argument in arguments]
    done = vssbench("train", "--dataset", "checkerboard", *FEW, *words, "--output", tmp_path / "out")
    assert done.status == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_batch_normalisation_on_one_small_crop_is_refused(tmp_path: Path) -> None:
    one = ("--steps", 2, "--batch", 1, "--crop", "32x32", "--validation", "none", "--output", tmp_path / "out")
    done = vssbench("train", "--dataset", "checkerboard", *one, "mask2former(backbone=tiny)")
    assert done.status == 2
    assert "a single value per channel in 1 crop of 32x32" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mrcfa(backbone=tiny)", "psp18(backbone=tiny)"])
def test_other_recipes_train_on_own_classes_and_run(method: str, tmp_path: Path) -> None:
    name = parse(method).name
    verb("train", "--dataset", "checkerboard(length=11)", *FEW, method, "--output", tmp_path / "a")
    found = run(tmp_path / "b", name, "--checkpoint", f"{name}={tmp_path / 'a' / name}.safetensors")
    assert parse(found[name]["resolved"]).get("backbone") == "tiny"


@pytest.mark.slow
def test_networks_that_learned_the_board_run_by_name(tmp_path: Path) -> None:
    """Eighty steps suffice to distinguish black and white, and the learned weights are what runs."""
    train = ("train", "--dataset", "checkerboard", "--batch", 4, "--crop", "32x32", "--validation", "none")
    verb(*train, "mask2former(backbone=tiny)", "--steps", 80, "--output", tmp_path / "a")
    start = tmp_path / "a" / "mask2former.safetensors"
    verb(*train, "mpvss", "--steps", 20, "--start", start, "--output", tmp_path / "b")
    files = ("--checkpoint", f"mask2former={start}", "--checkpoint", f"mpvss={tmp_path}/b/mpvss.safetensors")
    found = run(tmp_path / "c", "mask2former,mpvss", *files)
    assert found["mask2former"]["metrics"]["mIoU"] > 80
    assert found["mpvss"]["metrics"]["mIoU"] > 30  # one class everywhere: 25


@pytest.mark.slow
def test_described_folder_trains_and_runs_by_name(tmp_path: Path) -> None:
    """Trained weights state their classes and backbone, and are refused for different classes."""
    write_tree(tmp_path, {"a": 4, "b": 4})
    file = describe(tmp_path / "my_video.yaml", splits={"train": ["a"], "val": ["b"]})
    train = ("train", "--dataset", file, *FEW)
    verb(*train, "mask2former(backbone=tiny)", "--output", tmp_path / "m")
    start = tmp_path / "m" / "mask2former.safetensors"
    verb(*train, "mpvss", "--start", start, "--output", tmp_path / "p")
    weights = tmp_path / "p" / "mpvss.safetensors"
    space = trained_for(weights)
    assert space is not None
    assert (space.name, space.names) == ("mine", CLASSES)
    files = ("--checkpoint", f"mask2former={start}", "--checkpoint", f"mpvss={weights}")
    words = ("run", "--methods", "mask2former,mpvss", *files, "--no-latency", "--json", "--output", tmp_path / "r")
    found = json.loads(verb(*words, "--dataset", file))["methods"]
    for name, entry in found.items():
        assert (parse(entry["resolved"]).get("backbone"), entry["dataset"]["classes"]) == ("tiny", list(CLASSES)), name
    told = json.loads(
        verb(
            "predict", "mpvss", "--frames", tmp_path / "frames" / "a", *files[2:], "--output", tmp_path / "l", "--json"
        )
    )
    assert told["labels"] == "mine"
    torch.save(load_file(start), tmp_path / "bare.pth")
    words = ("run", "--no-latency", "--dataset", file, "--checkpoint", f"mask2former={tmp_path / 'bare.pth'}")
    done = vssbench(*words, "--methods", "mask2former", "--output", tmp_path / "o")
    assert "expected: weights of Mask2Former, backbone r50, 3 classes (mine)" in done.stderr
    assert "for a different backbone, write NAME(backbone=...)" in done.stderr
    verb(*words, "--methods", "mask2former(backbone=tiny)", "--output", tmp_path / "o")
    renamed = describe(tmp_path / "other.yaml", classes=["street", *CLASSES[1:]])
    done = vssbench(
        "run", "--methods", "mpvss", *files[2:], "--no-latency", "--dataset", renamed, "--output", tmp_path / "q"
    )
    assert done.status == 2
    assert "class 0 is road there, street here" in done.stderr
    assert "pass mapping=map.yaml" in done.stderr
