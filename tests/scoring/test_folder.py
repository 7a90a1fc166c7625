"""`vssbench score` on a small VSPW-like dataset on disk."""

from __future__ import annotations

import json
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import vssbench
from tests.metrics.accuracy.videos import measure
from vssbench.cli import main
from vssbench.datasets.label_spaces import load_space
from vssbench.load import load_dataset
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.metrics.plan import DEFAULT
from vssbench.scoring.folder import Submission, score
from vssbench.specs import parse

SIZE = (6, 8)
LENGTHS = {"short": 5, "long": 19, "longer": 24}


def save(values, path, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if palette:
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save(path)


@pytest.fixture
def data(tmp_path):
    """(root, predictions folder): grey and palette PNGs mixed, a little void, some classes only predicted."""
    rng = np.random.default_rng(0)
    for clip, length in LENGTHS.items():
        blocks = np.kron(rng.integers(0, 5, (3, 4), np.uint8), np.ones((2, 2), np.uint8))
        for index in range(length):
            mask = np.roll(blocks, index // 6, axis=1)
            guess = np.where(rng.random(SIZE) < 0.03, 9, np.maximum(mask, 1) - 1).astype(np.uint8)
            save(mask, tmp_path / "root" / "data" / clip / "mask" / f"{index:08d}.png", palette=clip == "long")
            save(guess, tmp_path / "predictions" / clip / f"{index:08d}.png", palette=clip == "longer")
            frame = tmp_path / "root" / "data" / clip / "origin" / f"{index:08d}.jpg"
            frame.parent.mkdir(exist_ok=True)
            frame.touch()  # scoring must not decode images
    (tmp_path / "root" / "val.txt").write_text("\n".join(LENGTHS) + "\n")
    return tmp_path / "root", tmp_path / "predictions"


@pytest.fixture
def run(data):
    """Call the command line; returns (exit status, stdout, stderr)."""

    def call(*arguments, predictions=None):
        root, folder = data
        base = ["score", "--dataset", "vspw", "--data-root", str(root)]
        return vssbench(*base, "--predictions", predictions or folder, *arguments)

    return call


def by_hand(data, protocol):
    """The same figures without the command: files are read here and metrics get arrays."""
    root, predictions = data
    space, clips = load_space("vspw"), []
    for clip in LENGTHS:
        stems = sorted(file.stem for file in (predictions / clip).iterdir())
        truth = np.stack([np.asarray(Image.open(root / "data" / clip / "mask" / f"{stem}.png")) for stem in stems])
        guess = np.stack([np.asarray(Image.open(predictions / clip / f"{stem}.png")) for stem in stems])
        clips.append(measure(space, clip, space.from_file[truth], guess))
    return evaluate(protocol, space, clips, [parse(metric) for metric in DEFAULT])


@pytest.mark.parametrize("protocol", [None, "exact", "mmseg"])
def test_json_of_one_protocol_matches_direct_evaluation(data, run, protocol):
    status, out, _ = run("--json", *(["--protocol", protocol] if protocol else []))
    result = json.loads(out)
    expected = by_hand(data, protocol or "vspw")
    assert status == 0
    assert result["protocol"] == (protocol or "vspw")
    assert result["metrics"] == expected.metrics
    assert result["reasons"] == expected.reasons
    assert result["skipped"] == expected.skipped
    assert list(result["per_class"].values()) == expected.per_class
    assert (result["clips"], result["frames"], result["labelled"]) == (3, 48, 48)
    if protocol is None:
        assert list(result["skipped"]) == ["short"]
        assert set(result["metrics"]) == set(DEFAULT)


def test_boundary_iou_of_several_widths_is_the_mean_of_its_classes(data, run):
    """Also without mIoU and the other metrics of the confusion matrix."""
    _, out, _ = run("--json", "--metrics", "BIoU,BIoU(width=0.2)")
    result = json.loads(out)
    assert list(result["metrics"]) == list(result["by_class"]) == ["BIoU", "BIoU(width=0.2)"]
    for metric, value in result["metrics"].items():
        counted = [one for one in result["by_class"][metric].values() if one is not None]
        assert 0 < value == pytest.approx(sum(counted) / len(counted))
    assert set(result["per_class"].values()) == {None}


def test_protocol_all_reports_every_protocol_and_explains_differences(run):
    _, out, _ = run("--protocol", "all", "--json")
    result = json.loads(out)
    assert list(result["protocols"]) == list(PROTOCOLS)
    assert result["protocol"] == "vspw"
    assert result["metrics"] == result["protocols"]["vspw"]["metrics"]
    assert any("leaves out 1 of 3" in line for line in result["differences"])
    status, table, _ = run("--protocol", "all")
    assert status == 0
    assert "detectron2" in table
    assert f"{result['metrics']['mIoU']:.2f}" in table
    assert "predicted but never annotated" in table


def test_two_workers_give_the_same_output_and_errors(data, run):
    assert run("--json", "--workers", "2") == run("--json")
    path = data[1] / "long" / "00000003.png"
    path.write_bytes(b"GIF89a")
    status, out, err = run("--json", "--workers", "2")
    assert (status, out) == (2, "")
    assert str(path) in err
    assert "Traceback" not in err


def test_metrics_option_selects_metrics_and_refuses_unknown_ones(run):
    _, out, _ = run("--json", "--metrics", "mIoU,VC@4,mIoU(protocol=mmseg)")
    assert list(json.loads(out)["metrics"]) == ["mIoU", "VC@4", "mIoU(protocol=mmseg)"]
    status, out, err = run("--metrics", "mIuO")
    assert (status, out) == (2, "")
    assert "did you mean 'mIoU'" in err


def test_missing_predictions_are_listed_before_any_file_is_read(data, run):
    root, predictions = data
    for index in range(7):
        (predictions / "long" / f"{index:08d}.png").unlink()
    for file in (predictions / "short").iterdir():
        file.unlink()
    (predictions / "short").rmdir()
    (predictions / "longer" / "00000000.png").write_bytes(b"not a PNG; must not be looked at")
    status, out, err = run("--json")
    assert (status, out) == (2, "")
    assert "folders missing: 8" in err
    assert "short/ (the whole clip)" in err
    assert "long/00000000.png" in err
    assert "and 3 more" in err
    assert "Traceback" not in err
    status, _, err = run(predictions=root / "nowhere")
    assert status == 2
    assert "no such folder" in err


def test_prediction_files_without_a_frame_are_a_caveat(data, run):
    """The numbering is off by one: every frame has a file, and one file is left over."""
    _, predictions = data
    for clip in ("short", "long"):
        for path in sorted((predictions / clip).iterdir(), reverse=True):
            path.rename(path.with_name(f"{int(path.stem) + 1:08d}.png"))
        save(np.zeros(SIZE, np.uint8), predictions / clip / "00000000.png")
    status, out, _ = run("--json")
    assert status == 0
    said = "2 prediction files fit no frame: short/00000005.png, long/00000019.png; is the numbering off by one?"
    assert json.loads(out)["caveats"] == [said]
    assert said in run("--metrics", "mIoU")[1]


def test_near_zero_score_names_the_suspected_numbering_error(data, run):
    """File values where train ids are expected: every prediction is right but one class off."""
    root, predictions = data
    for mask in root.glob("data/*/mask/*.png"):
        values = np.asarray(Image.open(mask))
        save(np.where(values == 0, 1, values), predictions / mask.parts[-3] / mask.name)
    status, out, _ = run("--json", "--metrics", "mIoU,VC@8")
    result = json.loads(out)
    assert (status, result["metrics"]["mIoU"], result["metrics"]["VC@8"] > 99) == (0, 0.0, True)
    assert "the prediction is the file value of the label's class (vspw: 1 for wall)" in result["caveats"][-1]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.zeros((5, 8), np.uint8), "is 5x8"),
        (np.zeros((*SIZE, 3), np.uint8), "colour"),
        (np.zeros(SIZE, np.uint16), "16 bits"),
        (None, "not a PNG"),
    ],
)
def test_unusable_prediction_file_is_named_in_the_error(data, run, broken, message):
    path = data[1] / "long" / "00000003.png"
    if broken is None:
        path.write_bytes(b"GIF89a, or some such")
    else:
        save(broken, path)
    status, out, err = run()
    assert (status, out) == (2, "")
    assert str(path) in err
    assert message in err
    assert "Traceback" not in err


def test_predicted_id_outside_the_classes_is_refused_by_some_protocols(data, run):
    path = data[1] / "long" / "00000003.png"
    values = np.array(Image.open(path))
    values[0, 0] = 255
    save(values, path)
    status, out, err = run("--protocol", "exact", "--json")
    assert (status, out) == (2, "")
    assert "255" in err
    assert "clip long, frame 3" in err
    result = json.loads(run("--protocol", "all", "--json")[1])
    assert result["protocols"]["exact"]["metrics"]["mIoU"] is None
    assert "255" in result["protocols"]["detectron2"]["reasons"]["mIoU"]
    assert result["protocols"]["mmseg"]["metrics"]["mIoU"] is not None
    assert any("refuses" in line for line in result["differences"])


def test_unknown_protocol_and_missing_dataset_are_refused(run, monkeypatch, capsys):
    status, _, err = run("--protocol", "vspv")
    assert status == 2
    assert "did you mean 'vspw'" in err
    monkeypatch.setattr(sys, "argv", ["vssbench", "score"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "which dataset" in capsys.readouterr().err


class Sparse:
    """A dataset whose every third frame is labelled."""

    name = "sparse"
    space = load_space("camvid")

    def clips(self):
        return ["a"]

    def stems(self, clip):
        return [f"{index}" for index in range(20)]

    def labels(self, clip):
        for index, stem in enumerate(self.stems(clip)):
            yield stem, np.full(SIZE, 1, np.uint8) if index % 3 == 0 else None


def test_frames_without_labels_need_no_prediction(tmp_path, monkeypatch):
    monkeypatch.setattr(Submission, "open", lambda self: Sparse())
    for index in range(0, 20, 3):
        save(np.full(SIZE, 1, np.uint8), tmp_path / "a" / f"{index}.png")
    submission = Submission("sparse", None, "val", tmp_path, DEFAULT)
    clips = score(submission)
    assert (clips[0].frames, clips[0].labelled) == (20, 7)
    found = evaluate("exact", Sparse.space, clips, [parse(metric) for metric in DEFAULT])
    assert found.metrics["mIoU"] == 100.0
    assert found.metrics["VC@8"] is None
    assert "without labels" in found.reasons["VC@8"]
    (tmp_path / "a" / "9.png").unlink()
    with pytest.raises(Exception, match=r"missing: 1 \(.*a/9\.png"):
        score(submission)


def test_flow_from_files_needs_no_images_and_pairs_only_adjacent_frames(data):
    """The images here are empty files. Frame 3 of a clip is missing: 2 and 4 are not a pair."""
    root, predictions = data
    for folder in (root / "data" / "long" / "mask", predictions / "long"):
        (folder / f"{3:08d}.png").unlink()
    (root / "data" / "long" / "origin" / f"{3:08d}.jpg").unlink()
    flow = b"PIEH" + struct.pack("<ii", *SIZE[::-1]) + bytes(8 * SIZE[0] * SIZE[1])
    for clip in LENGTHS:
        (root / "flow" / clip).mkdir(parents=True)
        for mask in (root / "data" / clip / "mask").iterdir():
            (root / "flow" / clip / f"{mask.stem}.flo").write_bytes(flow)
    spec = f'TC(flow=files,root="{root / "flow"}")'
    for workers in (1, 2):
        scores = score(Submission("vspw", root, "val", predictions, (spec, "mIoU")), workers)
        pairs = [len(one.states["temporal"][0]["pairs"]["files,occlusion=false"]) for one in scores]
        assert pairs == [LENGTHS["short"] - 1, LENGTHS["long"] - 3, LENGTHS["longer"] - 1]
    found = evaluate("vspw", load_space("vspw"), scores, [parse(spec)]).metrics[str(parse(spec))]
    assert found is not None
    assert 0 < found < 100  # predictions flicker under zero flow
    plain = score(Submission("vspw", root, "val", predictions, ("mIoU",)))
    assert [one.states["confusion"] for one in plain] == [one.states["confusion"] for one in scores]


def test_score_has_intervals_and_refuses_streaming_metrics(tmp_path):
    dataset, metrics = "synthetic(clips=10,frames=4,height=16,width=24)", "mIoU,BIoU,TC(flow=exact)"
    opened, rng = load_dataset(dataset), np.random.default_rng(0)
    for clip in opened.clips():
        for stem, labels in opened.labels(clip):
            save(np.where(rng.random(labels.shape) < 0.2, 0, labels).astype(np.uint8), tmp_path / clip / f"{stem}.png")
    base = ["score", "--dataset", dataset, "--predictions", tmp_path]
    done = vssbench(*base, "--metrics", metrics, "--json")
    found = json.loads(done.stdout)
    assert list(found["intervals"]) == metrics.split(",")
    for name, (low, high) in found["intervals"].items():
        assert low < found["metrics"][name] < high
    text = vssbench(*base, "--metrics", metrics).stdout
    low, high = found["intervals"]["mIoU"]
    assert f"[{low:.1f}, {high:.1f}]" in text
    assert "in brackets the 95 % confidence interval over clips" in text
    done = vssbench(*base, "--metrics", "mIoU,sIoU(fps=30)")
    assert done.status == 2
    assert "sIoU is not a metric: predictions alone do not say when each of them was ready" in done.stderr
    assert "vssbench run ... --stream 30" in done.stderr
