"""Targets that are not scored, in one value for all that makes, reads or skips them; no torch."""

IGNORE = -100  # the default of torch's cross entropy
