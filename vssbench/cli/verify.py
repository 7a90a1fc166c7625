"""`vssbench verify`: does a result follow from its records, and can those be reproduced?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from vssbench.cli.options import CheckpointOption, JsonOption, RootOption
from vssbench.cli.texts import checkpoints
from vssbench.errors import counted, printable


def command(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    again: Annotated[int, typer.Option("--again", min=0, help="Run this many clips of each method again.")] = 0,
    root: RootOption = None,
    checkpoint: CheckpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute every figure of every result from the records and timings next to it, and check each value's range.

    With --again, also measure some clips again and compare the records. Exit status 1 if anything differs.
    """
    from vssbench.results.read_folder import result_files
    from vssbench.results.verify import verify

    found = [verify(file.parent) for file in result_files(run)]
    if again:
        from vssbench.bench.again import asked, differences

        spec = asked(run, None if root is None else str(root), checkpoints(checkpoint or ()) or None)
        for one in found:
            if one.clips:
                one.differences += differences(spec, one.folder, again)
    if as_json:
        print(json.dumps([{**vars(one), "folder": str(one.folder)} for one in found], indent=1))
    else:
        methods = Counter(one.method for one in found)  # a sweep of the dataset has each of them several times
        for one in found:
            name = one.method if one.method and methods[one.method] == 1 else one.folder.name
            clips = counted(one.clips, "clip") + (f" ({min(again, one.clips)} measured again)" if again else "")
            print(printable(f"{name}: {clips}, {one.values} values, {counted(len(one.differences), 'difference')}"))
            for line in one.differences:
                print(printable(f"  {line}"))
        differing = sum(bool(one.differences) for one in found)
        held = f"verified: {counted(len(found), 'result')}"
        print(f"{differing} of {len(found)} results do not hold" if differing else held)
    if any(one.differences for one in found):
        raise typer.Exit(1)
