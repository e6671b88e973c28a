"""Slots, registry, dims and spec: the vocabulary that components are written in; then the model."""
