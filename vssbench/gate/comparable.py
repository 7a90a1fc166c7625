"""Decide from how two entries of one method and dataset were measured whether their figures are comparable at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vssbench.environment import HARDWARE
from vssbench.errors import listed
from vssbench.gate.baseline import Entry, Key
from vssbench.results.figures import Figure
from vssbench.results.stream_figures import of_stream

NAMED = 3
"""The number of clips that a message names if some are missing."""
_MACHINE = ("python", *HARDWARE)


def lost_clips(before: Entry, now: Entry) -> str | None:
    """Say which clips of the baseline no longer count; None if no clip is shared: the set differs, none is lost."""
    kept = set(now.clips)
    lost = [clip for clip in before.clips if clip not in kept]
    if not lost or (kept and len(lost) == len(before.clips)):
        return None
    reason = f" ({now.skipped[lost[0]]})" if lost[0] in now.skipped else ""
    return f"{len(lost)} of the {len(before.clips)} clips are missing: {listed(lost, NAMED)}{reason}"


def other_reading(before: Entry, now: Entry) -> list[str]:
    """List the differences in how the frames were seen and scored."""
    differing = _differing(
        {
            "protocol": (before.protocol, now.protocol),
            "codec": (before.codec or "none", now.codec or "none"),
            "labels": (before.dataset.labels, now.dataset.labels),
        }
    )
    if before.dataset.labels == now.dataset.labels and before.dataset.classes != now.dataset.classes:
        differing.append(f"the classes of {now.dataset.labels} have changed")
    return differing


def other_files(before: Entry, now: Entry) -> list[str]:
    """List the differences in the frames themselves."""
    old, new = before.dataset, now.dataset
    scored = old.labelled and new.labelled  # also 0 if accuracy was refused
    return _differing(
        {
            "files of the split": (old.fingerprint[:12], new.fingerprint[:12]),
            "contents of the files": (old.files, new.files) if old.files and new.files else (None, None),
            "clips that count": (len(before.clips), len(now.clips)),
            "frames": (old.frames, new.frames),
            "labelled frames": (old.labelled, new.labelled) if scored else (0, 0),
        }
    )


def other_machine(before: Entry, now: Entry) -> list[str]:
    """List the differences in the hardware that was timed or metered."""
    return _differing({key: (before.environment.get(key), now.environment.get(key)) for key in HARDWARE})


def other_times(figure: Figure, before: Entry, now: Entry) -> str | None:
    """Say why a figure read off a clock or a meter cannot be compared; None if it can, and for any other figure.

    What a stream shows with assumed times per frame is the same on any machine.
    """
    if not figure.machine:
        return None
    then, today = (of_stream(figure.spec, one.streams) for one in (before, now))
    if then is not None and today is not None:
        if then["assumed"] != today["assumed"]:
            told = ["assumed" if one["assumed"] else "measured" for one in (then, today)]
            return f"times per frame were {told[0]} then, and are {told[1]} now"
        if then["assumed"]:
            named = {"ms per frame": "latency_ms", "frames taken": "take"}
            others = _differing({what: (then[name], today[name]) for what, name in named.items()})
            return f"other times per frame were assumed ({'; '.join(others)})" if others else None
    others = other_machine(before, now)
    return f"measured on different hardware ({'; '.join(others)})" if others else None


def other_memory(before: Entry, now: Entry) -> list[str]:
    """List the differences in the process that memory was measured in."""
    told = [
        "in a process of its own" if one.memory_alone else "with all methods of its run loaded" for one in (before, now)
    ]
    return _differing({"memory": (told[0], told[1])})


def changes(old: Mapping[Key, Entry], new: Mapping[Key, Entry]) -> Iterator[str]:
    """Yield what else has changed and may explain a verdict: weights, defaults, versions, machine. Each line once."""
    seen = set()
    for key, before in old.items():
        if key not in new:
            continue
        now, name = new[key], " on ".join(key)
        pairs: dict[str, tuple[Any, Any]] = {
            f"weights of {name}": (_weights(before), _weights(now)),
            f"{name}, defaults written out": (
                (before.resolved, now.resolved) if before.resolved and now.resolved else (None, None)
            ),
        }
        pairs |= {place: (before.environment.get(place), now.environment.get(place)) for place in _MACHINE}
        packages = [
            {**entry.environment.get("packages", {}), **entry.environment.get("plugins", {})} for entry in (before, now)
        ]
        pairs |= {
            package: (packages[0].get(package), packages[1].get(package)) for package in packages[0] | packages[1]
        }
        for line in _differing(pairs):
            if line not in seen:
                seen.add(line)
                yield line


def _weights(entry: Entry) -> str:
    files = (entry.weights.sha256 or entry.weights.origin).split(",")  # arseg has two
    return ", ".join(file[:12] for file in files)


def _differing(pairs: Mapping[str, tuple[Any, Any]]) -> list[str]:
    return [f"{what}: {then} then, {now} now" for what, (then, now) in pairs.items() if then != now]
