"""What fills the slot `block`: one component, one file."""
