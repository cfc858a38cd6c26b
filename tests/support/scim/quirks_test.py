#!/usr/bin/env python3
"""How scimmy and better-auth answer, row by row of the table in README.md: a client that meets both meets these.

A row that fails after an upgrade in package.json says that the table, and what relies on it, must be read again.
"""
import http.client
import json
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

from started import Started, ask  # noqa: E402

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
HEADERS = {"Authorization": "Bearer postern-scim-token", "Content-Type": "application/scim+json"}


class ScimCase(unittest.TestCase):
    """One server for a class; each test takes people and groups of its own."""

    launcher, arguments = "", ()

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = Started([str(HERE / "serve"), cls.launcher, *cls.arguments], cwd=folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.url = cls.server.announced["url"]

    def ask(self, method, path, body=None, headers=None, **query):
        return ask(self.url, method, path, body, {**HEADERS, **(headers or {})}, query)

    def find(self, filter_, **query):
        return self.ask("GET", "/Users", filter=filter_, **query)

    def user(self, number):
        return self.find(f'userName eq "u{number:06d}"').json["Resources"][0]

    def page(self, **query):
        body = self.ask("GET", "/Users", **query).json
        return (body["totalResults"], body["itemsPerPage"], body["startIndex"],
                [user["userName"] for user in body["Resources"]])

    def patch(self, path, *operations, headers=None):
        return self.ask("PATCH", path, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                                        "Operations": list(operations)}, headers)

    def group(self, *members):
        """A group of its own for a test; answers its path."""
        name = f"made by {self.id()}"
        made = self.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": name,
                                            "members": [{"value": member} for member in members]})
        self.assertEqual(made.status, 201, made.body)
        return f"/Groups/{made.json['id']}"

    def members(self, path):
        return [member["value"] for member in self.ask("GET", path).json.get("members", [])]

    def refused(self, answer, status, scim_type=None):
        self.assertEqual((answer.status, answer.json.get("scimType")), (status, scim_type), answer.body)
        # RFC 7644 section 3.12: the status is a string.
        self.assertEqual(answer.json["status"], str(status))

    def lost_in_a_walk(self, size, deleted):
        """How many that were there all the time a walk doesn't give when `deleted` of its first page go."""
        before = self.ask("GET", "/Users", startIndex=1, count=size).json
        for user in before["Resources"][:deleted]:
            self.assertEqual(self.ask("DELETE", f"/Users/{user['id']}").status, 204)
        given, start = len(before["Resources"]), size + 1
        while rows := self.page(startIndex=start, count=size)[3]:
            given, start = given + len(rows), start + len(rows)
        return before["totalResults"] - given

    def broken_json(self):
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        connection.request("POST", urlsplit(self.url).path + "/Users", b'{"schemas":', HEADERS)
        answer = connection.getresponse()
        self.assertEqual(json.loads(answer.read())["status"], "400")
        connection.close()
        return answer.getheader("Content-Type").partition(";")[0]

    def common_rows(self):
        """What both do alike."""
        one, two, three = (self.user(number)["id"] for number in (1, 2, 3))
        path = self.group(one, two)
        self.assertEqual(self.members(path), [one, two])
        listed = self.ask("GET", "/Groups", count=1).json["Resources"][0]
        self.assertIn("members", listed)
        listed = self.ask("GET", "/Groups", count=1, excludedAttributes="members").json["Resources"][0]
        self.assertNotIn("members", listed)
        # Entra's old form takes that member away, not all.
        removal = {"op": "Remove", "path": "members", "value": [{"value": one}]}
        self.assertEqual(self.patch(path, removal).status, 200)
        self.assertEqual(self.members(path), [two])
        # A filter that was forgotten takes all.
        self.patch(path, {"op": "add", "path": "members", "value": [{"value": three}]})
        self.assertEqual(self.patch(path, {"op": "remove", "path": "members"}).status, 200)
        self.assertEqual(self.members(path), [])
        # Nobody checks If-Match.
        stale = {"If-Match": 'W/"stale"'}
        title = {"op": "replace", "path": "title", "value": "A"}
        self.assertEqual(self.patch(f"/Users/{one}", title, headers=stale).status, 200)
        self.assertFalse(self.ask("GET", "/ServiceProviderConfig").json["etag"]["supported"])
        # A cursor is ignored: the first page by index comes, without a word.
        body = self.ask("GET", "/Users", cursor="", count=2).json
        self.assertEqual((len(body["Resources"]), "nextCursor" in body), (2, False))
        # The name is free as soon as the user is deleted; the id is gone.
        new = {"schemas": [USER], "userName": "gone", "emails": [{"value": "gone@example.test"}]}
        gone = self.ask("POST", "/Users", new).json
        self.assertEqual(self.ask("DELETE", f"/Users/{gone['id']}").status, 204)
        self.refused(self.ask("GET", f"/Users/{gone['id']}"), 404)
        self.refused(self.ask("DELETE", f"/Users/{gone['id']}"), 404)
        again = self.ask("POST", "/Users", {**new, "emails": [{"value": "again@example.test"}]})
        self.assertEqual(again.status, 201)
        self.assertNotEqual(again.json["id"], gone["id"])
        # A name in other letter case is the same name.
        self.refused(self.ask("POST", "/Users", {"schemas": [USER], "userName": "U000002",
                                                 "emails": [{"value": "x@example.test"}]}), 409, "uniqueness")
        # PUT replaces: what isn't sent is gone. Without externalId our address is lost.
        self.ask("PUT", f"/Users/{three}", {"schemas": [USER], "userName": "u000003",
                                            "emails": [{"value": "u000003@example.test"}]})
        self.assertNotIn("externalId", self.ask("GET", f"/Users/{three}").json)
        self.assertEqual(self.patch(f"/Users/{one}", {"op": "replace", "value": {"active": False}}).status, 200)
        self.assertEqual(self.find('externalId eq "e000010"').json["totalResults"], 0)
        self.assertEqual(self.page(startIndex=0, count=1)[2], 1)
        self.assertEqual(self.page(count=-1)[3], [])


class Scimmy(ScimCase):
    launcher, arguments = "scimmy", ("--users", "400", "--groups", "4", "--maximum", "100")

    def test_rows_in_common(self):
        self.common_rows()

    def test_pages(self):
        self.assertEqual(self.page(startIndex=101, count=3)[3], ["u000101", "u000102", "u000103"])
        # 20 without count; clamped to the maximum; itemsPerPage is what was asked for, not what came.
        self.assertEqual(len(self.page()[3]), 20)
        self.assertEqual(len(self.page(count=5000)[3]), 100)
        total, per_page, _, names = self.page(startIndex=9999, count=7)
        self.assertEqual((per_page, names), (7, []))
        # A start that isn't on a page's edge, in a page longer than the start: a piece is skipped.
        self.assertEqual(self.page(startIndex=51, count=100)[3][0], "u000101")
        self.assertEqual(self.page(startIndex="abc", count=1)[2], 1)
        self.assertGreaterEqual(total, 400)

    def test_filters(self):
        self.assertEqual(self.find('userName eq "U000010"').json["totalResults"], 0)
        self.assertEqual(self.find('externalId eq "E000010"').json["totalResults"], 1)
        # Nonsense isn't refused: nothing is found.
        for broken in ('nosuch eq "x"', "userName eq", f'{ENTERPRISE}:department eq "Sales"'):
            answer = self.find(broken)
            self.assertEqual((answer.status, answer.json["totalResults"]), (200, 0), broken)
        self.assertEqual(self.find('userName sw "u00001"').json["totalResults"], 10)
        for works in ("id pr", "active eq true"):
            self.assertGreater(self.find(works).json["totalResults"], 300)
        # Sorting works.
        self.assertEqual(self.page(sortBy="userName", sortOrder="descending", count=1)[3], ["u000400"])

    def test_members(self):
        one, two = self.user(11)["id"], self.user(12)["id"]
        path = self.group(one)
        self.patch(path, {"op": "add", "path": "members", "value": [{"value": one}]})
        self.assertEqual(self.members(path), [one, one])  # twice in the same group
        self.patch(path, {"op": "remove", "path": f'members[value eq "{one}"]'})
        self.assertEqual(self.members(path), [])
        self.patch(path, {"op": "add", "path": "members", "value": [{"value": two}, {"value": "nobody"}]})
        self.assertEqual(self.members(path), [two, "nobody"])
        absent = self.patch(path, {"op": "remove", "path": f'members[value eq "{one}"]'})
        self.assertEqual((absent.status, absent.body), (204, b""))
        # A filter on members fails as soon as one group has none.
        self.patch(path, {"op": "remove", "path": "members"})
        self.refused(self.ask("GET", "/Groups", filter=f'members.value eq "{two}"'), 400, "invalidValue")

    def test_patch(self):
        path = f"/Users/{self.user(13)['id']}"
        self.refused(self.patch(path, {"op": "replace", "path": "active", "value": "False"}), 400, "invalidValue")
        inactive = {"op": "replace", "path": "active", "value": False}
        self.assertEqual(self.patch(path, inactive).status, 200)
        again = self.patch(path, inactive)
        self.assertEqual((again.status, again.body), (204, b""))
        self.refused(self.patch(path, {"op": "replace", "path": "nosuch", "value": 1}), 400, "invalidPath")
        self.refused(self.patch(path, {"op": "remove", "path": "userName"}), 400, "invalidValue")
        self.assertNotIn("displayName", self.patch(path, {"op": "remove", "path": "displayName"}).json)

    def test_create(self):
        # externalId and a group's name may be there twice; a schema that nobody knows is dropped silently.
        body = {"schemas": [USER, "urn:example:x"], "userName": "made", "externalId": "E000020",
                "urn:example:x": {"a": 1}}
        made = self.ask("POST", "/Users", body)
        self.assertEqual((made.status, made.json["schemas"]), (201, [USER]))
        self.assertTrue(made.json["meta"]["location"].startswith("/scim/Users/"))
        self.group()
        self.group()
        self.refused(self.ask("POST", "/Users", {"schemas": [USER]}), 400, "invalidValue")
        twice = {"schemas": [USER], "userName": "twice", "emails": [{"value": "u000015@example.test"}]}
        self.assertEqual(self.ask("POST", "/Users", twice).status, 201)
        self.assertEqual(self.broken_json(), "application/json")
        search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1}
        self.assertEqual(len(self.ask("POST", "/Users/.search", search).json["Resources"]), 1)
        bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [{"method": "DELETE", "path": "/Users/nobody"}]}
        self.assertEqual(self.ask("POST", "/Bulk", bulk).json["Operations"][0]["status"], "404")

    def test_etag_header_is_not_a_version(self):
        answer = self.ask("GET", f"/Users/{self.user(14)['id']}")
        self.assertTrue(answer.headers["etag"].startswith('W/"'))  # a hash of these bytes
        self.assertNotIn("version", answer.json["meta"])
        same = self.ask("GET", f"/Users/{answer.json['id']}", headers={"If-None-Match": answer.headers["etag"]})
        self.assertEqual(same.status, 304)
        narrow = self.ask("GET", f"/Users/{answer.json['id']}", attributes="userName")
        self.assertNotEqual(narrow.headers["etag"], answer.headers["etag"])
        self.assertNotIn("schemas", narrow.json)

    def test_without_a_token(self):
        answer = ask(self.url, "GET", "/ServiceProviderConfig")
        self.assertEqual((answer.status, "www-authenticate" in answer.headers), (401, False))


class BetterAuth(ScimCase):
    launcher, arguments = "better_auth", ("--users", "120", "--groups", "1")

    def test_rows_in_common(self):
        self.common_rows()

    def test_pages(self):
        self.assertEqual(self.page(startIndex=51, count=2)[3], ["u000051", "u000052"])
        self.assertEqual(len(self.page()[3]), 100)
        self.assertEqual(len(self.page(count=5000)[3]), 100)
        _, per_page, _, names = self.page(startIndex=9999, count=7)
        self.assertEqual((per_page, names), (0, []))
        self.refused(self.ask("GET", "/Users", startIndex="abc"), 400, "invalidValue")

    def test_filters(self):
        self.assertEqual(self.find('userName eq "U000010"').json["totalResults"], 1)
        self.assertEqual(self.find('externalId eq "e000010"').json["totalResults"], 0)
        for broken in ('nosuch eq "x"', "userName eq", f'{ENTERPRISE}:department eq "Sales"',
                       'userName sw "u"', "active eq true", "id pr"):
            self.refused(self.find(broken), 400, "invalidFilter")
        # Sorting is ignored.
        self.assertEqual(self.page(sortBy="userName", sortOrder="descending", count=1)[3], ["u000001"])

    def test_members(self):
        one = self.user(11)["id"]
        path = self.group(one)
        self.assertEqual(self.patch(path, {"op": "add", "path": "members", "value": [{"value": one}]}).status, 200)
        self.assertEqual(self.members(path), [one])
        nobody = {"op": "add", "path": "members", "value": [{"value": "nobody"}]}
        self.refused(self.patch(path, nobody), 400, "invalidValue")
        self.patch(path, {"op": "remove", "path": f'members[value eq "{one}"]'})
        absent = self.patch(path, {"op": "remove", "path": f'members[value eq "{one}"]'})
        self.assertEqual((absent.status, self.members(path)), (200, []))

    def test_patch(self):
        path = f"/Users/{self.user(13)['id']}"
        answer = self.patch(path, {"op": "replace", "path": "active", "value": "False"})
        self.assertEqual((answer.status, answer.json["active"]), (200, False))  # a string will do
        again = self.patch(path, {"op": "replace", "path": "active", "value": False})
        self.assertEqual((again.status, again.json["active"]), (200, False))
        self.refused(self.patch(path, {"op": "replace", "path": "nosuch", "value": 1}), 400, "invalidPath")
        self.refused(self.patch(path, {"op": "remove", "path": "userName"}), 400, "mutability")
        # displayName can't be empty: it is made of the name.
        answer = self.patch(path, {"op": "remove", "path": "displayName"})
        self.assertNotEqual(answer.json["displayName"], "")

    def test_create(self):
        mail = [{"value": "made@example.test"}]
        self.refused(self.ask("POST", "/Users", {"schemas": [USER], "userName": "made", "emails": mail,
                                                 "externalId": "E000020"}), 409, "uniqueness")
        self.refused(self.ask("POST", "/Users", {"schemas": [USER], "userName": "made"}), 400, "invalidValue")
        self.refused(self.ask("POST", "/Users", {"schemas": [USER, "urn:example:x"], "userName": "made",
                                                 "emails": mail}), 400, "invalidValue")
        taken = [{"value": "u000015@example.test"}]
        self.refused(self.ask("POST", "/Users", {"schemas": [USER], "userName": "made", "emails": taken}), 409,
                     "uniqueness")
        self.assertEqual(self.broken_json(), "application/scim+json")
        self.group()
        twice = self.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": f"made by {self.id()}"})
        self.refused(twice, 409, "uniqueness")
        location = self.user(1)["meta"]["location"]
        self.assertTrue(location.startswith(self.url))

    def test_a_deleted_address_is_held_by_its_external_id(self):
        new = {"schemas": [USER], "userName": "held", "externalId": "H1", "emails": [{"value": "h@example.test"}]}
        first = self.ask("POST", "/Users", new).json["id"]
        self.ask("DELETE", f"/Users/{first}")
        self.refused(self.ask("POST", "/Users", {**new, "externalId": "H2"}), 409, "uniqueness")
        again = self.ask("POST", "/Users", new)
        self.assertEqual(again.status, 201)
        self.assertNotEqual(again.json["id"], first)

    def test_what_is_missing(self):
        for path in ("/Bulk", "/Users/.search"):
            answer = self.ask("POST", path, {})
            self.assertEqual((answer.status, answer.body), (404, b""))  # no error body
        answer = self.ask("GET", f"/Users/{self.user(14)['id']}", attributes="userName")
        self.assertNotIn("etag", answer.headers)
        self.assertIn("schemas", answer.json)

    def test_without_a_token(self):
        self.assertEqual(ask(self.url, "GET", "/ServiceProviderConfig").status, 200)
        answer = ask(self.url, "GET", "/Users")
        self.assertEqual((answer.status, answer.headers["www-authenticate"]), (401, 'Bearer realm="SCIM"'))


class Walks(ScimCase):
    """As many live users are lost as were deleted on pages that had been read."""

    launcher, arguments = "scimmy", ("--users", "100", "--groups", "0")

    def test_a_walk_loses_live_users(self):
        self.assertEqual(self.lost_in_a_walk(20, 7), 7)


class StrictWalks(Walks):
    launcher, arguments = "better_auth", ("--users", "60", "--groups", "0")


if __name__ == "__main__":
    unittest.main()
