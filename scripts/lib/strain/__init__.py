"""The parts of `scripts/strain`."""
