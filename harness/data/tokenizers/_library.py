"""The library `tokenizers`, told what it must know before it is imported."""

import os

# Its threads would not survive the fork that starts a run, and it prints a warning about that.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import tokenizers as tokenizers
