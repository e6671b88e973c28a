"""What fills the slot `precision`: one component, one file."""
