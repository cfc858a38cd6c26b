"""For the tests of the Python servers: a server as a child process, and requests to it."""
import http.client
import json
import select
import ssl
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

READY_SECONDS = 60


class Started:
    """A program that prints one line of JSON when it is ready. Ended by its pid, by SIGTERM."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
        if not select.select([self.process.stdout], [], [], READY_SECONDS)[0]:
            self.stop()
            raise AssertionError(f"{command} wasn't ready within {READY_SECONDS} s")
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{command} ended with {self.process.wait()}")
        self.announced = json.loads(line)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def python(program, *arguments):
    return Started([sys.executable, "-B", str(program), *arguments])


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body) if self.body else None


def ask(base, method, path, body=None, headers=None, query=None, form=False, trust=None, timeout=30):
    """One request on a connection of its own. `path` goes out as it is; `trust` is a CA's file."""
    address = urlsplit(base)
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=trust)
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=timeout,
                                                 context=context)
    else:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    sent = dict(headers or {})
    data = None
    if body is not None and form:
        data, sent["Content-Type"] = urlencode(body), "application/x-www-form-urlencoded"
    elif body is not None:
        data, sent["Content-Type"] = json.dumps(body), sent.get("Content-Type", "application/json")
    whole = address.path + path + (f"?{urlencode(query)}" if query else "")
    try:
        connection.request(method, whole, data, sent)
        answer = connection.getresponse()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
