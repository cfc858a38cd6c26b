#!/usr/bin/env python3
"""A reverse proxy on 127.0.0.1 that adds ETags and faults between a client and a server of the tests."""
import argparse
import http.client
import json
import os
import re
import signal
import ssl
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import certificates  # noqa: E402
import etags  # noqa: E402
import faults  # noqa: E402
import loopback  # noqa: E402
import products  # noqa: E402
from rules import Rules  # noqa: E402

# Of one connection (RFC 9110 section 7.6.1), or written anew by the proxy.
NOT_PASSED = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "te",
              "trailer", "upgrade", "host", "proxy-connection"}
FRESH_SECONDS = 2.0  # an idle connection to the server older than that may be closing


class Proxy:
    """What the connections share."""

    def __init__(self, upstream, seed, with_etags, product=None):
        self.upstream = urlsplit(upstream)
        self.rules = Rules(seed)
        self.with_etags = with_etags
        self.product = product
        self.lock = threading.Lock()
        self.locks = etags.Locks()
        self.log = []
        self.connections = {"open": 0, "most": 0, "all": 0}

    def begin(self, method, path):
        """The fault of this request, and its line in the log."""
        with self.lock:
            rule = self.rules.fault_for(method, path)
            line = {"method": method, "path": path, "fault": rule["fault"] if rule else None, "status": None,
                    "reached": False, "at": round(time.monotonic() - loopback.BEGIN, 4), "seconds": None}
            self.log.append(line)
        return rule, line

    def strike(self, rule):
        """What a fault does beside the answer that it withholds."""
        if rule["fault"] == "kill":
            os.kill(rule["pid"], signal.SIGKILL)
        if rule["fault"] == "gone":
            with self.lock:
                self.rules.add({"fault": "cut-before"}, first=True)

    def connected(self, change):
        with self.lock:
            self.connections["open"] += change
            self.connections["all"] += max(change, 0)
            self.connections["most"] = max(self.connections["most"], self.connections["open"])


class ProxyHandler(loopback.Handler):
    proxy = None  # set in a subclass

    def setup(self):
        super().setup()
        self.server_side, self.last_use, self.line = None, 0.0, {}
        self.proxy.connected(1)

    def finish(self):
        self.proxy.connected(-1)
        if self.server_side:
            self.server_side.close()
        try:
            super().finish()
        except OSError:
            pass  # the connection was cut

    def send_response(self, code, message=None):
        self.line["status"] = code
        super().send_response(code, message)

    def do(self):
        body = self.read_body()
        rule, self.line = self.proxy.begin(self.command, self.path)
        if "Via" in self.headers:
            self.line["via"] = self.headers["Via"]  # by which HTTP it came to who stands in front
        begin = time.monotonic()
        try:
            self.carry_out(rule, body)
        finally:
            self.line["seconds"] = round(time.monotonic() - begin, 4)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def carry_out(self, rule, body):
        kind = rule["fault"] if rule else None
        if kind in faults.WITHOUT_SERVER:
            return faults.WITHOUT_SERVER[kind](self, rule)
        if kind == "cut-before":
            return faults.cut(self)
        if kind == "stall":
            time.sleep(rule.get("seconds", 1))
        if kind == "map":
            self.path = re.sub(rule["path"], rule["to"], self.path)
        status, headers, answer = self.answer_of_product(body)
        if kind in faults.AFTER_SERVER:
            self.proxy.strike(rule)
            return faults.cut(self)
        if kind == "cut-middle":
            return faults.cut_middle(self, status, headers, answer)
        if kind == "slow":
            return faults.slow(self, rule, status, headers, answer)
        if kind == "truncated":
            answer = answer[:len(answer) // 2]
        if kind == "edit":
            answer = faults.edited(rule, answer)
        return self.answer(status, answer, headers)

    def answer_of_product(self, body):
        if not self.proxy.product:
            return self.answer_of_server(body)
        call = products.Call(self.command, self.path, body)
        status, headers, answer = self.proxy.product(call, self.ask_server)
        self.line["wrong"] = call.wrong
        return status, headers, answer

    def ask_server(self, call):
        self.command, self.path = call.method, call.path
        return self.answer_of_server(call.body)

    def answer_of_server(self, body):
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if not self.proxy.with_etags:
            return self.forward(self.command, self.path, body)
        single = etags.SINGLE.search(path)
        if not single or self.command == "GET":
            return self.with_etag(path, query, self.forward(self.command, self.path, body))
        with self.proxy.locks.of(path):
            wanted = self.headers.get("If-Match")
            if wanted is not None:
                status, headers, now = self.forward("GET", path, b"")
                if status != 200:
                    return status, headers, now
                if not etags.matches(wanted, etags.version_of(json.loads(now))):
                    text = json.dumps(etags.PRECONDITION_FAILED).encode()
                    return 412, [("Content-Type", "application/scim+json")], text
            return self.with_etag(path, query, self.forward(self.command, self.path, body))

    def with_etag(self, path, query, answer):
        status, headers, body = answer
        headers = [(name, value) for name, value in headers if name.lower() != "etag"]
        if not body or not 200 <= status < 300:
            return status, headers, body
        value, version = etags.with_versions(path, query, json.loads(body))
        if version:
            headers.append(("ETag", version))
            known = self.headers.get("If-None-Match")
            if self.command == "GET" and known and etags.matches(known, version):
                return 304, headers, b""
        return status, headers, json.dumps(value, ensure_ascii=False).encode()

    def forward(self, method, path, body):
        """(status, headers, body) of the server. A connection that has idled is not used again: a write must
        not be sent twice."""
        if self.server_side is None or time.monotonic() - self.last_use > FRESH_SECONDS:
            if self.server_side:
                self.server_side.close()
            upstream = self.proxy.upstream
            self.server_side = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=120)
        sent = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED}
        if self.proxy.with_etags:
            sent = {name: value for name, value in sent.items() if not name.lower().startswith("if-")}
        self.server_side.request(method, path, body or None, sent)
        answer = self.server_side.getresponse()
        content = answer.read()
        self.last_use = time.monotonic()
        self.line["reached"] = True
        if answer.will_close:
            self.server_side.close()
            self.server_side = None
        return answer.status, [(name, value) for name, value in answer.getheaders()
                               if name.lower() not in NOT_PASSED], content


class ControlHandler(loopback.Handler):
    proxy = None

    def do(self):
        body = json.loads(self.read_body() or b"null")
        with self.proxy.lock:
            try:
                status, answer = 200, self.carry_out(self.command, self.path, body)
            except (KeyError, ValueError, TypeError) as problem:
                status, answer = 400, {"error": str(problem)}
            text = json.dumps(answer).encode()
        self.answer(status, text, [("Content-Type", "application/json")])

    do_GET = do_POST = do_DELETE = do

    def carry_out(self, method, path, body):
        if (method, path) == ("GET", "/requests"):
            return self.proxy.log
        if (method, path) == ("GET", "/connections"):
            return self.proxy.connections
        if (method, path) == ("DELETE", "/requests"):
            return self.proxy.log.clear()
        if (method, path) == ("GET", "/rules"):
            return self.proxy.rules.summary()
        if (method, path) == ("POST", "/rules"):
            return [self.proxy.rules.add(rule) for rule in (body if isinstance(body, list) else [body])]
        if (method, path) == ("DELETE", "/rules"):
            return self.proxy.rules.clear()
        raise ValueError(f"no {method} {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True, help="http://127.0.0.1:PORT of the server")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel chooses")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--etags", action="store_true", help="add them, and enforce If-Match")
    parser.add_argument("--like", choices=products.PRODUCTS, help="behave as this product is known to")
    parser.add_argument("--rules", help="a file with a JSON list of rules")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls", choices=certificates.KINDS, help="speak TLS, with a certificate like this")
    parser.add_argument("--plain", action="store_true",
                        help="speak HTTP all the same: the certificate is for a program in front")
    parser.add_argument("--folder", default=".", help="where the certificates are made")
    options = parser.parse_args()
    if urlsplit(options.upstream).hostname != "127.0.0.1":
        parser.error("the server must be on 127.0.0.1")
    proxy = Proxy(options.upstream, options.seed, options.etags, products.PRODUCTS.get(options.like))
    for rule in json.loads(Path(options.rules).read_text(encoding="utf-8")) if options.rules else []:
        proxy.rules.add(rule)
    server = loopback.Server(type("Handler", (ProxyHandler,), {"proxy": proxy}), options.port)
    side_door = loopback.Server(type("Control", (ControlHandler,), {"proxy": proxy}), options.control_port)
    announced = {"url": f"http{'s' if options.tls and not options.plain else ''}://127.0.0.1:{server.port}",
                 "control": f"http://127.0.0.1:{side_door.port}"}
    if options.tls:
        files = certificates.make(options.folder, options.tls)
        announced.update(ca=files["ca"], other_ca=files["other"], cert=files["cert"], key=files["key"])
    if options.tls and not options.plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["cert"], files["key"])
        # The handshake is made by the connection's own thread, not by the one that accepts.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    loopback.run([server, side_door], announced)


if __name__ == "__main__":
    main()
