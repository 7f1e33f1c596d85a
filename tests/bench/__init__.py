"""Measurements: how fast, and at what cost. `python -m tests.bench` is `make bench`; growth and neighbours have their own."""

import sys
from pathlib import Path

# What the tests share is imported as `support`, in the tests as here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
