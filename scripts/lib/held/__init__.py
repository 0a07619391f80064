"""The parts of `scripts/held`."""
