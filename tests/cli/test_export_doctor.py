"""`vssbench export` and `vssbench doctor` as users type them."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from vssbench.datasets.export import LAYOUTS
from vssbench.load import load_dataset

SOURCE = "synthetic(clips=2,frames=24,height=32,motion=fast,width=48)"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exported_clips_read_back_from_every_layout(vssbench, tmp_path, layout):
    assert vssbench("export", SOURCE, "--layout", layout, "--output", tmp_path / "out")[0] == 0
    name = layout.removesuffix("-colour")
    status, out, _ = vssbench("doctor", "--dataset", name, "--data-root", tmp_path / "out", "--json")
    assert status == 0
    assert json.loads(out)["summary"]["clips"] == 2
    source, back = load_dataset(SOURCE), load_dataset(name, tmp_path / "out")
    compared = 0
    for there, here in zip(source.clips(), back.clips(), strict=True):
        for (_, original), (_, labels) in zip(source.labels(there), back.labels(here), strict=False):
            if labels is not None:
                assert (labels == original).all()
                compared += 1
    assert compared == {"cityscapes": 2, "camvid-colour": 10}.get(layout, 48)


def test_doctor_findings_are_status_1_with_file_and_fix(vssbench, tmp_path):
    vssbench("export", SOURCE, "--layout", "vspw", "--output", tmp_path, "--clips", 1)
    (mask,) = tmp_path.rglob("00000003.png")
    mask.write_bytes(b"")
    words = ("doctor", "--dataset", "vspw", "--data-root", tmp_path)
    status, out, _ = vssbench(*words)
    assert status == 1
    assert f"{mask}: the file is empty\n  fix: copy or download the file again" in out
    assert out.endswith("2 findings\n")
    status, out, _ = vssbench(*words, "--json")
    report = json.loads(out)
    assert (status, report["clean"]) == (1, False)
    assert report["findings"][0]["file"] == str(mask)
    assert np.isclose(sum(c["percent"] for c in report["summary"]["classes"]) + report["summary"]["void_percent"], 100)


def test_mistake_in_doctor_or_export_is_one_error_message(vssbench, tmp_path):
    (tmp_path / "file").write_text("")
    for words, message in (
        (("doctor",), "which dataset?"),
        (("doctor", "--dataset", "vspv"), "did you mean 'vspw'"),
        (("doctor", "--dataset", "vspw", "--data-root", tmp_path), "this is not the vspw layout"),
        (("export", SOURCE, "--layout", "vspw", "--output", tmp_path), "output folder is not empty"),
        (("export", SOURCE, "--layout", "voc", "--output", tmp_path / "a"), "unknown layout 'voc'"),
    ):
        status, out, err = vssbench(*words)
        assert (status, out) == (2, "")
        assert message in err
        assert "Traceback" not in err


def test_full_disk_error_names_the_file(vssbench, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    status, out, err = vssbench("export", SOURCE, "--layout", "vspw", "--output", tmp_path / "out")
    assert (status, out) == (2, "")
    assert ".jpg: cannot be written: No space left on device" in err
