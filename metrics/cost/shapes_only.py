"""A forward pass on shapes alone: no value is computed, so counting a network of any size takes seconds and no memory.

`meta` tensors are made for this, but PyTorch's meta kernels refuse the traced sizes that the JIT tracer puts in place
of integers. So each operator's output shape is worked out in a second thread, in which nothing is being traced.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten


class _Shape(NamedTuple):
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


class ShapesOnly(TorchDispatchMode):
    """While active, an operator with a `meta` operand only works out its outputs' shapes; other operands may be real.

    So a module keeps its weights where they are, and only its inputs are `meta`. It works in eager mode and under the
    JIT tracer. Anything that depends on values (`nonzero`, `item`) raises RuntimeError.
    """

    def __enter__(self) -> ShapesOnly:
        self._untraced = ThreadPoolExecutor(1)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._untraced.shutdown()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not _is_meta(args, kwargs):
            return func(*args, **kwargs)
        if func is aten.convolution.default and torch._C._get_tracing_state() is not None:
            return self._traced_convolution(args)
        if func is aten._convolution.default:
            func, args = aten.convolution.default, args[:9]
        shapes = self._untraced.submit(_shapes, func, args, kwargs).result()
        return tree_map_only(_Shape, _empty, shapes, is_leaf=lambda leaf: isinstance(leaf, _Shape))

    def _traced_convolution(self, args: tuple[Any, ...]) -> Any:
        """Call `_convolution`, which the tracer records for a convolution, with tracing on."""
        torch._C._dispatch_tls_set_dispatch_key_excluded("Tracer", False)
        try:
            with self._again():
                return aten._convolution.default(*args, False, False, True, True)
        finally:
            torch._C._dispatch_tls_set_dispatch_key_excluded("Tracer", True)

    def _again(self) -> TorchDispatchMode:
        """Return this mode again, for use inside its own handler, with the same thread."""
        inner = _Nested()
        inner._untraced = self._untraced
        return inner


class _Nested(ShapesOnly):
    def __enter__(self) -> ShapesOnly:
        return TorchDispatchMode.__enter__(self)

    def __exit__(self, *error: Any) -> None:
        TorchDispatchMode.__exit__(self, *error)


def _is_meta(args: Any, kwargs: Any) -> bool:
    if str(kwargs.get("device")) == "meta":
        return True
    return any(isinstance(leaf, Tensor) and leaf.is_meta for leaf in tree_leaves((args, kwargs)))


def _shapes(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Return the operator's outputs with a `_Shape` in place of every tensor."""
    args, kwargs = tree_map_only(Tensor, lambda tensor: tensor if tensor.is_meta else tensor.to("meta"), (args, kwargs))
    with torch.inference_mode():
        outputs = func(*args, **kwargs)
        return tree_map_only(Tensor, lambda x: _Shape(tuple(x.shape), x.stride(), x.dtype), outputs)


def _empty(shape: _Shape) -> Tensor:
    return torch.empty_strided(shape.size, shape.stride, dtype=shape.dtype, device="meta")
