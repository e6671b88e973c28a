"""What may be claimed: statistics and verdicts, pure functions of a plan and its tables."""
