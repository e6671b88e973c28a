"""What a file asks: the meaning of its keys, every mistake told at once."""
