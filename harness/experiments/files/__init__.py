"""YAML files of experiments: read with the line of every value, merged, overridden, written."""
