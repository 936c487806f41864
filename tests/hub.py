"""A small Hugging Face hub on loopback, for tests to run the real clients against: what they ask of it, and its faults.

It speaks the part of the hub's protocol that huggingface_hub uses to read: information on a repository, its tree of
files, and the files themselves with ETag, ranges and the commit. Every answer is logged.
"""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

KINDS = {"models": "model", "datasets": "dataset"}


class Hub:
    """Repositories with their commits, {(kind, name): {revision: {path: content}}}, and the faults to be shown."""

    def __init__(self):
        self.repositories, self.commits = {}, {}
        self.log = []  # (method, path, range, status) of each answer
        self.gated = set()  # names whose files need a token that nobody has
        self.refusing = {}  # {name: status with which its files are refused}
        self.cut = {}  # {path of a file: times that its connection breaks in the middle}
        self.silent = threading.Event()  # once set, nothing is answered
        self.ended = threading.Event()

    def commit(self, kind, name, files, *revisions):
        """Add a commit, which `main` and other revisions then name; returns its hash."""
        content = "".join(f"{path} {_blob(file)}" for path, file in sorted(files.items()))
        sha = hashlib.sha1(content.encode()).hexdigest()
        known = self.repositories.setdefault((kind, name), {})
        known |= dict.fromkeys([sha, *(revisions or ["main"])], files)
        self.commits |= {(kind, name, revision): sha for revision in (sha, *(revisions or ["main"]))}
        return sha

    def asked(self, path, method="GET"):
        """The answers given for a path that ends so."""
        return [entry for entry in self.log if entry[0] == method and entry[1].endswith(path)]


def _blob(content):
    """Git's name of a file's content, which is its ETag on the hub."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.hub.silent.is_set():
            self.hub.ended.wait()
            self.close_connection = True
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        api = parts[0] == "api"
        parts = parts[api:]
        kind = KINDS[parts.pop(0)] if parts[0] in KINDS else "model"
        verbs = {"revision", "tree", "resolve"}
        place = next((index for index, part in enumerate(parts) if part in verbs), len(parts))
        name, (verb, revision, *path) = (
            "/".join(parts[:place]),
            (*parts[place:], "revision", "main")[:2] + (*parts[place + 2 :],),
        )
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            return self._refuse(404, "RepoNotFound", "Repository not found")
        if revision not in repository:
            return self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files, sha = repository[revision], self.hub.commits[kind, name, revision]
        if api:
            return self._json(self._tree(files) if verb == "tree" else self._information(name, sha, files))
        if name in self.hub.gated:
            return self._refuse(401, "GatedRepo", f"Access to {kind} {name} is restricted.")
        if name in self.hub.refusing:
            return self._refuse(self.hub.refusing[name], "", "Refused")
        file = files.get("/".join(path))
        if file is None:
            return self._refuse(404, "EntryNotFound", "Entry not found", sha)
        self._file(file, sha, "/".join(path))

    def _tree(self, files):
        return [{"type": "file", "oid": _blob(file), "size": len(file), "path": path} for path, file in files.items()]

    def _information(self, name, sha, files):
        siblings = [{"rfilename": path} for path in files]
        return {"id": name, "sha": sha, "siblings": siblings, "private": False, "gated": False, "tags": []}

    def _file(self, file, sha, path):
        first = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") :].partition("-")[0])
        headers = {"ETag": f'"{_blob(file)}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(file) - 1}/{len(file)}"
        left = self.hub.cut.get(path, 0)
        if self.command == "GET" and left:
            self.hub.cut[path] -= 1
        self._answer(206 if first else 200, file[first:], headers, broken=bool(left))

    def _json(self, content):
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status, code, message, sha=None):
        headers = {"X-Error-Code": code, "X-Error-Message": message} | ({"X-Repo-Commit": sha} if sha else {})
        self._answer(status, json.dumps({"error": message}).encode(), headers)

    def _answer(self, status, body, headers, broken=False):
        self.hub.log.append((self.command, unquote(self.path), self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # so that nothing is answered once the server has stopped
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if broken else body)
        self.close_connection = True


@contextmanager
def serving(hub):
    """The address of a server of `hub` that runs while the block does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        yield hub.address
    finally:
        hub.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
