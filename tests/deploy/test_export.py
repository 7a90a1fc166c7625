"""Export for a runtime: graphs that compute what the network computes, and the file that describes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from vssbench.datasets.label_spaces import as_mapping, load_space, read_space, spaces
from vssbench.deploy import to_onnx
from vssbench.deploy.export import export
from vssbench.deploy.graphs import Graph, GraphInput
from vssbench.deploy.model_file import FromPicture, ModelFile
from vssbench.errors import UserError
from vssbench.load import load_method
from vssbench.specs import parse

SIZE = (64, 96)
pytestmark = pytest.mark.extra("onnx")


def exported(spec: str, folder: Path, **options: Any) -> tuple[Any, ModelFile]:
    """The method and what its folder's file says, read back."""
    method = load_method(spec)
    written = export(method, parse(spec), SIZE, folder, **options)
    read = ModelFile.model_validate(yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8")))
    assert read == written
    return method, read


def differences(graph: Graph, file: Path) -> dict[str, float]:
    """Output -> largest difference of the file from the module, on random inputs, as a share of its largest value."""
    import onnxruntime

    torch.manual_seed(0)
    inputs = {name: torch.randn_like(one.example) for name, one in graph.inputs.items()}
    with torch.no_grad():
        wanted = graph.module(*inputs.values())
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(list(graph.outputs), {name: one.numpy() for name, one in inputs.items()})
    return {
        name: float(np.abs(got - want.numpy()).max() / want.abs().max())
        for name, got, want in zip(graph.outputs, found, wanted, strict=True)
    }


@pytest.fixture(scope="module")
def mpvss(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ModelFile, Path]:
    folder = tmp_path_factory.mktemp("mpvss") / "out"
    return *exported("mpvss(key_interval=auto(threshold=8))", folder), folder


def test_graphs_compute_what_the_network_computes(mpvss: tuple[Any, ModelFile, Path]) -> None:
    method, model, folder = mpvss
    for name, graph in method.graphs(SIZE).graphs.items():
        assert max(differences(graph, folder / model.graphs[name].file).values()) < 1e-5


def test_model_yaml_describes_how_the_graphs_run(mpvss: tuple[Any, ModelFile, Path]) -> None:
    method, model, _ = mpvss
    assert model.classes == method.space.names
    assert model.labels == "synthetic"
    assert model.graphs["nonkey"].inputs["key_masks"].output == "masks"  # type: ignore[union-attr]
    assert model.schedule is not None
    assert model.schedule.key_interval == "auto(max=10,threshold=8)"  # type: ignore[union-attr]
    assert 0 < (model.graphs["nonkey"].gflops or 0) < (model.graphs["key"].gflops or 0)


class Sampled(nn.Module):
    """What deformable attention and warping do."""

    def __init__(self, padding: str, corners: bool):
        super().__init__()
        self.padding, self.corners = padding, corners

    def forward(self, maps: Tensor, grid: Tensor) -> Tensor:
        return F.grid_sample(maps, grid, padding_mode=self.padding, align_corners=self.corners)


@pytest.mark.parametrize(("padding", "corners"), [("zeros", False), ("zeros", True), ("border", True)])
@pytest.mark.parametrize("grid_sample", [True, False])
def test_sampling_is_exact_with_and_without_the_grid_sample_operator(
    grid_sample: bool, padding: str, corners: bool, tmp_path: Path
) -> None:
    import onnx

    source = FromPicture(picture="none")
    inputs = {"maps": GraphInput(source, torch.zeros(2, 3, 5, 7)), "grid": GraphInput(source, torch.zeros(2, 4, 6, 2))}
    graph = Graph("key", Sampled(padding, corners), inputs, ("sampled",))
    for place in ("one.onnx", "two.onnx"):
        to_onnx.write(graph, tmp_path / place, grid_sample)
    assert max(differences(graph, tmp_path / "one.onnx").values()) < 1e-5
    operators = {node.op_type for node in onnx.load(tmp_path / "one.onnx").graph.node}
    assert ("GridSample" in operators) == grid_sample
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_one_tensor_can_be_the_example_of_two_inputs(tmp_path: Path) -> None:
    one = GraphInput(FromPicture(picture="none"), torch.zeros(1, 2))
    graph = Graph("key", nn.Bilinear(2, 2, 3), {"left": one, "right": one}, ("product",))
    to_onnx.write(graph, tmp_path / "one.onnx")
    assert max(differences(graph, tmp_path / "one.onnx").values()) < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (7, 6)])
def test_adaptive_pooling_is_exported_as_at_most_four_operators(size: tuple[int, int], tmp_path: Path) -> None:
    import onnx

    image = GraphInput(FromPicture(picture="none"), torch.randn(1, 4, 13, 17))
    graph = Graph("key", Pooled(size), {"image": image}, ("means",))
    to_onnx.write(graph, tmp_path / "one.onnx")
    assert max(differences(graph, tmp_path / "one.onnx").values()) < 1e-5
    assert len(onnx.load(tmp_path / "one.onnx").graph.node) <= 4


class Pooled(nn.Module):
    """Means over windows that overlap where sizes do not divide."""

    def __init__(self, size: tuple[int, int]):
        super().__init__()
        self.size = size

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        return (nn.functional.adaptive_avg_pool2d(image, self.size),)


class Keeping(nn.Module):
    """A module that makes a table at its first call, and keeps it."""

    table: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        if self.table is None:
            self.table = torch.arange(3.0) + 1
        return (x * self.table,)


def test_export_leaves_values_in_a_table_cached_by_the_module(tmp_path: Path) -> None:
    module = Keeping()
    graph = Graph("key", module, {"x": GraphInput(FromPicture(picture="none"), torch.zeros(3))}, ("product",))
    to_onnx.write(graph, tmp_path / "one.onnx")
    assert module.table is not None
    assert module.table.tolist() == [1, 2, 3]


@pytest.mark.parametrize("spec", ["hold(of=mask2former)", "oracle"])
def test_method_that_is_not_a_network_is_refused(spec: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        exported(spec, tmp_path / "out")
    assert ("onnx(model=DIR)" in str(refused.value)) == ("of=" in spec)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", spaces())
def test_label_space_written_as_a_mapping_reads_back(name: str) -> None:
    space = load_space(name)
    again = read_space(as_mapping(space))
    assert (again.name, again.names, again.stray, again.from_colour) == (
        space.name, space.names, space.stray, space.from_colour,
    )  # fmt: skip
    for one in ("colours", "from_file", "to_file", "known"):
        np.testing.assert_array_equal(getattr(again, one), getattr(space, one))
