"""What is kept on disk: run folders, which are the truth, and tables, which are views of them."""
