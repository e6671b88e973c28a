"""Searches for the best variant: Optuna suggests, runs answer, events of trials are the truth."""
