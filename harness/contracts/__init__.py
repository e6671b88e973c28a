"""What every component must do, whoever wrote it: each contract is a function of a subject.

The test suite runs them over the whole registry. For components of your own:

    python -m harness.contracts my_components/
"""
