"""What fills the slot `norm`: one component, one file."""
