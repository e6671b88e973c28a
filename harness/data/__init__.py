"""Text becomes batches: corpora, tokenizers, the split, the cache, and the order of training."""
