"""Speed, measured: ratios in one run, interleaved, medians."""
