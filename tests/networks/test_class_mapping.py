"""Weights name the classes that they were trained for: the data's classes, a mapping, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vssbench import LabelSpace, Weights, load_method
from vssbench.datasets.label_spaces import load_space, suite_name
from vssbench.errors import UserError
from vssbench.networks import packaged
from vssbench.networks.checkpoints import save
from vssbench.networks.class_mapping import ClassesDiffer, ForeignClasses, described, foreign_classes, trained_for
from vssbench.networks.mapping_file import equal_names, read_mapping, template
from vssbench.testing import random_clip

BOARD = LabelSpace.plain("board", ["black", "white"])
SMALL = "mask2former(backbone=tiny)"


def write(path: Path, space: LabelSpace, method: str = SMALL, **more: Any) -> Path:
    """Write an untrained network's file with the header that training writes."""
    network: Any = load_method(method, labels=space, checkpoint="untrained")
    record = {"method": method, **described(space), **more}
    save(path, network.network.state_dict(), {"training": json.dumps(record)})
    return path


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("board") / "board.safetensors", BOARD)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True))
def test_header_restores_the_whole_label_space(tmp_path_factory: Any, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("header") / "weights.safetensors"
    space = LabelSpace.plain("mine", names)
    save(path, {"x": torch.zeros(1)}, {"training": json.dumps(described(space))})
    found = trained_for(path)
    assert found is not None
    assert (found.name, found.names, found.colours.tolist()) == (space.name, space.names, space.colours.tolist())


def test_files_without_a_valid_header_name_no_classes(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pth")
    save(tmp_path / "bare.safetensors", {"x": torch.zeros(1)})
    records = [
        "[]",
        '{"labels": "mine"}',
        '{"labels": 3, "classes": 4}',
        '{"labels": [], "classes": ["a"], "colours": 0}',
    ]
    for number, record in enumerate(records):
        save(tmp_path / f"{number}.safetensors", {"x": torch.zeros(1)}, {"training": record})
    (tmp_path / "short").write_bytes(b"\xff" * 8)
    for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "nothing", "untrained"):
        assert trained_for(path) is None, path
    assert trained_for(None) is None


def test_packaged_networks_name_a_label_space_of_the_suite() -> None:
    for names in packaged.FILES.values():
        for name in [names] if isinstance(names, str) else names.values():
            trained = trained_for(packaged.root() / name)
            assert trained is not None
            assert suite_name(trained) == "synthetic"


def test_weights_trained_for_different_class_names_are_refused(board: Path, tmp_path: Path) -> None:
    swapped = LabelSpace.plain("board", ["white", "black"])
    with pytest.raises(UserError, match=r"2 classes of 'board'.*class 0 is black there, white here") as caught:
        load_method(SMALL, labels=swapped, checkpoint=board)
    assert "--mapping-template" in str(caught.value)
    assert str(board) in str(caught.value)
    assert len(str(caught.value).splitlines()) < 4
    with pytest.raises(UserError, match="not for the 11 of 'camvid'"):
        load_method(SMALL, labels="camvid", checkpoint=board)
    renamed = LabelSpace.plain("other", BOARD.names)
    assert load_method(SMALL, labels=renamed, checkpoint=board).weights.origin == "file"


def test_files_of_one_network_must_name_the_same_classes(tmp_path: Path) -> None:
    files = {
        part: write(tmp_path / f"{part}.safetensors", LabelSpace.plain("x", names))
        for part, names in (("hr", "ab"), ("lr", "ba"))
    }
    with pytest.raises(UserError, match="was trained for"):
        trained_for(files)


@pytest.mark.parametrize("method", ["mask2former", "mpvss", "hold(of=mask2former)"])
def test_weights_set_the_classes_and_backbone_of_the_method(method: str, board: Path) -> None:
    loaded: Any = load_method(method, checkpoint=board)
    inner = getattr(loaded, "inner", loaded)
    assert (inner.space.names, inner.backbone) == (BOARD.names, "tiny")


def test_backbone_in_a_different_methods_header_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", BOARD, "segformer(backbone=mit_b0)")
    with pytest.raises(UserError, match="backbone r50, 2 classes"):
        load_method("mask2former", checkpoint=path)


@pytest.mark.parametrize(
    "method", ["mask2former", "mask2former(decode=fast)", "mpvss", "videomt", "segformer(backbone=tiny)"]
)
def test_mapped_class_scores_are_the_maximum_over_the_joined_classes(method: str, tmp_path: Path) -> None:
    """Water and land from the synthetic classes: each has the largest score of the classes mapped to it."""
    name = method.partition("(")[0]
    path: Path | None = packaged.find(name, {"labels": "synthetic"}) if name != "segformer" else None  # type: ignore[assignment]
    path = path or write(tmp_path / "x.safetensors", load_space("synthetic"), method)
    theirs = load_space("synthetic").names
    space = LabelSpace.plain("shore", ["water", "land", "boat"])
    groups = {"water": ["water"], "land": [name for name in theirs if name not in ("water", "sky")], "boat": []}
    (tmp_path / "map.yaml").write_text(json.dumps(groups))
    arguments = method[method.index("(") + 1 : -1] + "," if "(" in method else ""
    plain: Any = load_method(method, checkpoint=path, labels="synthetic")
    ours: Any = load_method(f"{name}({arguments}mapping={tmp_path}/map.yaml)", checkpoint=path, labels=space)
    assert (ours.classes, ours.learned.names) == (3, theirs)
    for frame in random_clip(length=3, size=(64, 96)):
        y, z = plain.step(plain.prepare(frame)), ours.step(ours.prepare(frame))
        scores, joined = plain.scores(y), ours.scores(z)
        np.testing.assert_array_equal(joined[0], scores[3])
        np.testing.assert_array_equal(joined[1], np.delete(scores, (0, 3), axis=0).max(0))
        np.testing.assert_array_equal(ours.decode(z).labels, joined.argmax(0))
        assert not (ours.decode(z).labels == 2).any()


def test_mapping_needs_weights_that_name_their_classes(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("black: []\nwhite: [0]\n")
    with pytest.raises(UserError, match="needs weights that say"):
        load_method(f"mask2former(backbone=tiny,mapping={tmp_path}/map.yaml)", labels=BOARD)


def test_packaged_weights_match_by_class_names_not_by_label_space_name() -> None:
    other = LabelSpace.plain("synthetic", [f"class{number}" for number in range(11)])
    assert load_method(SMALL, labels=other).weights.origin == "untrained"
    same = LabelSpace.plain("synthetic", load_space("synthetic").names)
    assert load_method("mask2former", labels=same).weights.origin == "packaged"


NAME = st.text("abcXYZ éß_- ,:#'\"[]{}\n0123456789", min_size=1, max_size=6)
ADE = ["wall", "Road, route", "sky", "car", "car", "LABEL_5"]


def test_foreign_classes_with_equal_or_placeholder_names_need_no_mapping() -> None:
    for names in (["BLACK", "white"], ["LABEL_0", "LABEL_1"]):
        assert foreign_classes(names, BOARD, None, "model", "x") == ForeignClasses(BOARD)
    assert (
        foreign_classes(
            ["road", "traffic-light"], LabelSpace.plain("x", ["Road", "traffic light"]), None, "", ""
        ).groups
        is None
    )


def test_foreign_classes_are_matched_by_name_in_any_order_and_number() -> None:
    found = foreign_classes(["white", "grey", "Black"], BOARD, None, "model", "x")
    assert found.groups == ((2,), (0,))
    assert found.noted(Weights("file", note="ema")).note == (
        "ema; its classes are matched by name; 1 of 3 match none of the data's and are never predicted"
    )
    assert foreign_classes(["white", "black"], BOARD, None, "model", "x").noted(Weights("file")).note is None


@pytest.mark.parametrize(
    "names", [["black", "snow"], ["road", "sky"], ["black"], ["LABEL_0", "white"], ["LABEL_0", "LABEL_1", "LABEL_2"]]
)
def test_class_without_a_match_by_name_asks_for_a_mapping(names: list[str]) -> None:
    with pytest.raises(ClassesDiffer, match="--mapping-template") as caught:
        foreign_classes(names, BOARD, None, "model", "x")
    assert (caught.value.names, caught.value.space) == (names, BOARD)
    assert ", ".join(f"{number} {name}" for number, name in enumerate(names)) in str(caught.value)
    assert "0 black, 1 white" in str(caught.value)


def test_labels_model_uses_the_networks_own_classes() -> None:
    found = foreign_classes(ADE, "model", None, "model", "ade")
    assert (found.space.name, found.space.names, found.groups) == ("ade", tuple(ADE), None)
    assert len({tuple(colour) for colour in found.space.colours.tolist()}) == len(ADE)
    with pytest.raises(UserError, match="name them with labels="):
        foreign_classes(ADE, "model", "map.yaml", "model", "ade")


def test_mapping_template_holds_both_class_lists_and_must_be_completed(tmp_path: Path) -> None:
    space = LabelSpace.plain("mine", ["CAR", "Lane: left", "sky"])
    file = tmp_path / "map.yaml"
    file.write_text(template(ADE, space))
    assert file.read_text().splitlines()[2:] == [
        "CAR: [3, 4]",
        "'Lane: left':",
        "sky: [sky]",
        "# The network's other classes, which are never predicted unless they are listed above:",
        "#   0: wall",
        "#   1: 'Road, route'",
        "#   5: LABEL_5",
    ]
    with pytest.raises(UserError, match=r"map\.yaml:4:1: does not say yet what counts as Lane: left"):
        read_mapping(file, ADE, space)
    file.write_text(file.read_text().replace("left':", "left': ['Road, route', 5]"))
    assert read_mapping(file, ADE, space) == ((3, 4), (1, 5), (2,))


@given(st.lists(NAME, min_size=1, max_size=5, unique=True), st.lists(NAME, min_size=1, max_size=5))
def test_completed_mapping_template_maps_every_class(
    tmp_path_factory: pytest.TempPathFactory, ours: list[str], theirs: list[str]
) -> None:
    space = LabelSpace.plain("mine", ours)
    file = tmp_path_factory.mktemp("map") / "map.yaml"
    groups = equal_names(theirs, space)
    lines = template(theirs, space).splitlines()
    file.write_text("\n".join(f"{line} []" if line.endswith(":") else line for line in lines))
    if any(groups):
        assert read_mapping(file, theirs, space) == groups
    else:
        with pytest.raises(UserError, match="maps no class"):
            read_mapping(file, theirs, space)
