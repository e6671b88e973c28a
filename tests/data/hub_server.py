"""As much of the Hugging Face Hub as reading a dataset takes, on this machine."""

import contextlib
import io
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd


@contextlib.contextmanager
def serve(name, revision, texts):
    """Yield the address of a Hub with one dataset, and the list of paths that it is asked for."""
    parquet, asked = io.BytesIO(), []
    pd.DataFrame({"text": texts}).to_parquet(parquet)
    raw = parquet.getvalue()
    file = {"type": "file", "path": "data/train.parquet", "size": len(raw), "oid": "0"}
    folder = {"type": "directory", "path": "data", "size": 0, "oid": "1"}
    about = {"id": name, "sha": revision, "siblings": [{"rfilename": file["path"]}]}
    api, files = f"/api/datasets/{name}", f"/datasets/{name}/resolve/{revision}"
    answers = {
        f"{api}/revision/{revision}": about,
        f"{api}/tree/{revision}": [folder, file],
        f"{api}/tree/{revision}/data": [file],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            asked.append(path)
            if path == f"{files}/data/train.parquet":
                start, end = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups()
                part = raw[int(start) : int(end) + 1]
                self.answer(206, part, {"Content-Range": f"bytes {start}-{end}/{len(raw)}"})
            elif path in answers:
                self.answer(200, json.dumps(answers[path]).encode())
            else:
                self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})

        do_HEAD = do_GET  # noqa: N815, so that it is found

        def answer(self, code, body, headers=()):
            self.send_response(code)
            common = {"Content-Length": len(body), "X-Repo-Commit": revision}
            for key, value in {**common, **dict(headers)}.items():
                self.send_header(key, str(value))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
