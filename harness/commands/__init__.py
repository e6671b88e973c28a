"""The commands: each reads its arguments, calls one function and prints.

Nothing heavy is imported before a command needs it: `ablate --help` must not wait for torch.
"""
