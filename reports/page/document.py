"""The file itself: template, styles, scripts and data in one text that a browser may not add anything to."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

FOLDER = Path(__file__).parent
STYLES = ("base", "leaderboard", "plots", "frames", "flicker", "print")
SCRIPTS = (
    "dom", "state", "card", "axes", "point_labels", "marks", "selection", "leaderboard", "pareto", "per_class",
    "per_clip", "curves", "latency", "flicker", "frames", "page",
)  # fmt: skip
"""In the order in which they stand in the page: a script may use at once what an earlier one defines."""


def document(data: dict[str, Any]) -> str:
    """The page. data: JSON values, as `contents` gives them."""
    style = "\n".join(_read(f"css/{name}.css") for name in STYLES)
    script = "\n".join(_read(f"js/{name}.js") for name in SCRIPTS)
    return Template(_read("template.html")).substitute(
        policy=policy(style, script), style=style, script=script, data=embedded(data)
    )


def policy(style: str, script: str) -> str:
    """Content security policy: nothing from outside, no script and no style but these two, pictures from the file."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(data: dict[str, Any]) -> str:
    """JSON that stands inside a script element: plain ASCII, and no `<`, so that no name in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
