"""The machine: it knows slots, never a particular component."""
