"""What fills the slot `embedding`: one component, one file."""
