"""A real third-party package: installed by pip, found through its entry points, used in a separate process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

NAMES = "brightness(decay=0.0)", "brightness"
CLI = "import sys; from vssbench.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed plugin and nothing else; no network is used."""
    work = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(Path(__file__).parent / "plugin_package", work / "source")
    target = work / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def python(code: str, *args: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    """Run Python next to the plugin, outside the project's folder, so that only what is installed is found."""
    environment = {**os.environ, "PYTHONPATH": str(site) if site else ""}
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, env=environment, cwd=site, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("group", "name"),
    [("methods", "brightness"), ("methods", "steady"), ("metrics", "flicker"), ("datasets", "checkerboard")],
)
def test_list_shows_the_names_of_the_plugin(installed: Path, group: str, name: str) -> None:
    done = python(CLI, "list", group, "--json", site=installed)
    assert done.returncode == 0, done.stderr
    entry = json.loads(done.stdout)[group][name]
    assert entry["origin"] == "vssbench-example"
    assert entry["summary"] == "methods, a wrapper, a metric and a dataset from outside"
    plain = python(CLI, "list", group, site=installed).stdout
    assert name in plain
    assert "plugin vssbench-example" in plain
    assert name not in json.loads(python(CLI, "list", group, "--json", site=None).stdout)[group]


def test_plugin_metric_is_a_figure_with_a_direction(installed: Path) -> None:
    done = python(CLI, "list", "figures", "--json", site=installed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["figures"]["flicker"]["better"] == "less"


def test_plugin_passes_the_conformance_checks(installed: Path) -> None:
    done = python(
        """
from vssbench import load_dataset
from vssbench.testing import check_dataset, check_method, check_metric
print(check_method("brightness(decay=0.25)"))
print(check_method("hold(of=brightness,key_interval=3)", classes=2))
print(check_method("tinynet(labels=checkerboard)"))
print(check_method("steady(of=tinynet)", classes=11))
print(check_method("hold(of=steady(of=tinynet))", classes=11))
print(check_metric("flicker"))
print(check_dataset(load_dataset("checkerboard(length=4)")))
""",
        site=installed,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "brightness(decay=0.25)",
        "hold(key_interval=3,of=brightness)",
        "tinynet(labels=checkerboard)",
        "steady(of=tinynet)",
        "hold(of=steady(of=tinynet))",
        "flicker",
        "checkerboard(length=4)",
    ]


def test_plugin_metric_equals_the_figure_worked_out_by_hand(installed: Path) -> None:
    """The figures can be worked out by hand: with no memory the board is read exactly, and an eighth of it flips."""
    done = python(
        """
from vssbench import load_dataset, load_method, registry
from vssbench.bench.clip import run_clip
dataset, method = load_dataset("checkerboard"), load_method("brightness(decay=0.0)")
total, clip = (registry.resolve("metrics", "flicker")(dataset.space, []) for _ in range(2))
record = run_clip(method, "down", dataset.frames("down"), [clip], dataset.space.classes)
total.load(record.states["flicker"])
print(record.frames, record.kinds, total.compute())
""",
        site=installed,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "8 {'key': 8} {'flicker': 12.5}"


def test_plugin_run_is_reported_under_a_different_protocol(installed: Path, tmp_path: Path) -> None:
    run = ["run", "--methods", "brightness", "--dataset", "checkerboard", "--no-latency", "--output", str(tmp_path)]
    done = python(CLI, *run, "--json", site=installed)
    assert done.returncode == 0, done.stderr
    miou = json.loads(done.stdout)["methods"]["brightness"]["metrics"]["mIoU"]
    done = python(CLI, "report", str(tmp_path), "--protocol", "detectron2", site=installed)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"\| `brightness`[^|]*\| +{miou:.2f} ", done.stdout)


def test_plugin_metric_has_an_interval_a_direction_and_rules(installed: Path, tmp_path: Path) -> None:
    """Without memory an eighth of the board flips in one clip and a tenth in nine; with memory less. Less is better."""
    (tmp_path / "bench.yaml").write_text(
        "methods: [brightness(decay=0.0), brightness]\ndataset: checkerboard(more=8)\nmetrics: [mIoU, flicker]\n"
        "latency: {enabled: false}\nrules: {flicker: +1}\n"
    )
    run = ["run", str(tmp_path / "bench.yaml"), "--output", str(tmp_path / "run")]
    done = python(CLI, *run, site=installed)
    assert done.returncode == 0, done.stderr
    sudden, smooth = (next(line for line in done.stdout.splitlines() if f"`{name}`" in line) for name in NAMES)
    assert "10.25 [10.0, 11.0]" in sudden  # (12.5 + 9 * 10) / 10: a row of the board is shorter than a column of it
    assert "**9.52** [" in smooth
    judged = ["check", str(tmp_path / "run"), "--baseline", str(tmp_path / "run"), "--rules"]
    done = python(CLI, *judged, str(tmp_path / "bench.yaml"), site=installed)
    assert done.returncode == 0, done.stderr
    (tmp_path / "wrong.yaml").write_text("rules: {flicker: -1}\n")
    done = python(CLI, *judged, str(tmp_path / "wrong.yaml"), site=installed)
    assert done.returncode == 2
    assert "lower is better" in done.stderr
    done = python(CLI, "report", str(tmp_path / "run"), site=None)  # and where the plugin is not installed
    assert done.returncode == 0, done.stderr
    assert "no plugin that brings the metric flicker is installed" in done.stdout


def test_misspelt_argument_of_a_plugin_gets_a_suggestion(installed: Path) -> None:
    done = python(
        "from vssbench import load_method\nfrom vssbench.errors import UserError\n"
        "try:\n    load_method('brightness(decya=0.5)')\nexcept UserError as error:\n    print(error)",
        site=installed,
    )
    assert "did you mean 'decay'?" in done.stdout


TINY = (3 * 9 * 8 + 8 * 2) * 32 * 40 / 1e9
"""GFLOPs of the example's two convolutions on a frame of the checkerboard."""


def test_plugin_network_has_cost_parameters_weights_and_a_version(installed: Path, tmp_path: Path) -> None:
    save = "import sys, torch; from vssbench import load_dataset, load_method\n"
    save += "method = load_method('tinynet', labels=load_dataset('checkerboard').space)\n"
    done = python(f"{save}torch.save(method.network.state_dict(), sys.argv[1])", f"{tmp_path}/a.pth", site=installed)
    assert done.returncode == 0, done.stderr
    specs = ["tinynet", "steady(of=tinynet)", "hold(of=steady(of=tinynet))", "brightness"]
    run = ["run", "--methods", ",".join(specs), "--dataset", "checkerboard(length=10)", "--no-latency", "--json"]
    done = python(CLI, *run, "--checkpoint", f"tinynet={tmp_path}/a.pth", "--output", f"{tmp_path}/run", site=installed)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["methods"]
    assert list(found) == specs
    for spec, share in zip(specs[:3], (1, 1, 1 / 5), strict=True):
        one = found[spec]
        assert one["gflops"]["amortised"] == pytest.approx(share * TINY), spec
        assert one["params_m"] == pytest.approx((3 * 9 * 8 + 8 + 8 * 2 + 2) / 1e6), spec
        assert one["weights"]["origin"] == "file", spec
        assert one["weights"]["sha256"] == sha256((tmp_path / "a.pth").read_bytes()).hexdigest(), spec
        assert one["environment"]["plugins"] == {"vssbench-example": "1.0"}, spec
    assert found["brightness"]["gflops"] is None
    assert "no GFLOPs, no parameters: the method offers no network" in " ".join(found["brightness"]["caveats"])
    table = python(CLI, "report", f"{tmp_path}/run", site=installed).stdout
    assert re.search(
        r"^- `tinynet` .*weights: file a.pth, sha256 [0-9a-f]{12}, with vssbench-example 1.0$", table, re.M
    )
    assert "no GFLOPs, no parameters: the method offers no network" in table
