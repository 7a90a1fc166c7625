"""The protocols once more, slowly: plain loops over pixels, written from the description of each official script.

A video is (ground truth, prediction): two uint8[T, H, W] arrays, ground truth as train ids with 255 for void. Every
function returns fractions; None stands for a number that the script cannot give (it stops, or divides 0 by 0).
"""

from __future__ import annotations

import math

import numpy as np

Video = tuple[np.ndarray, np.ndarray]
VOID = 255


def pixels(videos):
    for truth, guess in videos:
        yield from zip(truth.ravel().tolist(), guess.ravel().tolist(), strict=True)


def long_enough(videos):
    """VSPW's script skips videos of 16 masks or fewer."""
    return [video for video in videos if len(video[0]) > 16]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else None


def over_annotated(table, classes):
    """The figures of a plain C x C table: means over the classes with ground truth."""
    rows = [sum(table[i]) for i in range(classes)]
    columns = [sum(table[i][j] for i in range(classes)) for j in range(classes)]
    total = sum(rows)
    there = [i for i in range(classes) if rows[i] > 0]
    iou = {i: table[i][i] / (rows[i] + columns[i] - table[i][i]) for i in there}
    return {
        "mIoU": mean(iou.values()),
        "WIoU": sum(rows[i] / total * iou[i] for i in there) if total else None,
        "pixel_accuracy": sum(table[i][i] for i in range(classes)) / total if total else None,
        "class_accuracy": mean(table[i][i] / rows[i] for i in there),
    }


def nothing():
    return dict.fromkeys(("mIoU", "WIoU", "pixel_accuracy", "class_accuracy"))


def vspw(videos, classes):
    flat = [0] * (classes * classes)
    for label, predicted in pixels(long_enough(videos)):
        if label < classes:
            index = classes * label + predicted
            if index >= len(flat):
                return nothing()
            flat[index] += 1
    table = [flat[row * classes : (row + 1) * classes] for row in range(classes)]
    return over_annotated(table, classes)


def detectron2(videos, classes):
    side = classes + 1
    table = [[0] * side for _ in range(side)]
    for label, predicted in pixels(videos):
        if predicted > classes:
            return nothing()
        table[classes if label == VOID else label][predicted] += 1
    inner = [row[:classes] for row in table[:classes]]
    numbers = over_annotated(inner, classes)
    labelled = {i for i in range(classes) if sum(inner[i])}
    occurring = labelled | {j for j in range(classes) if any(inner[i][j] for i in range(classes))}
    if occurring:
        numbers["mIoU"] = (numbers["mIoU"] or 0) * len(labelled) / len(occurring)
    return numbers


def mmseg(videos, classes):
    hit, label_area, predicted_area = ([0] * classes for _ in range(3))
    for label, predicted in pixels(videos):
        if label == VOID:
            continue
        label_area[label] += 1
        if predicted == label:
            hit[label] += 1
        if predicted <= classes:  # the last bin is closed
            predicted_area[min(predicted, classes - 1)] += 1
    union = [label_area[i] + predicted_area[i] - hit[i] for i in range(classes)]
    total = sum(label_area)
    return {
        "mIoU": mean(hit[i] / union[i] for i in range(classes) if union[i]),
        "WIoU": sum(label_area[i] / total * hit[i] / union[i] for i in range(classes) if label_area[i])
        if total
        else None,
        "pixel_accuracy": sum(hit) / total if total else None,
        "class_accuracy": mean(hit[i] / label_area[i] for i in range(classes) if label_area[i]),
    }


def cityscapes(videos, classes):
    """From the script's own words: true positives, false negatives, false positives; void ground truth is ignored."""
    tp, fn, fp = ([0] * classes for _ in range(3))
    for label, predicted in pixels(videos):
        if label == VOID:
            continue
        if label == predicted:
            tp[label] += 1
            continue
        fn[label] += 1
        if predicted < classes:
            fp[predicted] += 1
    labelled = [tp[i] + fn[i] for i in range(classes)]
    iou = {i: tp[i] / (labelled[i] + fp[i]) for i in range(classes) if labelled[i] + fp[i]}
    total = sum(labelled)
    return {
        "mIoU": mean(iou.values()),
        "WIoU": sum(labelled[i] / total * iou[i] for i in range(classes) if labelled[i]) if total else None,
        "pixel_accuracy": sum(tp) / total if total else None,
        "class_accuracy": mean(tp[i] / labelled[i] for i in range(classes) if labelled[i]),
    }


mmseg1 = cityscapes


def espnet(videos, classes):
    """Section 3 of the page on ESPNet: void is the last row and column; the means are over the classes only."""
    table = [[0] * (classes + 1) for _ in range(classes + 1)]
    for label, predicted in pixels(videos):
        if predicted > classes:
            return nothing()
        table[classes if label == VOID else label][predicted] += 1
    iou, accuracy = [], []
    for c in range(classes):
        row, column, hit = sum(table[c]), sum(line[c] for line in table), table[c][c]
        iou.append(hit / (row + column - hit) if row + column - hit else math.nan)
        accuracy.append(hit / row if row else math.nan)
    means = {"mIoU": sum(iou) / classes, "class_accuracy": sum(accuracy) / classes}
    return nothing() | {name: None if math.isnan(value) else value for name, value in means.items()}


def arseg(videos, classes):
    table = [[0] * classes for _ in range(classes)]
    for label, predicted in pixels(videos):
        if label == VOID:
            continue
        if predicted >= classes:
            return nothing()
        table[label][predicted] += 1
    unions = [sum(table[i]) + sum(row[i] for row in table) - table[i][i] for i in range(classes)]
    iou = [table[i][i] / unions[i] if unions[i] else math.nan for i in range(classes)]
    whole = sum(iou) / classes
    return nothing() | {"mIoU": None if math.isnan(whole) else whole}


def exact(videos, classes):
    """None instead of a dictionary if a predicted id is not a class: that is an error."""
    if any(predicted >= classes for _, predicted in pixels(videos)):
        return None
    table = [[0] * classes for _ in range(classes)]
    for label, predicted in pixels(videos):
        if label != VOID:
            table[label][predicted] += 1
    return over_annotated(table, classes)


def keeps(window, row, column):
    return all(frame[row, column] == window[0][row, column] for frame in window)


def window_value(truth, guess, *, void, right):
    """Of the pixels whose label stays constant, the share whose prediction does too (and is right); None for 0/0."""
    part = whole = 0
    for row in range(truth.shape[1]):
        for column in range(truth.shape[2]):
            if not keeps(truth, row, column) or (truth[0][row, column] == VOID and not void):
                continue
            whole += 1
            if keeps(guess, row, column) and (not right or guess[0][row, column] == truth[0][row, column]):
                part += 1
    return part / whole if whole else None


def vc(videos, n, *, official, right=False):
    """VC@n, or VCC@n with right=True. The official script drops each video's last window and treats void as a label."""
    values = []
    for truth, guess in long_enough(videos) if official else videos:
        for first in range(len(truth) - n + (0 if official else 1)):
            window = slice(first, first + n)
            values.append(window_value(truth[window], guess[window], void=official and not right, right=right))
    return mean(value for value in values if value is not None)
