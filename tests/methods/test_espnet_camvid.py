"""Real weights on real video: ESPNet's published CamVid network reproduces the known figures under every convention."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.helpers.command import vssbench
from tests.helpers.paths import SHARED

DATA = SHARED / "data" / "camvid"
WEIGHTS = SHARED / "reference" / "weights" / "espnet_p_2_q_8_camvid.pth"
KNOWN = SHARED / "reference" / "published" / "espnet_camvid_val.json"
RUNS = {
    "espnet": "camvid",
    "espnet(void=true)": "camvid",
    "espnet(void=false)": "camvid(labels=camvid12)",
}
"""Method -> data set: the best class alone, void too, and void as a class."""
CONVENTIONS = [
    ("class11_restricted", "espnet", "exact"),
    ("paper_restricted", "espnet", "espnet"),
    ("paper", "espnet(void=true)", "espnet"),
    ("class11_argmax12", "espnet(void=true)", "cityscapes"),
    ("class11_void_predictions_dropped", "espnet(void=true)", "detectron2"),
    ("camvid12", "espnet(void=false)", "exact"),
    ("camvid12", "espnet(void=false)", "arseg"),
]
"""Convention of the known figures, method, and the protocol by which the run is read."""
DEFINED = {"espnet": ["mIoU", "class_accuracy"], "arseg": ["mIoU"]}
"""The accuracies of protocols that lack some of the three."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if not (DATA / "val").is_dir() or not WEIGHTS.is_file():
        pytest.skip(f"no frames in {DATA}, or no {WEIGHTS}")
    folder = tmp_path_factory.mktemp("camvid")
    for number, (method, dataset) in enumerate(RUNS.items()):
        protocol = ("--protocol", "espnet") if "true" in method else ()  # under a stricter one void is not a prediction
        done = vssbench(
            "run", "--methods", method, "--dataset", dataset, "--data-root", DATA, "--split", "val", "--no-latency",
            "--checkpoint", f"espnet={WEIGHTS}", *protocol, "--output", folder / str(number),
        )  # fmt: skip
        assert done.status == 0, done.stderr
    return {method: folder / str(number) for number, method in enumerate(RUNS)}


@pytest.mark.slow
@pytest.mark.parametrize(("convention", "method", "protocol"), CONVENTIONS)
def test_published_weights_reproduce_the_known_figures_on_val(
    convention: str, method: str, protocol: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    known = json.loads(KNOWN.read_text())
    (source,) = runs[method].glob("*/result.json")
    assert json.loads(source.read_text())["weights"]["sha256"] == known["weights_sha256"]
    done = vssbench("report", runs[method], "--protocol", protocol, "--format", "csv", "--output", tmp_path)
    assert done.status == 0, done.stderr
    with (tmp_path / "leaderboard.csv").open() as file:
        (row,) = csv.DictReader(file)
    wanted = known["protocols"][convention]
    assert (row["protocol"], int(row["frames(labelled)"])) == (protocol, known["frames"])
    figures = {"mIoU": "mIoU", "class_accuracy": "class_average", "pixel_accuracy": "pixel_accuracy"}
    defined = [name for name in figures if row[name]]
    assert defined == DEFINED.get(protocol, list(figures))
    for name in defined:
        assert float(row[name]) == pytest.approx(wanted[figures[name]], abs=1e-4)
