"""What fills the slot `position`: one component, one file."""
