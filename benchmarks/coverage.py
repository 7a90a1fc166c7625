"""How often do 95 % intervals contain the truth? Simulated clips of populations whose true figures are known.

    python benchmarks/coverage.py [--trials 1000] [--clips 10,30,100,343] [--populations long,driving,few]

A clip shows a few of the classes (Zipf), in shares drawn from a Dirichlet distribution. How well a class is predicted
depends on the class, on the clip, and most on the pair of them; missed pixels go to other classes of the clip, and some
to classes that it does not show. Printed for each population, metric and number of clips: the coverage of the interval
of vssbench.stats, and of the percentile, basic and BCa intervals, in % of the trials, and the mean width.
"true": coverage of the figure of a large population. "own": of the mean figure of data sets with that many clips, which
differs if the protocol's figure depends on their number (mmseg, detectron2: a class nobody annotated yet is a zero).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.metrics.accuracy.confusion import read_areas
from vssbench.metrics.accuracy.consistency import digits_of, read_windows
from vssbench.metrics.accuracy.protocols import find
from vssbench.metrics.accuracy.scripts import Floats
from vssbench.stats.bootstrap import Sample, limits, sample

METRICS = {
    "mIoU": ("exact", "mIoU"),
    "mIoU mmseg": ("mmseg", "mIoU"),
    "WIoU": ("exact", "WIoU"),
    "pixel accuracy": ("exact", "pixel_accuracy"),
    "class accuracy": ("exact", "class_accuracy"),
}
RIVAL = 0.9
"""Correlation between two methods' luck with a class of a clip."""


@dataclass(frozen=True)
class Population:
    """classes: C;  shown: mean number of classes in a clip;  tail: Zipf's exponent of how many clips show a class;
    luck: standard deviation of the logit of a class's recall from clip to clip;  share: Dirichlet concentration"""

    classes: int
    shown: float
    tail: float
    luck: float
    share: float

    def draw(self, rng: np.random.Generator, clips: int, shift: float = 0.3) -> tuple[Floats, Floats]:
        """Areas of two methods on the same clips, float64[clips, 3, C] each; `shift`: how much better the first is."""
        fixed = np.random.default_rng(self.classes)  # part of the population: the same at every call
        size, ease = fixed.gamma(1, 1, self.classes) + 0.1, fixed.normal(0.6, 1, self.classes)
        shown = self.chances()
        there = rng.random((clips, self.classes)) < shown
        there[~there.any(1), 0] = True
        share = (rng.gamma(self.share, 1, there.shape) * size + 1e-9) * there
        share /= share.sum(1, keepdims=True)
        label = np.round(share * 3e7 * np.exp(rng.normal(0, 0.3, (clips, 1))))
        common, clip = rng.normal(0, 1, there.shape), rng.normal(0, 0.5, (clips, 1))
        inside = rng.gamma(0.5, 1, there.shape) * there * (share + 0.02)
        inside /= inside.sum(1, keepdims=True)
        outside = np.zeros(there.shape)
        outside[np.arange(clips), rng.choice(self.classes, clips, p=shown * size / (shown * size).sum())] = 1
        both = []
        for better in (shift, 0.0):
            own = rng.normal(0, 1, there.shape)
            logit = ease + clip + self.luck * (RIVAL * common + np.sqrt(1 - RIVAL**2) * own) + better
            hit = np.round(label / (1 + np.exp(-logit)))
            missed = (label - hit).sum(1, keepdims=True)
            both.append(np.stack([label, hit + np.round(missed * (0.9 * inside + 0.1 * outside)), hit], 1))
        return both[0], both[1]

    def chances(self) -> Floats:
        """float64[C]: how likely a clip shows each class; the sum is about `shown`, none is above 0.95."""
        weight = np.arange(1.0, self.classes + 1) ** -self.tail
        scales = np.geomspace(0.01, 1000, 4000)
        sums = np.minimum(0.95, scales[:, None] * weight).sum(1)
        return np.minimum(0.95, scales[np.searchsorted(sums, self.shown)] * weight)


POPULATIONS = {
    "long": Population(classes=124, shown=9, tail=1.0, luck=2.0, share=0.5),  # like VSPW: rare classes in 1 % of clips
    "driving": Population(classes=19, shown=14, tail=0.3, luck=1.0, share=2.0),
    "few": Population(classes=11, shown=5, tail=0.3, luck=1.0, share=2.0),
}


def as_totals(areas: Floats, protocol: str, name: str) -> Totals:
    """Convert some clips' areas to the totals that intervals are computed from."""
    clips = tuple(map(str, range(len(areas))))
    return Totals(clips, areas.reshape(len(areas), -1), partial(read_areas, find(protocol).means, name))


def windows(rng: np.random.Generator, clips: int) -> Totals:
    """VC: clips of 20 to 80 windows whose ratio differs from clip to clip."""
    ratios, lengths = rng.beta(9, 1.2, clips), rng.integers(20, 81, clips)
    columns = [
        [*(digits_of(np.array([ratio]))[:, 0] * count), count] for ratio, count in zip(ratios, lengths, strict=True)
    ]
    return Totals(tuple(map(str, range(clips))), np.array(columns), read_windows)


def metrics(population: Population, rng: np.random.Generator, clips: int) -> dict[str, tuple[Totals, ...]]:
    """Simulate one data set with that many clips: its metrics, and the differences of two methods as pairs."""
    first, second = population.draw(rng, clips)
    made: dict[str, tuple[Totals, ...]] = {title: (as_totals(first, *what),) for title, what in METRICS.items()}
    for title in ("mIoU", "WIoU"):
        made[f"{title}, A - B"] = made[title][0], as_totals(second, *METRICS[title])
    return {**made, "VC": (windows(rng, clips),)}


def candidates(found: Sample) -> dict[str, tuple[float, float]]:
    """The 95 % intervals to compare."""
    value, drawn, left = found.value, found.drawn, found.left
    low, high = np.quantile(drawn, [0.025, 0.975])
    off = left.mean() - left
    bend = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    below = stats.norm.ppf(np.clip((drawn < value).mean(), 1 / len(drawn), 1 - 1 / len(drawn)))
    z = below + stats.norm.ppf([0.025, 0.975])
    bca = np.quantile(drawn, stats.norm.cdf(below + z / (1 - bend * z)))
    return {
        "ours": limits(value, drawn, left),
        "percentile": (low, high),
        "basic": (2 * value - high, 2 * value - low),
        "BCa": (bca[0], bca[1]),
    }


def truth(population: Population, clips: int = 200_000, at_once: int = 5000) -> dict[str, float]:
    """The figures of a large population."""
    rng = np.random.default_rng(10**6)
    sums: dict[str, list[Floats]] = {}
    for _ in range(clips // at_once):
        parts = metrics(population, rng, at_once)
        for title, found in parts.items():
            before = sums.get(title, [np.zeros(1)] * len(found))
            sums[title] = [total + one.columns.sum(0) for total, one in zip(before, found, strict=True)]
    figures = {t: [float(one.read(total)) for one, total in zip(parts[t], sums[t], strict=True)] for t in sums}
    return {title: first - sum(second) for title, (first, *second) in figures.items()}


def trials(population: Population, clips: int, count: int, resamples: int) -> dict[str, dict[str, Floats]]:
    """Metric -> {"value": float64[count], candidate -> float64[count, 2]}; trial k is the same whatever `count` is."""
    found: dict[str, dict[str, list]] = {}
    for trial in range(count):
        for title, (first, *second) in metrics(population, np.random.default_rng([trial, clips]), clips).items():
            one = sample(first, resamples, trial)
            one = one - sample(second[0], resamples, trial) if second else one
            rows = found.setdefault(title, {})
            rows.setdefault("value", []).append(one.value)
            for name, ends in candidates(one).items():
                rows.setdefault(name, []).append(ends)
    return {title: {name: np.array(row) for name, row in rows.items()} for title, rows in found.items()}


def coverage(ends: Floats, value: float) -> float:
    """Percent of float64[trials, 2] intervals that contain the value."""
    return 100 * float(((ends[:, 0] <= value) & (value <= ends[:, 1])).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--clips", default="10,30,100,343")
    parser.add_argument("--populations", default=",".join(POPULATIONS))
    arguments = parser.parse_args()
    scripts.rounded_sum = lambda values: np.nansum(values, axis=-1)  # speed matters here, not the last bit
    for name in arguments.populations.split(","):
        true = truth(POPULATIONS[name])
        for clips in map(int, arguments.clips.split(",")):
            for title, rows in trials(POPULATIONS[name], clips, arguments.trials, arguments.resamples).items():
                value = rows.pop("value")
                cells = [
                    f"{rule} {coverage(ends, true[title]):5.1f} true {coverage(ends, value.mean()):5.1f} own "
                    f"{np.diff(ends).mean():5.2f} wide"
                    for rule, ends in rows.items()
                ]
                print(
                    f"{name:8} {clips:4} {title:15} {true[title]:6.2f} {value.mean():6.2f} |",
                    " | ".join(cells),
                    flush=True,
                )


if __name__ == "__main__":
    main()
