"""Verdicts and effects in words and tables for people."""
