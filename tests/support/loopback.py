"""What the Python servers of the tests share: an HTTP/1.1 server on 127.0.0.1 that says where it is.

A program in the foreground: it prints one line of JSON with its addresses when it is ready, and ends with
SIGTERM. Threads: one a connection.
"""
import json
import signal
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEGIN = time.monotonic()


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 alone; port 0 lets the kernel choose."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler, port=0):
        super().__init__(("127.0.0.1", port), handler)

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        # A client that goes away or refuses our certificate is an everyday thing here; anything else is a bug
        # of ours.
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Keep-alive, no log line for each request, one place that writes answers."""

    protocol_version = "HTTP/1.1"
    timeout = 120
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def read_chunks(self):
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def answer(self, status, body=b"", headers=()):
        """Bytes as they are. No body with 204 and 304, and no length of one (RFC 9110 section 8.6)."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def answer_json(self, status, value, headers=()):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.answer(status, body, [("Content-Type", "application/json;charset=utf-8"), *headers])


def run(servers, announced):
    """Serves until SIGTERM. `announced` is what the first line on standard output says."""
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: sys.exit(0))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    announced["milliseconds"] = round((time.monotonic() - BEGIN) * 1000)
    print(json.dumps(announced), flush=True)
    while True:
        signal.pause()
