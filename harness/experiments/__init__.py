"""From YAML to runs: plan, execute, collect."""
