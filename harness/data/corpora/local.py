"""Documents of one's own: text, JSON lines and parquet files."""

import glob
import json
import os
from collections.abc import Iterator
from pathlib import Path

from harness.data.corpora import CORPUS, Corpus, Document, is_text
from harness.errors import ConfigError, unknown

READABLE = (".txt", ".jsonl", ".parquet")


@CORPUS.register("local")
class Local(Corpus):
    """Files in UTF-8: `.txt` is one document, `.jsonl` one a line, `.parquet` one a row.

    The strata are the folders of `.txt` files, and each `.jsonl` or `.parquet` file.

    Options:
        path: a file, a folder (searched with its subfolders) or a glob; `~` is expanded.
        text_key: the key (`.jsonl`) or column (`.parquet`) that holds the text.
    """

    def __init__(self, *, path: str, text_key: str = "text") -> None:
        self.path = path
        self.text_key = text_key

    def documents(self) -> Iterator[Document]:
        """Yield the documents by file name, then by line or row.

        Raises:
            ConfigError: no file matches, or a file is not what its ending says.
        """
        files = self._files()
        home = os.path.commonpath([file.parent for file in files])
        for file in files:
            name = file.relative_to(home).as_posix()
            if file.suffix.lower() == ".txt":
                yield Document(name, _decoded(file.read_bytes(), file), str(Path(name).parent))
                continue
            texts = self._lines(file) if file.suffix.lower() == ".jsonl" else self._rows(file)
            for number, value in texts:
                yield Document(f"{name}:{number}", self._text(value, file, number), name)

    def _files(self) -> list[Path]:
        path = Path(self.path).expanduser()
        if path.is_dir():
            found = [f for f in path.rglob("*") if f.suffix.lower() in READABLE and f.is_file()]
        elif path.is_file():
            found = [path]
        else:
            matches = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207, may be absolute
            found = [f for f in matches if f.is_file()]
        if not found:
            raise ConfigError.at(("path",), f"no {', '.join(READABLE)} file matches {self.path!r}")
        for file in found:
            if file.suffix.lower() not in READABLE:
                expected = f"must be one of {', '.join(READABLE)}"
                raise ConfigError.at(("path",), f"{expected}, but got {str(file)!r}")
        return sorted(file.absolute() for file in found)

    def _lines(self, file: Path) -> Iterator[tuple[int, object]]:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(_decoded(line, file))
                except json.JSONDecodeError as error:
                    raise ConfigError.at(("path",), f"{file}:{number}: not JSON: {error}") from None
                if not isinstance(row, dict):
                    problem = f"{file}:{number}: must be a JSON object, but got {line[:80]!r}"
                    raise ConfigError.at(("path",), problem)
                if self.text_key not in row:
                    raise self._missing(f"{file}:{number}", row)
                yield number, row[self.text_key]

    def _rows(self, file: Path) -> Iterator[tuple[int, object]]:
        import pyarrow
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.ParquetFile(file)
        except pyarrow.ArrowInvalid as error:
            raise ConfigError.at(("path",), f"{file}: not parquet: {error}") from None
        with table:
            if self.text_key not in table.schema_arrow.names:
                raise self._missing(file, table.schema_arrow.names)
            batches = table.iter_batches(columns=[self.text_key])
            yield from enumerate((v for batch in batches for v in batch[0].to_pylist()), start=1)

    def _missing(self, where: object, keys: list[str] | dict[str, object]) -> ConfigError:
        return ConfigError.at(("text_key",), f"{where}: {unknown('key', self.text_key, keys)}")

    def _text(self, value: object, file: Path, number: int) -> str:
        if not is_text(value):
            problem = f"{file}:{number}: {self.text_key!r} must be text, but got {value!r}"
            raise ConfigError.at(("path",), problem)
        return value


def _decoded(raw: bytes, file: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError.at(("path",), f"{file} must be UTF-8, but: {error}") from None
