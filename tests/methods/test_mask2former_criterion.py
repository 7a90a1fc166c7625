"""Mask2Former's criterion against a slow one written from the paper, and its matching against transformers' own."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.models.mask2former.modeling_mask2former import Mask2FormerHungarianMatcher

from vssbench.methods.mask2former.criterion import POINT_SHARE, Criterion, find_targets
from vssbench.methods.mask2former.network import configure

CLASSES, QUERIES, HEADS, SIZE = 5, 4, 2, (8, 12)


def outputs(batch: int) -> tuple[list[Tensor], list[Tensor]]:
    """Class and mask logits of every head."""
    classes = [torch.randn(batch, QUERIES, CLASSES + 1, requires_grad=True) for _ in range(HEADS)]
    return classes, [torch.randn(batch, QUERIES, *SIZE, requires_grad=True) for _ in range(HEADS)]


def criterion(share: float = POINT_SHARE) -> Criterion:
    return Criterion(configure("tiny", CLASSES), share)


def halves(left: int, right: int) -> Tensor:
    """Labels of a frame, int64[32, 48]: its left half and its right half."""
    labels = torch.full((4 * SIZE[0], 4 * SIZE[1]), left)
    labels[:, 2 * SIZE[1] :] = right
    return labels


def slow(classes: list[Tensor], masks: list[Tensor], labels: Tensor) -> dict[str, float]:
    """The losses by loops, with masks compared at every pixel of stride 4 instead of at random points.

    Every head and frame tries all assignments; 2 cross entropy with no object weighing 0.1, a weighted mean over the
    queries of the batch, 5 binary cross entropy, 5 dice, means over masks.
    """
    total, count = {"class": 0.0, "mask": 0.0, "dice": 0.0}, 0
    frames = [sorted({*frame.unique().tolist()} - {255}) for frame in labels]
    count = max(sum(len(found) for found in frames), 1)
    for head, maps in zip(classes, masks, strict=True):
        entropy = weights = 0.0
        for b, found in enumerate(frames):
            chances = head[b].detach().double().softmax(-1).numpy()
            wanted = [(labels[b, 2::4, 2::4] == c).double().numpy() for c in found]  # masks whose edges are on stride 4
            bce, dice = np.zeros((2, QUERIES, len(found)))
            for q, n in itertools.product(range(QUERIES), range(len(found))):
                p = 1 / (1 + np.exp(-maps[b, q].detach().double().numpy()))
                bce[q, n] = -np.mean(wanted[n] * np.log(p) + (1 - wanted[n]) * np.log(1 - p))
                dice[q, n] = 1 - (2 * (p * wanted[n]).sum() + 1) / (p.sum() + wanted[n].sum() + 1)
            costs = 5 * bce + 5 * dice - 2 * chances[:, found]
            best = min(
                itertools.permutations(range(QUERIES), len(found)),
                key=lambda order: sum(costs[q, n] for n, q in enumerate(order)),
            )
            total["mask"] += 5 * sum(bce[q, n] for n, q in enumerate(best)) / count
            total["dice"] += 5 * sum(dice[q, n] for n, q in enumerate(best)) / count
            for q in range(QUERIES):
                target = found[best.index(q)] if q in best else CLASSES
                weight = 1.0 if q in best else 0.1
                entropy, weights = entropy - weight * math.log(chances[q, target]), weights + weight
        total["class"] += 2 * entropy / weights
    return total


def test_losses_equal_the_slow_ones_written_from_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a point on every pixel's centre, the losses at points are those at pixels."""
    torch.manual_seed(0)
    height, width = SIZE
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    centres = torch.stack((x, y), -1).flatten(0, 1)

    def everywhere(*shape: int, device: object = None) -> Tensor:
        return centres.expand(*shape[:-2], -1, -1).clone()

    ours = criterion(share=1.0)
    ours.loss.oversample_ratio = ours.loss.importance_sample_ratio = 1.0  # each centre is drawn once, and chosen
    classes, masks = outputs(batch=3)
    labels = torch.stack((halves(0, 3), halves(2, 255), halves(255, 255)))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "rand", lambda *shape, **_: everywhere(*shape) if shape[-2] else torch.empty(shape))
        found = ours(classes, masks, labels)
    expected = slow(classes, masks, labels)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, rel=1e-4)


def test_matching_equals_that_of_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    classes, masks = outputs(batch=3)
    labels = torch.randint(0, CLASSES, (3, *(4 * side for side in SIZE)))
    labels[0, :5], labels[2] = 255, 4
    targets = find_targets(labels, SIZE)
    points = 50
    places = torch.rand(3, HEADS, points, 2)
    one, other = criterion(), Mask2FormerHungarianMatcher(2.0, 5.0, 5.0, points)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "rand", lambda *shape, **_: places)
        found = one.match(classes, masks, targets, points)
    for head in range(HEADS):
        drawn = iter(places[:, head])
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *shape, drawn=drawn, **_: next(drawn)[None])
            theirs = other(
                masks[head],
                classes[head],
                [m[: len(c)] for m, c in zip(targets.masks, targets.classes, strict=True)],
                targets.classes,
            )
        for mine, yours in zip(found[head], theirs, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine, yours, strict=True))


def test_targets_are_one_mask_per_class_without_ignored_pixels() -> None:
    labels = torch.tensor([[[3, 3, 255], [0, 3, 0]], [[255, 255, 255], [255, 255, 2]]])
    found = find_targets(labels, (1, 1))
    assert [c.tolist() for c in found.classes] == [[0, 3], [2]]
    assert found.masks.shape == (2, 2, 4, 4)  # padded to four times the mask's size
    assert found.masks[0, 0, :2, :3].tolist() == [[0, 0, 0], [1, 0, 1]]
    assert found.masks[0, 1, :2, :3].tolist() == [[1, 1, 0], [0, 1, 0]]
    assert found.masks[1, 0].nonzero().tolist() == [[1, 2]]
    assert not found.masks[1, 1].any()  # the frame shows one class only
    assert not found.masks[0, :, 2:].any()


def test_unlabelled_frames_train_only_the_no_object_class() -> None:
    torch.manual_seed(2)
    classes, masks = outputs(batch=2)
    found = criterion()(classes, masks, torch.full((2, 32, 48), 255))
    assert found["mask"] == found["dice"] == 0
    sum(found.values()).backward()
    assert all(head.grad is not None and head.grad.isfinite().all() for head in classes)
    assert all(head.grad is None or not head.grad.any() for head in masks)


def test_more_classes_than_queries_match_every_query_once() -> None:
    torch.manual_seed(3)
    labels = (torch.arange(32 * 48).view(1, 32, 48) // 8) % CLASSES
    classes, masks = outputs(batch=1)
    targets = find_targets(labels, SIZE)
    assert len(targets.classes[0]) > QUERIES
    (matched,) = criterion().match(classes, masks, targets, 20)[0]
    assert matched[0].tolist() == list(range(QUERIES))
    assert len({*matched[1].tolist()}) == QUERIES
    assert all(value.isfinite() for value in criterion()(classes, masks, labels).values())


def test_points_are_sampled_where_the_mask_is_least_certain() -> None:
    torch.manual_seed(4)
    ours, points = criterion(), 200
    ramp = torch.linspace(-4, 4, 32).expand(1, 1, 32, 32)  # zero in the middle
    places = ours._uncertain(ramp, points)
    assert places.shape == (1, points, 2)
    x = places[0, :, 0]
    assert (
        (x - 0.5).abs() < 0.2
    ).float().mean() > 0.75  # a quarter of three times as many, and some of the random ones
    rest = x[int(0.75 * points) :]
    assert rest.min() < 0.1
    assert rest.max() > 0.9


def test_gradients_reach_every_head() -> None:
    torch.manual_seed(5)
    classes, masks = outputs(batch=2)
    sum(criterion()(classes, masks, torch.stack((halves(0, 1), halves(2, 2)))).values()).backward()
    assert all(head.grad is not None and head.grad.any() for head in (*classes, *masks))


def test_number_of_points_matches_the_official_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a crop of 480x480: 12544 to match; to learn, the best of three times as many, and a quarter anywhere."""
    drawn, uniform = [], torch.rand
    monkeypatch.setattr(torch, "rand", lambda *shape, **kind: drawn.append(shape) or uniform(*shape, **kind))
    labels = torch.zeros(1, 480, 480, dtype=torch.int64)
    labels[:, 240:] = 1
    criterion()([torch.randn(1, QUERIES, CLASSES + 1)], [torch.randn(1, QUERIES, 120, 120)], labels)
    assert drawn == [(1, 1, 12544, 2), (2, 3 * 12544, 2), (2, 12544 // 4, 2)]
