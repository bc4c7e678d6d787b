"""`python -m infercost` is the same as `infercost`."""

from infercost.cli.main import run

run()
