"""From stored runs to arms, to their contrasts, to what is claimed of them."""
