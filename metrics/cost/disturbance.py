"""Did the machine sleep, or do other work, while speed was measured? FPS, based on mean times, is then too low.

There are two signs, since each alone is blind. A sleep or a burst lifts the mean above what the same frames mostly
take. A machine that is always busy leaves the mean at the median, but wall time above own time (`clock`). Own time is
wall time where several threads work: there only the first sign is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vssbench.metrics.cost.latency import OWN, SCOPES, Samples, shares

Times = NDArray[np.float64]

SLOWER = 1.25
"""From this ratio on, a speed is called disturbed. Methods whose speeds differ by a quarter are said to differ, so the
machine must not cause that much. With more busy processes than cores, means were 1.0 to 1.4 times the medians and 1.7
to 2.5 times own time (tiny networks, one thread, two cores); the odd interrupt of a quiet machine is a few percent."""
REPEATED = 3
"""From this many rounds on, a frame's median is over its own repetitions; below, over all frames of its kind."""
LEAST_MS = 1.0
"""One interrupt multiplies the time of a frame that takes less than this, which says nothing about the machine."""


def disturbances(samples: Samples, kinds: Mapping[str, int | None] | None = None) -> list[str]:
    """Return a sentence for each sign in raw samples, on the FPS that it lowers most; none for a quiet machine.

    kinds: how often each frame kind ran, as `latency.summarise` takes it
    """
    wall = {scope: _sum(samples, phases) for scope, phases in SCOPES.items()}
    usual = {scope: _medians(samples, times) for scope, times in wall.items()}
    own = {scope: _sum(samples, [OWN[phase] for phase in phases]) for scope, phases in SCOPES.items()}
    share_of = shares(samples["kind"], kinds)
    found = []
    for sign, quiet in (("by the median of each frame", usual), ("by the process's own time", own)):
        pairs = {
            scope: (_mean(samples, wall[scope], share_of), _mean(samples, quiet[scope], share_of)) for scope in SCOPES
        }
        ratios = {scope: mean / max(other, LEAST_MS) for scope, (mean, other) in pairs.items()}
        scope = max(ratios, key=ratios.__getitem__)
        mean, other = pairs[scope]
        if ratios[scope] >= SLOWER:
            found.append(
                f"the machine slept or was busy while speed was measured: FPS {scope.replace('_', ' ')} is "
                f"{1e3 / mean:.3g}, and would be {1e3 / other:.3g} {sign}; measure again on a quiet machine"
            )
    return found


def _sum(samples: Samples, columns: Sequence[str]) -> Times:
    """Return milliseconds of each sample; wall times stand in for own times that an older result lacks."""
    return np.sum([samples.get(name, samples[name.removesuffix("_own")]) for name in columns], axis=0)


def _mean(samples: Samples, times: Times, share_of: Mapping[str, float]) -> float:
    """Return milliseconds per frame over the schedule."""
    kind_of = np.array(samples["kind"])
    return float(sum(share * times[kind_of == kind].mean() for kind, share in share_of.items()))


def _medians(samples: Samples, times: Times) -> Times:
    """Return, for each sample, the median of comparable samples: the work differs by frame kind and by content."""
    like = np.array(samples["kind"])
    rounds = len(set(samples["round"]))
    if rounds >= REPEATED and len(times) % rounds == 0:
        like = np.char.add(like, np.tile(np.arange(len(times) // rounds), rounds).astype(str))
    found = np.empty(len(times))
    for one in set(like.tolist()):
        found[like == one] = np.median(times[like == one])
    return found
