"""Spend a budget on a model and report what happened."""
