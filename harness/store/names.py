"""Which names may become folders."""

import re

from harness.errors import AblateError

_NAME = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,96}")


def is_name(text: str) -> bool:
    """Say whether `text` may name a folder of the store."""
    return _NAME.fullmatch(text) is not None


def check_name(kind: str, text: str) -> str:
    """Return `text` if it may name a folder.

    Raises:
        AblateError: it may not.
    """
    if not is_name(text):
        raise AblateError(
            f"{kind} must be 1 to 96 letters, digits, '.', '_' or '-', "
            f"the first no '.' or '-', but got {text!r}"
        )
    return text
