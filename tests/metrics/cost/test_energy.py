"""Energy through fake NVML and RAPL counters; without a counter the reason is given."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from vssbench.metrics.cost import energy as module
from vssbench.metrics.cost.energy import energy


class NVMLError(Exception):
    pass


@pytest.fixture
def nvml(monkeypatch):
    """A device that uses 2 J per frame; its counter is in millijoules."""
    fake = SimpleNamespace(frames=0, joules=2.0, NVMLError=NVMLError, nvmlInit=lambda: None)
    fake.nvmlDeviceGetHandleByUUID = lambda uuid: uuid
    fake.nvmlDeviceGetTotalEnergyConsumption = lambda handle: round(fake.frames * fake.joules * 1e3)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(module, "uuid", lambda device: "GPU-0")
    return fake


def run_on(fake, frames=5):
    def run():
        fake.frames += frames
        return frames

    return run


def test_joules_per_frame_and_watts_from_the_nvml_counter(nvml):
    found = energy(run_on(nvml), "cuda:0", seconds=0.01, windows=3)
    assert found["joules_per_frame"] == pytest.approx(2.0)
    assert found["spread"] == pytest.approx(0.0, abs=1e-9)
    assert found["seconds"] >= 0.03
    assert found["watts"] == pytest.approx(2.0 * nvml.frames / found["seconds"])
    assert found["reason"] is None


def test_nvml_counter_that_does_not_move_is_not_a_measurement(nvml):
    nvml.joules = 0.0
    found = energy(run_on(nvml), "cuda:0", seconds=0.01, windows=1)
    assert found["joules_per_frame"] is None
    assert "did not move" in found["reason"]


def test_nvml_error_is_the_reason_and_nothing_is_run(nvml):
    def refuse(handle):
        raise NVMLError("Not Supported")

    nvml.nvmlDeviceGetTotalEnergyConsumption = refuse
    found = energy(run_on(nvml), "cuda:0")
    assert (found["joules_per_frame"], found["reason"]) == (None, "NVML: Not Supported")
    assert nvml.frames == 0


def test_missing_pynvml_or_unsupported_device_is_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "vssbench[nvidia]" in energy(lambda: 1, "cuda:0")["reason"]
    assert energy(lambda: 1, "xpu")["reason"].startswith("not measured on xpu")


@pytest.fixture
def rapl(monkeypatch, tmp_path):
    """Two processors and a part of one; the counters wrap around at 1000 J."""
    monkeypatch.setattr(module, "POWERCAP", tmp_path)
    for name, title in (("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1"), ("intel-rapl:0:0", "core")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "max_energy_range_uj").write_text("1000000000\n")
        (tmp_path / name / "energy_uj").write_text("999000000\n")
        (tmp_path / name / "name").write_text(f"{title}\n")
    return tmp_path


def using(rapl, joules):
    def run():
        for zone in ("intel-rapl:0", "intel-rapl:1"):
            file = rapl / zone / "energy_uj"
            file.write_text(str((int(file.read_text()) + joules * 10**6) % 10**9))
        return 5

    return run


def test_rapl_energy_sums_the_processors_across_counter_wraparound(rapl):
    found = energy(using(rapl, 3), "cpu", seconds=0.01, windows=3)
    assert found["joules_per_frame"] == pytest.approx(2 * 3 / 5)
    assert found["covers"] == "the processors (package-0, package-1) of the whole machine, without its memory"


def test_unreadable_or_missing_rapl_counter_is_the_reason(rapl, monkeypatch):
    (rapl / "intel-rapl:1" / "energy_uj").unlink()
    assert "RAPL cannot be read" in energy(lambda: 1, "cpu")["reason"]
    monkeypatch.setattr(module, "POWERCAP", rapl / "nowhere")
    assert "has no processor energy counter (RAPL)" in energy(lambda: 1, "cpu")["reason"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_real_gpu_reports_energy_or_a_reason():
    pytest.importorskip("pynvml")
    block, frames = torch.rand(4096, 4096, device="cuda"), 0

    def run():
        nonlocal frames
        for _ in range(20):
            block @ block
        torch.cuda.synchronize()
        frames += 20
        return 20

    found = energy(run, "cuda:0", seconds=1.0, windows=2)
    if found["reason"] is not None:
        assert found["reason"].startswith("NVML: ")  # a device without the counter
        assert found["joules_per_frame"] is None
    else:
        assert 10 < found["watts"] < 2000
        assert found["joules_per_frame"] == pytest.approx(found["watts"] * found["seconds"] / frames, rel=0.1)
