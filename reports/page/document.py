"""The file itself: template, styles, scripts and data in one text, to which a browser may add nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

from vssbench.reports.page.scripts import script
from vssbench.reports.page.unscripted import facts, tables, title

FOLDER = Path(__file__).parent
STYLES = ("base", "header", "leaderboard", "panel", "plots", "pair", "frames", "flicker", "print")


def document(data: dict[str, Any]) -> str:
    """Return the page. data: JSON values, as `contents` returns them."""
    style = "\n".join((FOLDER / f"css/{name}.css").read_text(encoding="utf-8") for name in STYLES)
    code = script()
    return Template((FOLDER / "template.html").read_text(encoding="utf-8")).substitute(
        policy=policy(style, code),
        style=style,
        script=code,
        title=title(data["groups"]),
        facts=facts(data["groups"]),
        tables=tables(data["groups"]),
        data=embedded(data),
    )


def policy(style: str, code: str) -> str:
    """Return the content security policy: nothing from outside, only this script and style, pictures from the file."""
    return (
        f"default-src 'none'; script-src '{_hash(code)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(data: dict[str, Any]) -> str:
    """Return JSON for a script element: plain ASCII, and no `<`, so that no name in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
