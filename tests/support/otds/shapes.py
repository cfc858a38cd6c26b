"""The documented shapes: shapes/*.json, and the comparison of a request or an answer with one, field by field.

A shape is JSON: "string", "number", "boolean", "null", "any", or several with "|"; ["string"] is a list of that;
an object names its keys, those that end in "?" may be absent, "*" stands for any other key, and "@name" for a
shape of shapes/objects.json. {"or": [...]} is one of several.
"""
import functools
import json
import re
from pathlib import Path
from urllib.parse import unquote

FOLDER = Path(__file__).resolve().parent / "shapes"
TYPES = {"string": str, "boolean": bool, "null": type(None)}


def load():
    """All documented calls, by file and order."""
    calls = []
    for file in sorted(FOLDER.glob("[0-9]*.json")):
        for call in json.loads(file.read_text(encoding="utf-8")):
            calls.append({**call, "file": file.name})
    return calls


OBJECTS = json.loads((FOLDER / "objects.json").read_text(encoding="utf-8"))


def _is(value, word):
    if word == "any":
        return True
    if word == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[word])


def differences(value, shape, at="body"):
    """What is different, each with its place; nothing when the value has the shape."""
    if isinstance(shape, str) and shape.startswith("@"):
        return differences(value, OBJECTS[shape[1:]], at)
    if isinstance(shape, str):
        fits = any(_is(value, word) for word in shape.split("|"))
        return [] if fits else [f"{at}: {json.dumps(value)} is not {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [found for index, item in enumerate(value)
                for found in differences(item, shape[0], f"{at}[{index}]")]
    if list(shape) == ["or"]:
        tried = [differences(value, one, at) for one in shape["or"]]
        return [] if [] in tried else tried[0]
    if not isinstance(value, dict):
        return [f"{at}: not an object"]
    known = {key.rstrip("?"): inner for key, inner in shape.items()}
    found = [f"{at}.{key}: missing" for key in shape if not key.endswith("?") and key != "*" and key not in value]
    for key, inner in value.items():
        if key in known:
            found += differences(inner, known[key], f"{at}.{key}")
        elif "*" in shape:
            found += differences(inner, shape["*"], f"{at}.{key}")
        else:
            found.append(f"{at}.{key}: not documented")
    return found


@functools.lru_cache(maxsize=None)
def _expression(pattern):
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)))


def _is_at(path, pattern):
    return _expression(pattern).fullmatch(path) is not None


def request_differences(request, calls, prefix=""):
    """For a request of the server's log: nothing when a documented call has its shape, otherwise what is
    different from the nearest one."""
    path = request["path"].removeprefix(prefix)
    nearest = [f"{request['method']} {unquote(path)}: no such call is documented"]
    for call in calls:
        if call["method"] != request["method"] or not _is_at(path, call["path"]):
            continue
        found = differences(request["query"], call.get("query", {}), "query")
        found += differences(request["body"], call.get("request") or {}, "body")
        if not found:
            return []
        nearest = [f"{request['method']} {unquote(path)} ({call['name']}) {text}" for text in found]
    return nearest


class Comparison:
    """Every request that ever came to a server against the shapes: no reset takes one away."""

    def __init__(self, prefix):
        self.calls, self.prefix = load(), prefix
        self.waiting, self.compared, self.undocumented = [], 0, []

    def add(self, request):
        # The SCIM face is documented by RFC 7644, not by shapes.
        if "/otdsws/scim/" not in request["path"]:
            self.waiting.append(request)

    def result(self):
        for request in self.waiting:
            self.undocumented += request_differences(request, self.calls, self.prefix)
        self.compared += len(self.waiting)
        self.waiting.clear()
        return {"compared": self.compared, "undocumented": self.undocumented}
