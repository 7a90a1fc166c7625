"""The only parser of sizes."""

from __future__ import annotations

import pytest

from vssbench.errors import UserError
from vssbench.networks.sizes import parse_size


def test_sizes_are_height_by_width() -> None:
    assert parse_size("480x853", "--size ") == (480, 853)


@pytest.mark.parametrize(
    "text", ["480*853", "0x5", "480", "480x", "480x853x3", "-480x853", "480.0x853", "१६x१६", "", "123456x5"]
)
def test_malformed_sizes_are_one_error_message(text: str) -> None:
    with pytest.raises(UserError, match=r"--crop .* is not valid(?s:.*)HEIGHTxWIDTH"):
        parse_size(text, "--crop ")


@pytest.mark.parametrize("text", ["15x480", "9999x480"])
def test_sides_outside_the_limits_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="each 16 to 8192 pixels"):
        parse_size(text, "--size ", 16, 8192)
