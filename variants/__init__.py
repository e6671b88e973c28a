"""What may vary: one component, one file; presets name whole variants."""
