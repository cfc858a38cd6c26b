"""What the proxy does instead of giving the server's answer as it is. Each takes the request's handler."""
import email.utils
import json
import socket
import time

HTML = [("Content-Type", "text/html;charset=utf-8")]
JSON = [("Content-Type", "application/scim+json")]
ENDLESS_SECONDS = 120  # a test that lets a client read for ever still ends


def cut(handler):
    """Ends the connection without a word more."""
    handler.close_connection = True
    try:
        handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client was faster


def too_many(handler, rule):
    wait = rule.get("retry_after", 1)
    if rule.get("value") == "date":
        wait = email.utils.formatdate(time.time() + wait, usegmt=True)
    handler.answer_json(429, {"detail": "too many requests"}, [("Retry-After", str(wait))])


def error(handler, rule):
    handler.answer(rule.get("status", 503), b"upstream failed\n", [("Content-Type", "text/plain")])


def html(handler, rule):
    handler.answer(rule.get("status", 200), b"<html><body>Sign in</body></html>", HTML)


def redirect(handler, rule):
    handler.answer(rule.get("status", 302), b"", [("Location", rule["location"])])


def given(handler, rule):
    body = rule.get("body", "")
    text = body if isinstance(body, str) else json.dumps(body)
    handler.answer(rule.get("status", 200), text.encode(), list(rule.get("headers", dict(JSON)).items()))


def deep(handler, rule):
    depth = rule.get("depth", 100_000)
    handler.answer(200, b"[" * depth + b"]" * depth, JSON)


def start_chunks(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/scim+json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.close_connection = True


def endless(handler, _rule):
    """Resources without end, until the client has enough."""
    start_chunks(handler)
    piece = b'{"id":"x","userName":"' + b"x" * 4000 + b'"},'
    handler.wfile.write(b'E\r\n{"Resources":[\r\n')
    until = time.monotonic() + ENDLESS_SECONDS
    while time.monotonic() < until:
        handler.wfile.write(b"%X\r\n%s\r\n" % (len(piece), piece))


def slow(handler, rule, status, headers, body):
    """The true answer in small pieces."""
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    size = rule.get("piece", 64)
    for start in range(0, len(body), size):
        handler.wfile.write(body[start:start + size])
        handler.wfile.flush()
        time.sleep(rule.get("delay", 0.05))


def cut_middle(handler, status, headers, body):
    """The head and half of the body, then nothing."""
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:len(body) // 2])
    handler.wfile.flush()
    cut(handler)


def edited(rule, body):
    """The body with one place set or deleted; places are lists of keys and indexes."""
    value = json.loads(body)
    place = rule.get("set") or rule.get("delete")
    inner = value
    for step in place[:-1]:
        inner = inner[step]
    if "set" in rule:
        inner[place[-1]] = rule["value"]
    else:
        del inner[place[-1]]
    return json.dumps(value).encode()


# Faults that the server never hears of.
WITHOUT_SERVER = {"too-many": too_many, "error": error, "html": html, "redirect": redirect, "answer": given,
                  "deep": deep, "endless": endless}
# The server did it, and nobody is told.
AFTER_SERVER = {"cut-after", "gone", "kill"}
