"""Charts as SVG: pure functions from numbers to text, without a plotting library."""
