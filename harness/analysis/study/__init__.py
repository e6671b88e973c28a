"""A study as people read it: trials, the best of them, what they cost and what is confirmed."""
