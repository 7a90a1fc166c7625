"""Official MPVSS state dicts, our safetensors, and any Mask2Former for the segmentor alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vssbench.methods.mask2former import weights as mask2former
from vssbench.methods.mpvss.network import MPVSS
from vssbench.networks.checkpoints import Checkpoint, Part, load_strict, read
from vssbench.networks.renaming import Substitutions, renamed
from vssbench.types import Weights

# From our names in the flow network to the official ones; every substitution that applies is made, in this order.
_SUBSTITUTIONS: Substitutions = [
    (r"^flow\.encoder\.blocks\.(\d)", lambda m: f"motion.encoder.conv{1 + int(m[1])}"),
    (r"^(motion\.encoder.*)\.(weight|bias)$", r"\1.conv.\2"),
    (r"^flow\.refinement\.predict\.4", "motion.decoder.predict_flow.conv"),
    (r"^flow\.refinement\.predict\.(\d)(.*)", lambda m: f"motion.decoder.predict_flow{6 - int(m[1])}.conv{m[2]}"),
    (
        r"^flow\.refinement\.upsample_flow\.(\d)(.*)",
        lambda m: f"motion.decoder.upsample_flow{5 - int(m[1])}.conv{m[2]}",
    ),
    (r"^flow\.refinement\.deconvolve\.(\d)(.*)", lambda m: f"motion.decoder.deconv{5 - int(m[1])}.conv{m[2]}"),
    (r"^flow\.fuse", "motion.decoder.fuse_layer.conv"),
    (r"^flow\.motion", "motion.decoder.scale_layer"),
    (r"^flow\.output_norm", "motion.decoder.decoder_norm"),
    (r"^flow\.(transformer\.)?", "motion.decoder."),
    (r"decoder\.project", "decoder.input_proj"),
    (r"decoder\.layers\.(\d)\.attention\.", r"decoder.transformer_self_attention_layers.\1.self_attn."),
    (r"decoder\.layers\.(\d)\.attention_norm", r"decoder.transformer_self_attention_layers.\1.norm"),
    (r"decoder\.layers\.(\d)\.feedforward_norm", r"decoder.transformer_ffn_layers.\1.norm"),
    (r"decoder\.layers\.(\d)\.linear", r"decoder.transformer_ffn_layers.\1.linear"),
]


def official(name: str) -> Part:
    """Return the official file's place for the entry that our network calls `name`."""
    if name.startswith("segmentor."):
        return mask2former.official(name.removeprefix("segmentor."))
    return Part(renamed(name, _SUBSTITUTIONS))


def load(network: MPVSS, path: str | Path | None, expected: str) -> Weights:
    """Strictly fill the network and say what it then holds; None leaves it untrained. See `fill`."""
    return Weights("untrained") if path is None else fill(network, read(path), expected)


def fill(network: MPVSS, checkpoint: Checkpoint, expected: str) -> Weights:
    """Strictly fill the network from an official file or our safetensors, of MPVSS or of Mask2Former, or from a
    Mask2Former folder saved by transformers.

    Mask2Former fills the segmentor. The flow network then stays untrained, so the returned record calls the whole
    method untrained.
    expected: what the weights should be for, named by the UserError where they do not fit
    """
    if is_segmentor(checkpoint):
        mask2former.fill(network.segmentor, checkpoint, expected)
        return replace(checkpoint.weights, origin="untrained")
    rename = official if mask2former.is_official(checkpoint) else str
    load_strict(network, checkpoint, rename, expected, mask2former.hint(checkpoint, expected))
    return checkpoint.weights


def is_segmentor(checkpoint: Checkpoint) -> bool:
    """Whether a file or folder holds a Mask2Former and no flow network."""
    own = ("segmentor.", "flow.", "motion.")
    return checkpoint.config is not None or not any(name.startswith(own) for name in checkpoint.tensors)
