"""What plain text means in YAML 1.2: `3e-3` is a number and `off` is text.

Beyond the standard, the library reads `1_000` as 1000. Numbers with a leading zero are decimal
(`017` is 17), and dates stay text.
"""

import math
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode

MAX_DIGITS = 250  # of an integer, hexadecimal ones included: such numbers still fit a float

Scalar = str | int | float | bool | None
_YAML = YAML(typ="safe", pure=True)


def read_scalar(text: str, implicit: tuple[bool, bool]) -> Scalar:
    """Return the value of a scalar; `implicit` is as in ruamel.yaml's event, false in quotes.

    Raises:
        ValueError: infinite, NaN, too many digits, or characters that no file can hold.
    """
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("text with a NUL or half a surrogate pair")
    node = ScalarNode(_YAML.resolver.resolve(ScalarNode, text, implicit), text)
    match str(node.tag).rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) > MAX_DIGITS:
            raise ValueError(f"a number of more than {MAX_DIGITS} digits")
        case "int" | "float" as kind:
            return _number(node, kind)
    return text


def _number(node: Any, kind: str) -> str | int | float:
    try:
        number: int | float = getattr(_YAML.constructor, f"construct_yaml_{kind}")(node)
    except ValueError:  # the pattern of a number, as in `0x_`, without being one
        return str(node.value)
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number, but got {node.value}")
    return number
