"""Run graphs in ONNX Runtime, on a given provider and number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from vssbench.deploy.graph_file import GraphInfo
from vssbench.errors import MissingExtra, UserError, first_line

Provider = Literal["cpu", "cuda", "tensorrt", "openvino"]
Optimise = Literal["all", "extended", "basic", "none"]
PROVIDERS: Mapping[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "none": "ORT_DISABLE_ALL",
}
Array = np.ndarray[Any, Any]


def runtime() -> Any:
    """Import the package onnxruntime. Raises MissingExtra if it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra.of("onnx", "onnxruntime", "running a graph") from None
    onnxruntime.set_default_logger_severity(3)  # errors only: its warnings concern its own optimiser
    return onnxruntime


def check_provider(provider: Provider) -> None:
    """Raise UserError for a provider that this onnxruntime was not built with."""
    there = runtime().get_available_providers()
    if PROVIDERS[provider] not in there:
        known = [name for name in get_args(Provider) if PROVIDERS[name] in there]
        raise UserError(
            f"provider={provider} is not in this onnxruntime",
            expected=" or ".join(known),
            fix="replace this onnxruntime with one that has it: onnxruntime-gpu, onnxruntime-openvino",
        )


class Session:
    """One graph, ready to run.

    provider: where it runs; operators that it cannot run fall back to the CPU
    threads:  for one operator; None: ONNX Runtime's own number
    optimise: how much is fused and laid out differently first
    Raises UserError for a graph that ONNX Runtime refuses.
    """

    def __init__(self, graph: GraphInfo, provider: Provider, threads: int | None, optimise: Optimise):
        library = runtime()
        options = library.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads or 0, 1
        options.graph_optimization_level = getattr(library.GraphOptimizationLevel, _LEVELS[optimise])
        options.log_severity_level = 3
        options.add_session_config_entry("session.load_model_format", "ONNX")
        # Threads that spin until the next frame take time from the methods that are measured in turn with this one.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        wanted = PROVIDERS[provider]
        try:
            session = library.InferenceSession(
                str(graph.path), options, list(dict.fromkeys((wanted, PROVIDERS["cpu"])))
            )
        except Exception as error:  # the library has an exception type per stage
            raise UserError(f"onnxruntime refuses it: {_told(error)}", where=graph.path) from None
        if session.get_providers()[0] != wanted:
            raise UserError(
                f"provider={provider} is installed but does not start",
                where=graph.path,
                expected="its libraries and a matching device",
            )
        session.disable_fallback()
        self._session, self._graph = session, graph
        self._dtypes = {name: np.dtype(one.dtype) for name, one in graph.inputs.items()}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph and return all outputs by name. Inputs are converted to the types that the graph takes."""
        feeds = {name: inputs[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()}
        try:
            found = self._session.run(None, feeds)
        except Exception as error:
            raise UserError(f"onnxruntime fails: {_told(error)}", where=self._graph.path) from None
        return dict(zip(self._graph.outputs, found, strict=True))

    def blank(self, name: str) -> Array:
        """Return zeros for an input."""
        return np.zeros([size or 1 for size in self._graph.inputs[name].shape], self._dtypes[name])


def _told(error: Exception) -> str:
    return first_line(error).removeprefix("[ONNXRuntimeError] : ")[:300]
