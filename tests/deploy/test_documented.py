"""docs/export_model.md: its program runs what `vssbench export-model` writes, and its table of keys is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.paths import ROOT
from vssbench.deploy.export import export
from vssbench.deploy.model_file import ModelFile
from vssbench.load import load_method
from vssbench.specs import parse
from vssbench.testing import random_clip

PAGE = (ROOT / "docs" / "export_model.md").read_text(encoding="utf-8")


@pytest.mark.extra("onnx")
@pytest.mark.parametrize("spec", ["espnet", "psp18(scale=0.5)", "segformer"])
def test_documented_program_predicts_like_the_method(spec: str, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "segment.py").write_text(code)
    (frame,) = random_clip(size=(64, 100), length=1)
    method = load_method(spec)
    export(method, parse(spec), (64, 100), tmp_path / "out")
    Image.fromarray(frame.image).save(tmp_path / "frame.png")
    command = [sys.executable, "segment.py", "out", "frame.png", "labels.png"]
    subprocess.run(command, cwd=tmp_path, check=True)
    wanted = method.decode(method.step(method.prepare(frame))).labels
    assert (np.asarray(Image.open(tmp_path / "labels.png")) == wanted).mean() > 0.999


def test_every_key_of_model_yaml_is_documented() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert not set(ModelFile.model_fields) - named
