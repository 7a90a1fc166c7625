"""A dataset through the codec: the same labels with decoded frames, and motion close to the exact flow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.datasets.h264 import encoded
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.specs import parse


@pytest.fixture
def plain() -> Synthetic:
    return Synthetic(clips=1, frames=24, height=64, width=96)


def test_labels_and_names_are_kept_and_every_inter_frame_has_motion(tmp_path: Path, plain: Synthetic) -> None:
    compressed = Compressed(plain, CodecSpec.read("h264(gop=8)", "synthetic"), tmp_path)
    (clip,) = plain.clips()
    original, decoded = list(plain.frames(clip)), list(compressed.frames(clip))
    assert [frame.index for frame in decoded if "motion" not in frame.side] == [0, 8, 16]
    for before, after in zip(original, decoded, strict=True):
        assert (before.clip, before.index, before.stem) == (after.clip, after.index, after.stem)
        assert np.array_equal(before.labels, after.labels)
        assert before.image.shape == after.image.shape
        assert np.abs(before.image.astype(int) - after.image).mean() < 12
    assert all(frame.side["motion"].shape == (64, 96, 2) for frame in decoded if "motion" in frame.side)


def test_clip_is_encoded_only_once(tmp_path: Path, plain: Synthetic) -> None:
    compressed = Compressed(plain, CodecSpec.read("h264", "synthetic"), tmp_path)
    (clip,) = plain.clips()
    first = [frame.image for frame in compressed.frames(clip)]
    (file,) = tmp_path.glob("*.mp4")
    made = file.stat().st_mtime_ns
    assert all(np.array_equal(a, b.image) for a, b in zip(first, compressed.frames(clip), strict=True))
    assert file.stat().st_mtime_ns == made


def test_swapped_or_truncated_cache_files_are_not_used(tmp_path: Path) -> None:
    two = Synthetic(clips=2, frames=6, height=64, width=96)
    compressed = Compressed(two, CodecSpec.read("h264", "synthetic"), tmp_path)
    right = {clip: [frame.image for frame in compressed.frames(clip)] for clip in two.clips()}
    one, other = sorted(tmp_path.glob("*.mp4"))
    one.rename(tmp_path / "t")
    other.rename(one)
    (tmp_path / "t").rename(other)
    for clip in two.clips():
        again = [frame.image for frame in compressed.frames(clip)]
        assert all(np.array_equal(a, b) for a, b in zip(right[clip], again, strict=True))
    one.write_bytes(one.read_bytes()[:-100])
    for clip in two.clips():
        assert np.array_equal(right[clip][-1], list(compressed.frames(clip))[-1].image)


def test_encoding_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """On a busy machine x264's default routines returned others in 2 of 100 encodings of such small frames."""
    images = [frame.image for frame in Synthetic(clips=1, frames=6, height=64, width=96).frames("val_0000")]
    files = {encoded(lambda: iter(images), tmp_path / str(number)).read_bytes() for number in range(60)}
    assert len(files) == 1


def test_codec_motion_is_closer_to_exact_flow_than_zero_motion(tmp_path: Path) -> None:
    plain = Synthetic(clips=2, frames=12, motion="medium")
    compressed = Compressed(plain, CodecSpec.read("h264(bit_rate=3000000)", "synthetic"), tmp_path)
    wrong, still = [], []
    for clip in plain.clips():
        for frame in compressed.frames(clip):
            if "motion" in frame.side:
                exact, valid = plain.flow(clip, frame.index, 0)
                wrong.append(np.abs(frame.side["motion"] - exact)[valid].mean())
                still.append(np.abs(exact)[valid].mean())
    assert np.mean(wrong) < 0.6 * np.mean(still)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hevc", "unknown codec"),
        ("h264(gop=0)", "gop=0"),
        ("h264(rate=1)", "no argument 'rate'"),
        ("h264(", "cannot read"),
    ],
)
def test_invalid_codec_spec_is_one_error_message(text: str, part: str) -> None:
    with pytest.raises(UserError, match=part.replace("(", r"\(")):
        CodecSpec.read(text, "synthetic")


def test_codec_defaults_follow_the_paper_and_the_spec_reads_back() -> None:
    city = CodecSpec.read("h264", "cityscapes", gop=6)
    assert str(city) == "h264(bit_rate=5000000,chain=float,fps=17,gop=6)"
    assert CodecSpec.read(str(city), "camvid") == city


def test_result_records_the_codec_that_the_method_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSSBENCH_CACHE", str(tmp_path / "cache"))
    spec = RunSpec(
        methods=["arseg", "hold(of=oracle)"],
        dataset="synthetic(clips=1,frames=14,height=64,width=96)",
        allow_untrained=True,
        latency=LatencySpec(frames=4, warmup=0, rounds=1),
    )
    methods = [parse(method) for method in spec.methods]
    arseg, hold = run(spec, methods, tmp_path / "plain", False, Progress())
    assert arseg.codec == "h264(bit_rate=3000000,chain=float,fps=30,gop=12)"
    assert arseg.kinds == {"key": 2, "nonkey": 12, "warmup": None}
    assert hold.codec is None
    said = [caveat for caveat in arseg.caveats if "the codec's dense motion" in caveat]
    assert len(said) == 1
    assert float(said[0].split(" ms per nonkey frame at 64x96")[0].rsplit(" ", 1)[1]) > 0
    assert not any("dense motion" in caveat for caveat in hold.caveats)
    both = run(spec.model_copy(update={"codec": "h264"}), methods, tmp_path / "codec", False, Progress())
    assert [result.codec for result in both] == [arseg.codec] * 2


def test_unwritable_cache_or_missing_encoder_is_an_error_before_the_run(tmp_path, monkeypatch, vssbench):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VSSBENCH_CACHE", str(tmp_path / "file" / "cache"))
    words = ["run", "--methods", "oracle,psp18", "--codec", "h264", "--dataset", "synthetic(clips=1,frames=2)"]
    done = vssbench(*words, "--output", tmp_path / "run")
    assert done.status == 2
    assert f"{tmp_path}/file/cache: cannot be written: Not a directory" in done.stderr
    assert "VSSBENCH_CACHE=FOLDER" in done.stderr
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("av.Codec", _no_codec)
    monkeypatch.setenv("VSSBENCH_CACHE", str(tmp_path / "cache"))
    assert "lacks the encoder libx264" in vssbench(*words, "--output", tmp_path / "run").stderr
    assert not (tmp_path / "run").exists()


def _no_codec(*_):
    raise ValueError("no codec")
