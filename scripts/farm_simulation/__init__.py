"""A farm that no test machine has, simulated event by event: see docs/scale.md.

`python -m scripts.farm_simulation` prints the tables, `--plot docs/scale.png` draws them.
"""
