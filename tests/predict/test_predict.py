"""`vssbench predict` as a user sees it: what it writes, what it refuses, and what remains when something fails."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vssbench import methods, registry
from vssbench.datasets.export import export
from vssbench.datasets.frames import Frames, decode
from vssbench.datasets.h264 import encode
from vssbench.datasets.label_spaces import load_space, spaces
from vssbench.datasets.read_pixels import read_image, read_indices
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.predict.pictures import blend, legend, overlay, palette
from vssbench.predict.stream import LabelFiles, Tally, label_space, predict
from vssbench.predict.video import fit
from vssbench.registry import Entry
from vssbench.scoring.folder import Submission, score
from vssbench.specs import parse
from vssbench.types import IGNORE, Frame, Prediction, Weights

CAMVID = load_space("camvid")
SIZE = (24, 40)


class Bands:
    """Class = brightness of the red channel, plus the frames since reset: shows what it saw, and in which order."""

    name, needs, lookahead, weights = "bands", frozenset[str](), 0, Weights()

    def reset(self) -> None:
        self.seen = 0

    def prepare(self, frame: Frame) -> Frame:
        return frame

    def step(self, x: Frame) -> np.ndarray:
        self.seen += 1
        return x.image[..., 0] // 32 + self.seen - 1

    def decode(self, y: np.ndarray) -> Prediction:
        return Prediction((y % CAMVID.classes).astype(np.uint8), "key" if self.seen == 1 else "nonkey", self.seen - 1)


class Untrained(Bands):
    weights = Weights("untrained")


class Moved(Bands):
    needs = frozenset({"motion"})

    def prepare(self, frame: Frame) -> np.ndarray:
        assert ("motion" in frame.side) == (frame.index % 12 > 0)
        return super().prepare(frame)


class Ranged(Bands):
    needs = frozenset({"lidar"})


@pytest.fixture(autouse=True)
def small_methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The methods of this file, under names of their own."""
    added = {kind.__name__.lower(): Entry(f"{__name__}:{kind.__name__}") for kind in (Bands, Untrained, Moved, Ranged)}
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Bands.__module__])
    monkeypatch.setattr(methods, "BUILTIN", {**methods.BUILTIN, **added})
    registry.entries.cache_clear()
    yield
    registry.entries.cache_clear()


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_NEAREST)


def write_clip(folder: Path, count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    folder.mkdir(parents=True)
    images = [picture(seed, size) for seed in range(count)]
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"f{index:03d}.png"), image[..., ::-1])
    return images


def write_video(path: Path, count: int, rate: int = 12, **options: str) -> None:
    import av

    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def bands(image: np.ndarray, since_reset: int) -> np.ndarray:
    return (image[..., 0] // 32 + since_reset) % CAMVID.classes


def test_folder_of_clips_becomes_label_files_and_overlays(vssbench, tmp_path):
    clips = {name: write_clip(tmp_path / "in" / name, count) for name, count in (("a", 3), ("b 2", 4))}
    before = tree(tmp_path)
    status, out, _ = vssbench(
        "predict", "bands", "--frames", tmp_path / "in", "--output", tmp_path / "out", "--overlay",
        "--labels", "camvid", "--json",
    )  # fmt: skip
    assert status == 0
    names = [f"{clip}/f{index:03d}" for clip, images in clips.items() for index in range(len(images))]
    written = {f"out/{name}.png" for name in names} | {f"out/overlays/{name}.jpg" for name in names}
    assert tree(tmp_path) - before == written
    for clip, images in clips.items():
        for index, image in enumerate(images):  # counted from the reset at the start of each clip
            file = tmp_path / "out" / clip / f"f{index:03d}.png"
            assert np.array_equal(read_indices(file), bands(image, index))
            assert np.array_equal(read_image(file), CAMVID.colours[bands(image, index)])  # shown in class colours
    result = json.loads(out)
    assert (result["frames"], result["clips"], result["labels"]) == (7, {"a": 3, "b 2": 4}, "camvid")
    assert result["kinds"] == {"key": 2, "nonkey": 5, "warmup": None}
    assert list(result["seconds"]) == ["prepare", "step", "decode", "write"]
    assert result["weights"]["origin"] == "none"
    assert min(result["seconds"].values()) > 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(spaces()))
def test_written_labels_read_back_and_replay_unchanged(data, name, tmp_path_factory):
    space = load_space(name)
    shape = st.tuples(st.integers(1, 9), st.integers(1, 9))
    labels = data.draw(arrays(np.uint8, shape, elements=st.integers(0, space.classes - 1)))
    root = tmp_path_factory.mktemp("labels")
    frame = Frame("c", 0, np.zeros((*labels.shape, 3), np.uint8), stem="s")
    LabelFiles(root, space)(frame, Prediction(labels, "key"))
    assert np.array_equal(read_indices(root / "c" / "s.png"), labels)
    again = load_method(f'replay(predictions="{root}")')
    assert np.array_equal(again.decode(again.step(again.prepare(frame))).labels, labels)


def test_written_files_score_like_the_predictions(vssbench, tmp_path):
    """Ground truth through predict, then scored: 100 %; the frames of a labelled dataset, as plain folders."""
    source = load_dataset("synthetic(clips=2,frames=3,height=32,width=48)")
    export(source, "camvid", tmp_path / "camvid")
    dataset = load_dataset("camvid", tmp_path / "camvid")
    for clip in dataset.clips():
        for frame in dataset.frames(clip):
            folder = tmp_path / "in" / clip
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{frame.stem}.png"), frame.image)
            assert frame.labels is not None
            labels = np.where(frame.labels == IGNORE, np.uint8(0), frame.labels)
            LabelFiles(tmp_path / "truth", dataset.space)(frame, Prediction(labels, "key"))
    status, *_ = vssbench(
        "predict", f'replay(predictions="{tmp_path / "truth"}")', "--frames", tmp_path / "in",
        "--output", tmp_path / "out", "--labels", "camvid", "--overlay",
    )  # fmt: skip
    assert status == 0
    assert (tmp_path / "out" / "overlays").is_dir()  # and score does not take it for a clip
    metrics = ("mIoU", "pixel_accuracy")
    found = score(Submission("camvid", tmp_path / "camvid", "val", tmp_path / "out", metrics))
    wanted = score(Submission("camvid", tmp_path / "camvid", "val", tmp_path / "truth", metrics))
    assert [clip.states for clip in found] == [clip.states for clip in wanted]
    status, out, _ = vssbench(
        "score", "--dataset", "camvid", "--data-root", tmp_path / "camvid", "--predictions", tmp_path / "out", "--json"
    )
    assert (status, json.loads(out)["metrics"]["mIoU"]) == (0, 100.0)


def test_side_by_side_video_shows_frame_and_prediction(vssbench, tmp_path):
    size = (41, 63)  # odd: 4:2:0 video has only even sizes
    images = write_clip(tmp_path / "in" / "a", 3, size)
    write_clip(tmp_path / "in" / "b", 2, (80, 50))  # a different size, fitted into the first
    film = tmp_path / "film.mp4"
    words = ["predict", "bands", "--frames", tmp_path / "in", "--labels", "camvid"]
    assert vssbench(*words, "--output", tmp_path / "out", "--video", film)[0] == 0
    shown = list(decode(film))
    assert len(shown) == 5
    assert shown[0].shape[1] == 2 * size[1]
    assert shown[0].shape[0] > size[0]
    blended = [blend(image, bands(image, index).astype(np.uint8), CAMVID) for index, image in enumerate(images)]
    for index in range(len(images)):  # lossy, so: much closer to what it should be than to any other
        left, right = shown[index][: size[0], : size[1]], shown[index][: size[0], size[1] : 2 * size[1]]
        for seen, right_ones, others in ((left, images, blended), (right, blended, images)):
            wrong = [distance(seen, other) for other in (*others, *right_ones[:index], *right_ones[index + 1 :])]
            assert 2 * distance(seen, right_ones[index]) < min(wrong)
    status, _, err = vssbench(*words, "--output", tmp_path / "again", "--video", film)
    assert (status, list((tmp_path / "again").iterdir())) == (2, [])
    assert "already exists" in err


def test_output_video_keeps_the_frame_rate_of_the_input(vssbench, tmp_path):
    write_video(tmp_path / "in.mp4", 9, rate=12)
    status, out, _ = vssbench(
        "predict", "bands", "--frames", tmp_path / "in.mp4", "--labels",
        "camvid", "--output", tmp_path / "out", "--video", tmp_path / "out.mkv", "--limit", 7, "--json",
    )  # fmt: skip
    assert (status, json.loads(out)["clips"]) == (0, {"in": 7})
    assert sorted(tree(tmp_path / "out")) == [f"in/{index:06d}.png" for index in range(7)]
    assert Frames(tmp_path / "out.mkv").rate("out") == Fraction(12)
    assert len(list(decode(tmp_path / "out.mkv"))) == 7


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_motion_comes_from_the_codec_for_folders_and_videos(vssbench, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("VSSBENCH_CACHE", str(tmp_path / "cache"))
    if kind == "folder":
        write_clip(tmp_path / "in", 14)
    else:
        encode(map(picture, range(14)), tmp_path / "in.mp4")
    source = tmp_path / ("in" if kind == "folder" else "in.mp4")
    status, _, error = vssbench(
        "predict", "moved", "--frames", source, "--output", tmp_path / "out", "--labels", "camvid"
    )
    assert status == 0, error
    assert len(tree(tmp_path / "out")) == 14
    assert (tmp_path / "cache").exists() == (kind == "folder")


def test_limit_counts_frames_over_all_clips(vssbench, tmp_path):
    for clip in "abc":
        write_clip(tmp_path / "in" / clip, 3)
    _, out, _ = vssbench(
        "predict", "bands", "--frames", tmp_path / "in", "--output", tmp_path / "out", "--labels", "camvid",
        "--limit", 4, "--json",
    )  # fmt: skip
    assert json.loads(out)["clips"] == {"a": 3, "b": 1}
    assert len(tree(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["oracle"], "oracle needs labels"),
        (["hold(of=oracle)"], "needs labels"),
        (["ranged"], "ranged needs lidar"),
        (["untrained"], "--checkpoint untrained=FILE; or --allow-untrained"),
        (["hold(of=untrained)"], "--checkpoint untrained=FILE"),
        (["nonsense"], "unknown method 'nonsense'"),
        (["bands", "--checkpoint", "band=x.pth"], "did you mean 'bands'"),
        (["bands", "--labels", "camvit"], "did you mean 'camvid'"),
        (["bands", "--video", "out.webm"], ".mp4 or .mkv or .mov"),
        (["bands", "--video", "nowhere/out.mp4"], "no such folder"),
        (["bands", "--device", "warp9"], "--device warp9"),
    ],
)
def test_invalid_arguments_are_one_error_message_and_write_nothing(vssbench, tmp_path, monkeypatch, words, message):
    write_clip(tmp_path / "in", 2)
    before = tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    labels = [] if "--labels" in words else ["--labels", "camvid"]
    status, out, err = vssbench("predict", *words, *labels, "--frames", "in", "--output", "out")
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert tree(tmp_path) == before


def test_label_space_comes_from_the_spec_or_the_command_line():
    assert label_space(parse("mpvss(labels=vspw)"), None, {}) is load_space("vspw")
    assert label_space(parse("hold(of=mpvss(labels=vspw))"), "vspw", {}) is load_space("vspw")
    assert label_space(parse("hold(of=mpvss)"), "camvid", {}) is load_space("camvid")
    with pytest.raises(UserError, match="camvid and vspw"):
        label_space(parse("hold(of=mpvss(labels=vspw))"), "camvid", {})
    with pytest.raises(UserError, match="--labels"):
        label_space(parse("mpvss"), None, {})


def test_untrained_method_predicts_with_allow_untrained(vssbench, tmp_path):
    write_clip(tmp_path / "in", 2)
    status, out, _ = vssbench(
        "predict", "untrained", "--frames", tmp_path / "in", "--output", tmp_path / "out", "--labels", "camvid",
        "--allow-untrained", "--json",
    )  # fmt: skip
    assert (status, json.loads(out)["weights"]["origin"]) == (0, "untrained")


@pytest.mark.parametrize("what", ["a file inside", "a file instead"])
def test_existing_output_is_refused_and_kept(vssbench, tmp_path, what):
    write_clip(tmp_path / "in", 2)
    kept = tmp_path / "out" / "kept" if what == "a file inside" else tmp_path / "out"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    words = ["predict", "bands", "--frames", tmp_path / "in", "--output", tmp_path / "out", "--labels", "camvid"]
    status, _, err = vssbench(*words)
    assert (status, kept.read_text()) == (2, "mine")
    assert "new" in err
    assert "empty folder" in err or "new folder" in err


def test_clip_names_that_leave_or_clash_with_the_output_are_refused(vssbench, tmp_path):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "...mp4", 3)  # its stem is ".."
    words = ["predict", "bands", "--output", tmp_path / "x" / "out", "--labels", "camvid", "--overlay", "--frames"]
    status, _, err = vssbench(*words, tmp_path / "in")
    assert (status, tree(tmp_path)) == (2, {"in/...mp4"})
    assert "'..'" in err
    write_clip(tmp_path / "clips" / "overlays", 2)
    status, _, err = vssbench(*words, tmp_path / "clips")
    assert (status, (tmp_path / "x").exists()) == (2, False)
    assert "overlays" in err


@pytest.mark.parametrize("stem", ["..", ".", "", "a/b", "../a", "/a", "a\0b"])
def test_label_files_are_not_written_outside_their_folder(tmp_path, stem):
    frame = Frame("c", 0, np.zeros((4, 4, 3), np.uint8), stem=stem)
    for broken in (frame, Frame(stem, 0, frame.image, stem="f")):
        with pytest.raises(UserError, match="cannot be a file name"):
            LabelFiles(tmp_path / "out", CAMVID)(broken, Prediction(np.zeros((4, 4), np.uint8), "key"))
    assert tree(tmp_path) == set()


def test_unreadable_frame_does_not_lose_the_frames_before_it(vssbench, tmp_path):
    write_clip(tmp_path / "in" / "a", 5)
    broken = tmp_path / "in" / "a" / "f003.png"
    broken.write_bytes(broken.read_bytes()[:60])
    film = tmp_path / "film.mp4"
    words = ["predict", "bands", "--frames", tmp_path / "in", "--output", tmp_path / "out", "--labels", "camvid"]
    status, out, err = vssbench(*words, "--video", film, "--json")
    assert (status, out) == (2, "")
    assert str(broken) in err
    assert "3 frames" in err
    assert "Traceback" not in err
    assert tree(tmp_path / "out") == {f"a/f{index:03d}.png" for index in range(3)}
    assert len(list(decode(film))) == 3  # and the unfinished video plays


@pytest.mark.parametrize(("name", "options"), [("in.mp4", {"movflags": "faststart"}), ("in.mkv", {})])
def test_truncated_video_is_reported_as_cut_short(vssbench, tmp_path, name, options):
    """Such files decode without complaint up to the cut."""
    path = tmp_path / name
    write_video(path, 40, **options)
    assert len(list(decode(path))) == 40
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    words = ["predict", "bands", "--frames", path, "--output", tmp_path / "out", "--labels", "camvid"]
    status, _, err = vssbench(*words)
    assert status == 2
    assert str(path) in err
    assert "cut short" in err
    assert 5 < len(tree(tmp_path / "out")) < 40


def test_full_disk_is_one_error_message_and_leaves_complete_frames(tmp_path):
    """A limit on file sizes stands in for the full disk: noisy labels exceed it, plain ones do not."""
    images = write_clip(tmp_path / "in" / "a", 4, (160, 160))
    noise = np.random.default_rng(0).integers(0, CAMVID.classes, (160, 160), dtype=np.uint8)
    for index in range(len(images)):
        labels = noise if index == 2 else np.zeros_like(noise)
        frame = Frame("a", index, images[index], stem=f"f{index:03d}")
        LabelFiles(tmp_path / "labels", CAMVID)(frame, Prediction(labels, "key"))
    script = "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
    script += "from vssbench.cli import main\nmain()"
    words = ["predict", f'replay(predictions="{tmp_path / "labels"}")', "--frames", tmp_path / "in"]
    words += ["--output", tmp_path / "out", "--labels", "camvid"]
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "f002.png: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(tmp_path / "out") == {"a/f000.png", "a/f001.png"}


def test_video_that_cannot_be_fully_written_is_one_error_message(tmp_path):
    write_clip(tmp_path / "in" / "a", 40, (160, 160))
    script = "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))\n"
    script += "from vssbench.cli import main\nmain()"
    truth = LabelFiles(tmp_path / "labels", CAMVID)
    for index, image in enumerate(write_clip(tmp_path / "same", 40, (160, 160))):
        truth(Frame("a", index, image, stem=f"f{index:03d}"), Prediction(np.zeros((160, 160), np.uint8), "key"))
    words = ["predict", f'replay(predictions="{tmp_path / "labels"}")', "--frames", tmp_path / "in", "--labels"]
    words += ["camvid", "--output", tmp_path / "out", "--video", tmp_path / "film.mp4"]
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "film.mp4: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(tree(tmp_path / "out")) > 0


class _Endless:
    """A dataset whose only clip is as long as requested and is not stored."""

    name, space, side = "endless", CAMVID, ()

    def __init__(self, length: int):
        self.length = length

    def clips(self) -> list[str]:
        return ["a"]

    def frames(self, clip: str) -> Iterator[Frame]:
        for index in range(self.length):
            yield Frame(clip, index, picture(index, (240, 320)), stem=str(index))


def test_memory_does_not_grow_with_clip_length(tmp_path):
    def peak(length: int) -> int:
        tracemalloc.start()
        predict(Bands(), _Endless(length), [LabelFiles(tmp_path / str(length), CAMVID)], Tally())  # type: ignore[arg-type]
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(10)  # imports and caches
    short, long = peak(20), peak(200)
    frame = 240 * 320 * 3
    assert long < short + 2 * frame


def test_overlay_blends_class_colours_over_the_frame():
    image, labels = picture(1), np.zeros(SIZE, np.uint8)
    labels[:, 20:], labels[:4] = 3, IGNORE
    assert np.array_equal(blend(image, labels, CAMVID, 0)[4:], image[4:])
    solid = blend(image, labels, CAMVID, 1)
    assert np.array_equal(solid[:4], image[:4])  # without a label there is nothing to show
    assert np.array_equal(solid[4:], palette(CAMVID)[labels[4:]])
    shown = overlay(Frame("c", 0, image), Prediction(labels, "key"), CAMVID)
    assert np.array_equal(shown[: SIZE[0]], blend(image, labels, CAMVID))
    assert shown.shape[0] > SIZE[0]


def test_legend_shows_only_the_classes_present():
    few, many = np.zeros(SIZE, np.uint8), np.arange(SIZE[0] * SIZE[1], dtype=np.uint32).reshape(SIZE) % CAMVID.classes
    few[0] = 4

    def colours(sheet: np.ndarray) -> set[tuple[int, ...]]:
        present = {tuple(colour) for colour in sheet.reshape(-1, 3).tolist()}
        return present & {tuple(colour) for colour in CAMVID.colours.tolist()}

    wide = legend(few, CAMVID, 900)
    assert colours(wide) == {tuple(CAMVID.colours[train_id].tolist()) for train_id in (0, 4)}
    assert len(colours(legend(many.astype(np.uint8), CAMVID, 1200))) == CAMVID.classes
    assert legend(many.astype(np.uint8), CAMVID, 900).shape == wide.shape
    narrow = legend(many.astype(np.uint8), CAMVID, 48)  # too narrow for any name, and still a legend
    assert narrow.shape[1] == 48


def test_fitting_a_picture_keeps_its_proportions():
    white = np.full((10, 20, 3), 255, np.uint8)
    assert fit(white, 10, 20) is white
    fitted = fit(white, 40, 40)
    assert fitted.shape == (40, 40, 3)
    assert fitted[10:30].min() == 255
    assert fitted[:10].max() == fitted[30:].max() == 0
