"""Stored columns in words, with their units."""

_TITLES = {
    "train_loss": "training loss (nats per token)",
    "val_loss": "validation loss (nats per token)",
    "val_bpb": "validation bits per byte",
    "val_accuracy": "validation accuracy (fraction of tokens)",
    "val_perplexity": "validation perplexity",
    "lr": "learning rate",
    "grad_norm": "gradient norm",
    "tokens": "training tokens",
    "flops": "training FLOPs",
    "seconds": "training time (seconds)",
    "step": "optimizer steps",
    "tokens_per_s": "tokens per second",
    "share_of_peak": "share of the machine's matmul speed",
    "peak_memory": "peak memory (bytes)",
    "params": "parameters",
    "active_params": "active parameters",
    "kv_bytes": "cache (bytes)",
    "non_embedding_params": "parameters outside the embeddings",
    "train_flops": "training FLOPs per token",
    "total_flops": "FLOPs of the whole training",
    "weight_bytes": "weights (bytes)",
    "memory": "memory in training (bytes)",
    "activation_rms_max": "residual stream, largest rms of a layer",
    "activation_max": "residual stream, largest |x|",
}


def title(column: str) -> str:
    """Return a column's title; an unknown column is its own. Those of a set begin with its name."""
    of_set, _, metric = column.rpartition("/")
    words = _TITLES.get(metric, metric)
    return f"{of_set}: {words}" if of_set else words
