"""What fills the slot `ffn`: one component, one file."""
