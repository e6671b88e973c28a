"""Searches over configurations: a file, trials that are runs of the store, Optuna's samplers."""
