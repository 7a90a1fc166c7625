"""Make the weights that ship inside the package from what `make weights` trained.

`python -m vssbench.networks.packing FOLDER` packs them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vssbench.errors import UserError
from vssbench.files.atomic import replace
from vssbench.networks import packaged
from vssbench.networks.checkpoints import read, save

TRAINED = {
    "mask2former/tiny_synthetic.safetensors": "mask2former/mask2former.safetensors",
    "mpvss/tiny_synthetic.safetensors": "mpvss/mpvss.safetensors",
    "videomt/tiny_synthetic.safetensors": "videomt/videomt.safetensors",
    "mrcfa/tiny_synthetic.safetensors": "mrcfa/mrcfa.safetensors",
    "cffm/tiny_synthetic.safetensors": "cffm/cffm.safetensors",
    "espnet/tiny_synthetic.safetensors": "espnet/espnet.safetensors",
    "tv3s/tiny_synthetic.safetensors": "tv3s/tv3s.safetensors",
    "tdnet/tiny_synthetic.safetensors": "tdnet/tdnet.safetensors",
    "accel/tiny_synthetic.safetensors": "accel/accel.safetensors",
    "arseg/tiny_synthetic_hr.safetensors": "psp18/psp18.safetensors",
    "arseg/tiny_synthetic_lr.safetensors": "arseg/arseg-lr.safetensors",
    "arseg/tiny_synthetic_half.safetensors": "half/psp18.safetensors",
}
"""Packaged file -> its source, under the folder of the trainings of `make weights`."""


def pack(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write a file to ship, in one step: float16 except what does not fit; equal input results in equal bytes.

    tensors:  a state dict, float32 (integers are kept)
    metadata: for the header: the recipe, the data's fingerprint, the commit
    Raises UserError, and writes nothing, for values that are not finite or would not be in float16.
    """
    halved = {name: _halved(name, tensor) for name, tensor in tensors.items()}
    replace(path, lambda part: save(part, halved, metadata))


def pack_trained(folder: Path) -> list[Path]:
    """Pack what `make weights` trained, with the training's header. Returns the files written.

    Raises UserError, before anything is written, if a training is not finished.
    """
    trained = {packaged.root() / name: read(folder / source) for name, source in TRAINED.items()}
    for path, file in trained.items():
        pack(file.tensors, path, {"training": _portable(file.metadata["training"])})
    return list(trained)


def _portable(training: str) -> str:
    """A training's record without local paths; the files it started from keep their SHA-256."""
    record = json.loads(training)

    def nameless(start: Any) -> Any:
        if isinstance(start, dict):
            return {key: nameless(value) for key, value in start.items() if key != "path"}
        return start

    return json.dumps({**record, "start": nameless(record["start"])}, sort_keys=True)


def _halved(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.detach().cpu().clone()
    whole = tensor.detach().cpu().float()
    half = whole.half()
    if name.endswith((".running_mean", ".running_var")) and not _fits(whole, half):
        half = whole.clone()
    if not half.isfinite().all():
        raise UserError(
            f"{name} is not finite in float16: its largest value is {whole.abs().max():.3g}",
            expected=f"at most {torch.finfo(torch.float16).max:g}",
        )
    return half.contiguous()


def _fits(whole: Tensor, half: Tensor) -> bool:
    """Whether statistics survive: finite, and equal to a thousandth (small ones lose digits in float16)."""
    return bool(half.isfinite().all() and ((half.float() - whole).abs() <= 1e-3 * whole.abs()).all())


def _main(arguments: list[str]) -> int:
    """Run `python -m vssbench.networks.packing FOLDER`; see `pack_trained`."""
    if len(arguments) != 1:
        print("usage: python -m vssbench.networks.packing FOLDER (of trainings, see `make weights`)", file=sys.stderr)
        return UserError.exit_status
    try:
        written = pack_trained(Path(arguments[0]))
    except UserError as error:
        print(f"vssbench.networks.packing: {error}", file=sys.stderr)
        return error.exit_status
    for path in written:
        print(f"{path.stat().st_size / 1e6:6.2f} MB  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
