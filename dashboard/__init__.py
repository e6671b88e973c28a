"""The dashboard: what is stored and what may be claimed of it, in a browser; no torch."""
