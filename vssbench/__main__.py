"""`python -m vssbench`, which is also how `accelerate launch -m vssbench train ...` starts one process per device."""

from vssbench.cli import main

main()
