"""Print a command of the README: the code block after the comment `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path

path, name = sys.argv[1:]
pattern = rf"<!-- command: {re.escape(name)} -->\n+```\w*\n(.*?)\n```"
found = re.findall(pattern, Path(path).read_text(), re.DOTALL)
if len(found) != 1:
    sys.exit(f"{path} must have exactly one command named {name!r}, but has {len(found)}")
print(found[0])
