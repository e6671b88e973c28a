"""Questions with known answers, asked of this installation."""
