#!/usr/bin/env python3
"""The proxy in front of the OTDS server (faults, TLS) and of a small SCIM server (ETags)."""
import http.client
import json
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import loopback  # noqa: E402
from started import ask, python  # noqa: E402

WHO = "/otdsws/rest/currentuser"


class ProxyCase(unittest.TestCase):
    def start(self, upstream, *arguments):
        proxy = python(HERE / "serve.py", "--upstream", upstream, *arguments)
        self.addCleanup(proxy.stop)
        self.url, self.control = proxy.announced["url"], proxy.announced["control"]
        return proxy.announced

    def side(self, method, path, body=None, status=200):
        answer = ask(self.control, method, path, body)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json


class FaultCase(ProxyCase):
    @classmethod
    def setUpClass(cls):
        cls.server = python(HERE.parent / "otds" / "serve.py", "--users", "5")
        cls.addClassCleanup(cls.server.stop)
        body = {"userName": "otadmin@otds.admin", "password": "otds-admin-pw"}
        cls.upstream = cls.server.announced["url"]
        ticket = ask(cls.upstream, "POST", "/otdsws/rest/authentication/credentials", body).json["ticket"]
        cls.headers = {"OTDSTicket": ticket}

    def ask(self, method="GET", path=WHO, body=None, **options):
        options.setdefault("headers", self.headers)
        return ask(self.url, method, path, body, **options)


class Faults(FaultCase):
    def setUp(self):
        self.start(self.upstream)

    def rule(self, **rule):
        self.side("DELETE", "/rules")
        self.side("POST", "/rules", rule)

    def test_passes_everything_on(self):
        straight = ask(self.upstream, "GET", WHO, headers=self.headers)
        through = self.ask()
        self.assertEqual((through.status, through.json), (straight.status, straight.json))
        self.assertEqual(through.headers["content-type"], straight.headers["content-type"])
        self.assertEqual(self.ask("DELETE", "/otdsws/rest/users/nobody%40Corp").status, 404)
        log = self.side("GET", "/requests")
        self.assertEqual([(line["method"], line["status"], line["reached"]) for line in log],
                         [("GET", 200, True), ("DELETE", 404, True)])

    def test_answers_that_the_server_never_hears_of(self):
        for rule, status, text in (
                ({"fault": "too-many", "retry_after": 3}, 429, b"too many"),
                ({"fault": "error"}, 503, b"upstream"), ({"fault": "error", "status": 500}, 500, b"upstream"),
                ({"fault": "html"}, 200, b"<html>"), ({"fault": "deep", "depth": 50}, 200, b"[" * 50 + b"]" * 50),
                ({"fault": "redirect", "location": "http://192.0.2.1/"}, 302, b""),
                ({"fault": "answer", "status": 400, "body": {"scimType": "tooMany"}}, 400, b"tooMany")):
            with self.subTest(rule["fault"]):
                self.rule(**rule)
                answer = self.ask()
                self.assertEqual(answer.status, status)
                self.assertIn(text, answer.body)
                self.assertFalse(self.side("GET", "/requests")[-1]["reached"])
        self.rule(fault="too-many", retry_after=3)
        self.assertEqual(self.ask().headers["retry-after"], "3")
        self.rule(fault="too-many", retry_after=3, value="date")
        self.assertIn("GMT", self.ask().headers["retry-after"])

    def test_cuts(self):
        create = {"userPartitionID": "Corp", "name": "cut"}
        for fault, reached in (("cut-before", False), ("cut-after", True)):
            self.rule(fault=fault, count=1)
            with self.assertRaises(ConnectionError):
                self.ask("POST", "/otdsws/rest/users", create)
            self.assertEqual(self.side("GET", "/requests")[-1]["reached"], reached)
            self.assertEqual(self.ask(path="/otdsws/rest/users/cut%40Corp").status, 200 if reached else 404)
        self.rule(fault="cut-middle", count=1)
        with self.assertRaises(http.client.IncompleteRead):
            self.ask()

    def test_a_server_that_is_gone_after_it_did_it(self):
        self.rule(fault="gone", method="POST")
        self.assertEqual(self.ask().status, 200)
        with self.assertRaises(ConnectionError):
            self.ask("POST", "/otdsws/rest/users", {"userPartitionID": "Corp", "name": "gone"})
        for _ in range(2):
            with self.assertRaises(ConnectionError):
                self.ask()
        self.side("DELETE", "/rules")
        self.assertEqual(self.ask(path="/otdsws/rest/users/gone%40Corp").status, 200)

    def test_a_client_dies_of_its_own_write(self):
        with subprocess.Popen(["sleep", "60"]) as client:
            self.rule(fault="kill", method="POST", skip=1, pid=client.pid)
            for name in ("first", "second"):
                self.assertIsNone(client.poll())
                try:
                    self.ask("POST", "/otdsws/rest/users", {"userPartitionID": "Corp", "name": name})
                except ConnectionError:
                    self.assertEqual(name, "second")
            self.assertEqual(client.wait(10), -9)
        self.assertEqual(self.ask(path="/otdsws/rest/users/second%40Corp").status, 200)

    def test_says_when_a_request_came(self):
        self.rule(fault="stall", seconds=0.2, count=1)
        for _ in range(2):
            self.ask()
        first, second = self.side("GET", "/requests")
        self.assertGreaterEqual(second["at"], first["at"] + 0.2)

    def test_bodies_that_are_not_what_they_should_be(self):
        whole = self.ask().body
        self.rule(fault="truncated")
        self.assertEqual(self.ask().body, whole[:len(whole) // 2])
        self.rule(fault="edit", delete=["user", "id"])
        self.assertNotIn("id", self.ask().json["user"])
        self.rule(fault="edit", set=["user", "name"], value="other")
        self.assertEqual(self.ask().json["user"]["name"], "other")

    def test_an_endless_body(self):
        self.rule(fault="endless")
        connection = http.client.HTTPConnection("127.0.0.1", int(self.url.rpartition(":")[2]), timeout=10)
        connection.request("GET", WHO)
        read = len(connection.getresponse().read(8_000_000))
        connection.close()
        self.assertEqual(read, 8_000_000)

    def test_slow_answers(self):
        self.rule(fault="stall", seconds=0.3)
        begin = time.monotonic()
        self.assertEqual(self.ask().status, 200)
        self.assertGreater(time.monotonic() - begin, 0.3)
        self.rule(fault="slow", piece=100, delay=0.01)
        begin, answer = time.monotonic(), self.ask()
        self.assertGreater(time.monotonic() - begin, 0.01 * (len(answer.body) // 100))
        self.rule(fault="stall", seconds=5)
        with self.assertRaises(TimeoutError):
            self.ask(timeout=0.3)

    def test_a_path_is_mapped(self):
        self.rule(fault="map", path="/rest/me$", to="/rest/currentuser")
        self.assertEqual(self.ask(path="/otdsws/rest/me").json, self.ask().json)

    def test_skip_count_method_and_path(self):
        self.side("POST", "/rules", [{"fault": "error", "method": "GET", "path": "currentuser$", "skip": 1,
                                      "count": 2}])
        self.assertEqual([self.ask().status for _ in range(4)], [200, 503, 503, 200])
        self.assertEqual(self.ask(path="/otdsws/rest/users").status, 200)
        self.assertEqual(self.side("GET", "/rules")[0]["given"], 2)
        for wrong in ({"fault": "nosuch"}, {"fault": "html", "typo": 1}, {"fault": "html", "path": "("}):
            self.assertIn("error", ask(self.control, "POST", "/rules", wrong).json or {}, wrong)

    def test_the_same_seed_gives_the_same_faults(self):
        def seen():
            self.rule(fault="error", rate=0.4)
            return [self.ask().status for _ in range(30)]
        first = seen()
        self.assertEqual(first, seen())
        self.assertEqual(set(first), {200, 503})
        self.start(self.upstream, "--seed", "2")
        self.assertNotEqual(first, seen())

    def test_counts_connections(self):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.url.rpartition(":")[2]), timeout=10)
        for _ in range(5):
            connection.request("GET", WHO, headers=self.headers)
            connection.getresponse().read()
        connection.close()
        counted = self.side("GET", "/connections")
        self.assertEqual((counted["all"], counted["most"], len(self.side("GET", "/requests"))), (1, 1, 5))


class Tls(FaultCase):
    def through(self, kind):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return self.start(self.upstream, "--tls", kind, "--folder", folder.name)

    def test_own_authority(self):
        announced = self.through("good")
        self.assertEqual(self.ask(trust=announced["ca"]).status, 200)
        for trust in (announced["other_ca"], None):
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.ask(trust=trust)

    def test_expired_and_for_another_name(self):
        for kind, text in (("expired", "expired"), ("wrong-name", "IP address mismatch")):
            announced = self.through(kind)
            with self.assertRaisesRegex(ssl.SSLCertVerificationError, text):
                self.ask(trust=announced["ca"])


class ScimHandler(loopback.Handler):
    """One user, a counter; takes its time between reading and writing, so that writers can meet."""

    user = {"id": "1", "userName": "jo", "title": 0, "meta": {"resourceType": "User"}}
    headers_seen = []

    def do(self):
        body = self.read_body()
        self.headers_seen.append(dict(self.headers.items()))
        if self.path.startswith("/Users/1") and self.command == "PATCH":
            time.sleep(0.02)
            ScimHandler.user = {**self.user, "title": json.loads(body)["title"]}
        if self.path == "/ServiceProviderConfig":
            return self.answer_json(200, {"etag": {"supported": False}})
        if self.path.startswith("/Users/1"):
            return self.answer_json(200, self.user, [("ETag", '"of-the-server"')])
        if self.path.startswith("/Users?"):
            return self.answer_json(200, {"totalResults": 1, "Resources": [self.user]})
        return self.answer_json(404, {})

    do_GET = do_PATCH = do


class Etags(ProxyCase):
    def setUp(self):
        server = loopback.Server(ScimHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        ScimHandler.user = {**ScimHandler.user, "title": 0}
        self.start(f"http://127.0.0.1:{server.port}", "--etags")

    def patch(self, title, etag=None):
        return ask(self.url, "PATCH", "/Users/1", {"title": title}, {"If-Match": etag} if etag else {})

    def test_versions_everywhere(self):
        one = ask(self.url, "GET", "/Users/1")
        etag = one.headers["etag"]
        self.assertEqual(one.json["meta"]["version"], etag)
        listed = ask(self.url, "GET", "/Users?startIndex=1").json["Resources"][0]
        self.assertEqual(listed["meta"]["version"], etag)
        self.assertTrue(ask(self.url, "GET", "/ServiceProviderConfig").json["etag"]["supported"])
        partial = ask(self.url, "GET", "/Users/1?attributes=userName")
        self.assertNotIn("etag", partial.headers)
        self.assertEqual(ask(self.url, "GET", "/Users/1", headers={"If-None-Match": etag}).status, 304)

    def test_if_match(self):
        etag = ask(self.url, "GET", "/Users/1").headers["etag"]
        changed = self.patch(1, etag)
        self.assertEqual(changed.status, 200)
        refused = self.patch(2, etag)
        self.assertEqual((refused.status, refused.json["status"]), (412, "412"))
        self.assertEqual(ScimHandler.user["title"], 1)
        self.assertEqual(self.patch(2, changed.headers["etag"]).status, 200)
        self.assertEqual(self.patch(3, "*").status, 200)
        self.assertEqual(self.patch(4).status, 200)
        # A change past the proxy counts as well.
        etag = ask(self.url, "GET", "/Users/1").headers["etag"]
        ScimHandler.user = {**ScimHandler.user, "title": 5}
        self.assertEqual(self.patch(6, etag).status, 412)

    def test_one_of_many_writers_wins(self):
        etag = ask(self.url, "GET", "/Users/1").headers["etag"]
        with ThreadPoolExecutor(8) as pool:
            answers = sorted(pool.map(lambda title: self.patch(title, etag).status, range(1, 9)))
        self.assertEqual(answers, [200] + [412] * 7)


if __name__ == "__main__":
    unittest.main()
