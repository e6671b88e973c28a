"""A study as a document: what was asked, every trial, the best, and what of it is confirmed."""
