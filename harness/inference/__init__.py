"""What a trained model says: generation."""
