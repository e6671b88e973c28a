"""What fills the slot `attention`: one component, one file."""
