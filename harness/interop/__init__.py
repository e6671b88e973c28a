"""Interchange with Hugging Face: Qwen3 checkpoints, written and read without transformers."""
