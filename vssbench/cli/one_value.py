"""An option that takes one value is not given two: the parser would keep the last one and say nothing."""

from __future__ import annotations

from copy import copy
from typing import Any

from typer.core import TyperCommand

from vssbench.errors import UserError, listed


class Command(TyperCommand):
    """A verb that refuses two different values of one option. Lists are `list[str]`: those are joined."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line. Raises UserError for several values where an option takes one."""
        if not ctx.resilient_parsing:  # that is shell completion
            self._refuse_several(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse_several(self, ctx: Any, args: list[str]) -> None:
        """Parse once with every option as a list: this shows all values of those that take one."""
        collecting = copy(self)
        collecting.params = [copy(one) for one in self.params]
        single: list[Any] = [one for one in collecting.params if _takes_one(one)]
        for one in single:
            one.multiple = True
        given = collecting.make_parser(ctx).parse_args(list(args))[0]
        for one in single:
            values = list(dict.fromkeys(given.get(one.name) or ()))
            if len(values) > 1:
                raise UserError(
                    f"{one.opts[0]} takes one value and has {len(values)}: {listed(values, 8)}", fix="keep one"
                )


def _takes_one(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and not parameter.multiple and not parameter.is_flag
