"""What fills the slot `objective`: one component, one file."""
