"""A training spread over processes, started as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vssbench.networks.checkpoints import read

ARGUMENTS = (
    *("train", "psp18", "--dataset", "synthetic(clips=2,frames=4,height=64,width=96)", "--crop", "64x96"),
    *("--batch", "4", "--steps", "4", "--log-every", "2", "--validation-limit", "1", "--threads", "1"),
)


@pytest.mark.slow
def test_two_processes_share_the_batches_and_one_writes(tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "vssbench"]
    done = subprocess.run(
        [*launch, *ARGUMENTS, "--output", str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 4]
    assert lines[-1]["validation"]["clips"] == 1
    assert json.loads((tmp_path / "training.json").read_text())["processes"] == 2
    tensors = read(tmp_path / "psp18.safetensors").tensors
    assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())
