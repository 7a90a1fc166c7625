"""`--mapping-template FILE`: if a network's classes differ from the data's, write a mapping to fill in and stop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from vssbench.errors import UserError, printable


@contextmanager
def mapping_template(file: Path | None) -> Iterator[None]:
    """Enter a context for loading methods: if classes do not match, write a mapping to the file and end the command.

    file: a new one; None: raise the error as usual
    """
    from vssbench.files.atomic import write_text
    from vssbench.networks.class_mapping import ClassesDiffer
    from vssbench.networks.mapping_file import template

    if file is not None and file.exists():
        raise UserError("already exists", where=file, fix="name a new file in --mapping-template")
    try:
        yield
    except ClassesDiffer as error:
        if file is None or error.space is None:
            raise
        write_text(file, template(error.names, error.space))
        print(
            printable(f"vssbench: {error.where}: mapping to fill in written to {file}; then pass mapping={file}"),
            file=sys.stderr,
        )
        raise typer.Exit from None
