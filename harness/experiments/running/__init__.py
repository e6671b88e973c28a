"""Runs in processes of their own, and the tables that they leave."""
