"""Starting Mask2Former's training from a backbone alone, in each layout, against transformers' own backbone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    PretrainedConfig,
    ResNetBackbone,
    ResNetConfig,
    ResNetForImageClassification,
    SwinBackbone,
    SwinConfig,
    SwinForImageClassification,
)

from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.methods.mask2former.initial_weights import fill_backbone, is_backbone
from vssbench.methods.mask2former.network import build
from vssbench.methods.mask2former.recipe import Mask2FormerRecipe
from vssbench.networks.transformers_models import quiet_transformers
from vssbench.specs import parse
from vssbench.training.recipe import Order


def network() -> nn.Module:
    return build("tiny", 11)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> Path:
    """A classifier of the tiny backbone's shape with random weights and statistics, as transformers saves it."""
    folder = tmp_path_factory.mktemp("resnet")
    config = network().model.pixel_level_module.encoder.config.to_dict()
    save(ResNetForImageClassification(ResNetConfig(**{**config, "num_labels": 7})), folder)
    return folder


def save(model: nn.Module, folder: Path) -> None:
    torch.manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) * (1.0 if "running_var" in name else 0.1) + 0.01)
    with quiet_transformers():
        model.save_pretrained(folder)


def features(encoder: nn.Module) -> tuple[Tensor, ...]:
    torch.manual_seed(2)
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        return encoder.eval()(image).feature_maps


def expected(folder: Path, kind: type, config: PretrainedConfig) -> tuple[Tensor, ...]:
    """What transformers' own backbone makes of the folder."""
    with quiet_transformers():
        return features(kind.from_pretrained(folder, out_features=config.out_features))


def same(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> None:
    assert len(found) == len(wanted) == 4
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)  # memory formats differ, and so do last digits


def test_transformers_classifier_folder_fills_the_backbone(resnet: Path) -> None:
    filled = network()
    encoder = filled.model.pixel_level_module.encoder
    fill_backbone(filled, resnet, "tiny")
    same(features(encoder), expected(resnet, ResNetBackbone, encoder.config))


DETECTRON = [
    (r"^resnet\.embedder\.embedder", "stem.conv1"),
    (r"^resnet\.encoder\.stages\.(\d)\.layers", lambda found: f"res{int(found[1]) + 2}"),
    (r"\.layer\.(\d)", lambda found: f".conv{int(found[1]) + 1}"),
    (r"\.convolution", ""),
    (r"\.normalization", ".norm"),
    (r"^classifier\.1", "stem.fc"),
]
TORCHVISION = [
    (r"^resnet\.embedder\.embedder\.convolution", "conv1"),
    (r"^resnet\.embedder\.embedder\.normalization", "bn1"),
    (r"^resnet\.encoder\.stages\.(\d)\.layers", lambda found: f"layer{int(found[1]) + 1}"),
    (r"shortcut\.convolution", "downsample.0"),
    (r"shortcut\.normalization", "downsample.1"),
    (r"\.layer\.(\d)\.convolution", lambda found: f".conv{int(found[1]) + 1}"),
    (r"\.layer\.(\d)\.normalization", lambda found: f".bn{int(found[1]) + 1}"),
    (r"^classifier\.1", "fc"),
]


@pytest.mark.parametrize("rules", [DETECTRON, TORCHVISION])
def test_detectron2_and_torchvision_files_fill_the_backbone(resnet: Path, tmp_path: Path, rules: list) -> None:
    with quiet_transformers():
        tensors = ResNetForImageClassification.from_pretrained(resnet).state_dict()
    renamed = {}
    for name, tensor in tensors.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    torch.save({"model": renamed}, tmp_path / "backbone.pth")
    assert is_backbone(tmp_path / "backbone.pth")
    filled = network()
    encoder = filled.model.pixel_level_module.encoder
    fill_backbone(filled, tmp_path / "backbone.pth", "tiny")
    same(features(encoder), expected(resnet, ResNetBackbone, encoder.config))


def swin() -> nn.Module:
    """A small network around a Swin, by transformers' own names."""
    config = SwinConfig(
        embed_dim=12, depths=[1, 1, 2, 1], num_heads=[1, 2, 4, 8], window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    whole = nn.Module()
    whole.model = nn.Module()
    whole.model.pixel_level_module = nn.Module()
    whole.model.pixel_level_module.encoder = SwinBackbone(config)
    whole.model.pixel_level_module.encoder.swin.layernorm = nn.Identity()  # unused, and not in the official file
    return whole


def test_swin_classifier_folder_keeps_the_backbones_output_norms(tmp_path: Path) -> None:
    filled = swin()
    encoder = filled.model.pixel_level_module.encoder
    save(SwinForImageClassification(encoder.config), tmp_path)
    fill_backbone(filled, tmp_path, "swin_t")
    same(features(encoder), expected(tmp_path, SwinBackbone, encoder.config))


def test_official_swin_file_fills_the_backbone(tmp_path: Path) -> None:
    """Its names are those of the whole official file without `backbone.`, and it has no norm of the outputs."""
    from vssbench.methods.mask2former.weights import official

    source, filled = (swin().model.pixel_level_module.encoder for _ in range(2))
    torch.manual_seed(3)
    for tensor in source.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn_like(tensor) * 0.1)
    thirds: dict[str, dict[int, Tensor]] = {}
    for name, tensor in source.state_dict().items():
        part = official(f"model.pixel_level_module.encoder.{name}")
        if "hidden_states_norms" not in name:
            thirds.setdefault(part.name.removeprefix("backbone."), {})[part.index] = tensor
    tensors = {name: torch.cat([parts[index] for index in sorted(parts)]) for name, parts in thirds.items()}
    assert "layers.0.blocks.0.attn.qkv.weight" in tensors
    tensors |= {
        "norm.weight": torch.ones(96),
        "head.weight": torch.ones(7, 96),
        "layers.0.blocks.1.attn_mask": torch.ones(4),
    }
    torch.save({"model": tensors}, tmp_path / "swin.pth")
    whole = swin()
    fill_backbone(whole, tmp_path / "swin.pth", "swin_t")
    filled = whole.model.pixel_level_module.encoder.state_dict()
    for name, tensor in source.state_dict().items():
        if "hidden_states_norms" not in name:
            assert torch.equal(filled[name], tensor), name


def test_recipe_starts_from_a_backbone_and_refuses_a_different_one(resnet: Path, tmp_path: Path) -> None:
    recipe = Mask2FormerRecipe(Order(parse("mask2former"), load_space("synthetic"), start=resnet))
    encoder = recipe.method.network.model.pixel_level_module.encoder
    same(features(encoder), expected(resnet, ResNetBackbone, encoder.config))
    with pytest.raises(UserError, match="backbone=r50"):
        Mask2FormerRecipe(Order(parse("mask2former(backbone=r50)"), load_space("synthetic"), start=resnet))
    with pytest.raises(UserError, match="one network"):
        Mask2FormerRecipe(Order(parse("mask2former"), load_space("synthetic"), start={"hr": resnet}))
