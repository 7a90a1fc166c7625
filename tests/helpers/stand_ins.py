"""Stand-ins for the packaged weights: the networks' random weights, changed a little depending on a seed.

python -m tests.helpers.stand_ins FOLDER    # the files, laid out as under methods/
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from vssbench import load_method
from vssbench.networks.packaged import FILES, UNTRAINED
from vssbench.networks.packing import pack

SPECS = {
    "mask2former/tiny_synthetic.safetensors": "mask2former",
    "mpvss/tiny_synthetic.safetensors": "mpvss",
    "videomt/tiny_synthetic.safetensors": "videomt",
    "mrcfa/tiny_synthetic.safetensors": "mrcfa",
    "cffm/tiny_synthetic.safetensors": "cffm",
    "espnet/tiny_synthetic.safetensors": "espnet",
    "tv3s/tiny_synthetic.safetensors": "tv3s",
    "tdnet/tiny_synthetic.safetensors": "tdnet",
    "accel/tiny_synthetic.safetensors": "accel(reference=mask2former,update=espnet)",
    "arseg/tiny_synthetic_hr.safetensors": "psp18",
    "arseg/tiny_synthetic_half.safetensors": "psp18(scale=0.5)",
    "arseg/tiny_synthetic_lr.safetensors": "arseg",
}
"""File -> a method that has its network; arseg's two share the last convolution, as trained ones do."""
RECORD = {
    "method": "a stand-in",
    "settings": {"steps": 0},
    "fingerprint": "0" * 64,
    "commit": "0" * 40,
    "start": {"sha256": "1" * 64},
}


def network(method, name: str) -> torch.nn.Module:
    """The network of a loaded method that belongs in the file of that name."""
    if name.startswith("arseg/"):
        if not hasattr(method, "hr"):
            return method.branch
        return method.lr if name.endswith("_lr.safetensors") else method.hr
    return method.correction if name.startswith("accel/") else method.network


def moved(module: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Its state dict with a little noise on every weight; variances stay positive, entries of the loss unchanged."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in module.state_dict().items():
        noise = torch.rand(tensor.shape, generator=random) * 0.05
        weight = tensor.is_floating_point() and "criterion." not in name
        state[name] = tensor + noise if weight else tensor
    return state


def write(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Write every file that `packaged.FILES` names; returns file -> the float32 tensors that were packed."""
    written = {}
    for seed, (name, spec) in enumerate(SPECS.items()):
        state = moved(network(load_method(spec, checkpoint=UNTRAINED), name), seed)
        if name.endswith("_lr.safetensors"):
            high = written[name.replace("_lr", "_hr")]
            state |= {key: value for key, value in high.items() if key.startswith("classifier.")}
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pack(state, folder / name, {"training": json.dumps(RECORD, sort_keys=True)})
        written[name] = state
    listed = {name for names in FILES.values() for name in ([names] if isinstance(names, str) else names.values())}
    assert set(written) == listed
    return written


if __name__ == "__main__":
    write(Path(sys.argv[1]))
