#!/usr/bin/env python3
"""The OTDS server against the documented shapes, and its behaviour where shapes say nothing."""
import re
import sys
import time
import unittest
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import shapes  # noqa: E402
from started import ask, python  # noqa: E402

USERS = "/otdsws/rest/users"


class OtdsCase(unittest.TestCase):
    """One server for a class; each test begins with the first world."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = python(HERE / "serve.py", *cls.arguments)
        cls.addClassCleanup(cls.server.stop)
        cls.url, cls.control = cls.server.announced["url"], cls.server.announced["control"]

    def setUp(self):
        self.side("POST", "/reset")
        self.told = len(self.side("GET", "/undocumented")["undocumented"])
        self.headers = {"OTDSTicket": self.log_in()}

    def log_in(self):
        body = {"userName": "otadmin@otds.admin", "password": "otds-admin-pw"}
        return ask(self.url, "POST", "/otdsws/rest/authentication/credentials", body).json["ticket"]

    def ask(self, method, path, body=None, **options):
        options.setdefault("headers", self.headers)
        return ask(self.url, method, path, body, **options)

    def side(self, method, path, body=None):
        answer = ask(self.control, method, path, body)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def set(self, **settings):
        self.side("PATCH", "/settings", settings)

    def undocumented(self):
        """What this test asked that no shape has; the server tells it of all since its start."""
        told = self.side("GET", "/undocumented")
        return told["undocumented"][self.told:]

    def walk(self, query, path=USERS, key="users"):
        """All names of a walk by cookies; ends where facts say: no cookie, or an empty page."""
        names, cookie, pages = [], None, 0
        while True:
            answer = self.ask("GET", path, query={**query, **({"next_page_cookie": cookie} if cookie else {})})
            self.assertEqual(answer.status, 200, answer.body)
            names += [entry["name"] for entry in answer.json[key]]
            pages, cookie = pages + 1, answer.json["nextPageCookie"]
            if not cookie or not answer.json[key]:
                return names, pages


class Shapes(OtdsCase):
    """Every documented call is made as its example says; request and answer are compared field by field."""

    def fill(self, value):
        """The placeholders of the examples: a DN, a ticket, a token."""
        if isinstance(value, dict):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if not isinstance(value, str):
            return value
        value = value.replace("<ticket>", self.headers["OTDSTicket"]).replace("<token>", self.token)
        return re.sub(r"<dn (\w+) ([^>]+)>",
                      lambda found: self.side("GET", f"/{found[1]}/{quote(found[2], safe='')}")["location"], value)

    def test_every_documented_call(self):
        client = {"grant_type": "client_credentials", "client_id": "postern",
                  "client_secret": "postern-client-secret"}
        self.token = ask(self.url, "POST", "/otdsws/oauth2/token", client, form=True).json["access_token"]
        calls = shapes.load()
        self.assertGreater(len(calls), 60)
        for call in calls:
            example = self.fill(call["example"])
            path = quote(example.get("path", call["path"]), safe="/%=,")
            with self.subTest(call["file"] + ": " + call["name"]):
                self.assertEqual(shapes.differences(example.get("body", {}), call.get("request", {})), [])
                self.assertEqual(shapes.differences(example.get("query", {}), call.get("query", {})), [])
                usual = self.side("GET", "/settings")
                self.set(**example.get("settings", {}))
                answer = self.ask(call["method"], path, example.get("body"), query=example.get("query"),
                                  form=call.get("form", False))
                self.set(**usual)
                self.assertEqual(answer.status, call["status"], answer.body)
                if "answer" in call:
                    self.assertEqual(shapes.differences(answer.json, call["answer"]), [])
                else:
                    self.assertEqual(answer.body, b"")
        self.assertEqual(self.undocumented(), [])

    def test_the_comparison_finds_what_is_different(self):
        shape = {"a": "string", "b?": "number|null", "c?": [{"d": "boolean"}]}
        self.assertEqual(shapes.differences({"a": "x", "b": None, "c": [{"d": True}]}, shape), [])
        found = shapes.differences({"b": "x", "c": [{"d": 1}], "e": 0}, shape)
        self.assertEqual(len(found), 4, found)
        self.ask("POST", USERS, {"userPartitionID": "Corp", "name": "x", "nosuch": 1})
        self.ask("GET", "/otdsws/rest/nosuch")
        self.assertEqual(len(self.undocumented()), 2)

    def test_no_request_is_left_out_of_the_comparison(self):
        def compared():
            return self.side("GET", "/undocumented")["compared"]
        before = compared()
        self.ask("GET", "/otdsws/rest/nosuch")
        self.side("DELETE", "/requests")
        self.side("POST", "/faults", {"kind": "cut-before"})
        with self.assertRaises(ConnectionError):
            self.ask("POST", USERS, {"userPartitionID": "Corp", "name": "x", "nosuch": 1})
        self.side("POST", "/reset")
        self.assertEqual(len(self.undocumented()), 2)
        self.assertEqual(compared(), before + 2)

    def test_a_body_is_compared_as_it_came(self):
        self.set(access_role_removal="put")
        self.ask("POST", "/otdsws/rest/resources", {"resourceName": "ftp"})
        role = "/otdsws/rest/accessroles/Access%20to%20ftp"
        whole = self.ask("GET", role).json
        self.assertEqual(self.ask("PUT", role, whole).status, 204)
        self.assertEqual(self.side("GET", "/requests")[-1]["body"], whole)
        self.assertEqual(self.undocumented(), [])

    def test_refusals_have_the_documented_body(self):
        for method, path, body, status in (
                ("GET", USERS + "/nobody%40Corp", None, 404),
                ("POST", USERS, {"userPartitionID": "Corp", "name": "corp000001"}, 409),
                ("POST", USERS, {"userPartitionID": "AD", "name": "x"}, 403),
                ("GET", USERS + "/corp000001", None, 409),
                ("GET", USERS + "?page_size=many", None, 400),
                ("PATCH", "/otdsws/rest/consolidation", {}, 405)):
            answer = self.ask(method, path, body)
            self.assertEqual(answer.status, status, answer.body)
            self.assertEqual(shapes.differences(answer.json, "@error"), [])


class Sessions(OtdsCase):
    def test_ticket_by_header_in_any_case_by_cookie_and_bearer(self):
        ticket = self.headers["OTDSTicket"]
        for headers in ({"otdsticket": ticket}, {"Cookie": f"OTDSTicket={quote(ticket, safe='')}"},
                        {"Authorization": f"Bearer {ticket}"}):
            self.assertEqual(self.ask("GET", "/otdsws/rest/currentuser", headers=headers).status, 200)
        for headers in ({}, {"OTDSTicket": "*OTDSSSO*nonsense"}):
            self.assertEqual(self.ask("GET", "/otdsws/rest/currentuser", headers=headers).status, 401)

    def test_expiry_in_both_forms(self):
        self.side("POST", "/expire", {})
        answer = self.ask("GET", USERS)
        self.assertEqual((answer.status, answer.json), (400, {
            "status": 1034, "error": "Expired OTDS SSO ticket", "errorDetails": None}))
        self.set(expiry="401")
        self.assertEqual(self.ask("GET", USERS).status, 401)
        self.headers = {"OTDSTicket": self.log_in()}
        self.assertEqual(self.ask("GET", USERS).status, 200)

    def test_wrong_secrets(self):
        for name, password in (("otadmin@otds.admin", "wrong"), ("nobody@Corp", "x"), ("corp000001@Corp", "")):
            answer = self.ask("POST", "/otdsws/rest/authentication/credentials",
                              {"userName": name, "password": password}, headers={})
            self.assertEqual(answer.status, 401)
        for form, status in (({"grant_type": "client_credentials", "client_id": "postern",
                               "client_secret": "wrong"}, 401), ({"grant_type": "other"}, 400)):
            answer = self.ask("POST", "/otdsws/oauth2/token", form, form=True, headers={})
            self.assertEqual((answer.status, "error" in answer.json), (status, True))

    def test_a_person_without_rights_is_refused(self):
        self.ask("PUT", USERS + "/corp000001%40Corp/password", {"newPassword": "Long-enough-1"})
        ticket = self.ask("POST", "/otdsws/rest/authentication/credentials",
                          {"userName": "corp000001@Corp", "password": "Long-enough-1"}, headers={}).json["ticket"]
        headers = {"OTDSTicket": ticket}
        self.assertEqual(self.ask("GET", USERS, headers=headers).status, 403)
        self.assertFalse(self.ask("GET", "/otdsws/rest/currentuser", headers=headers).json["isAdmin"])

    def test_the_login_of_older_installations(self):
        self.set(old_login=True)
        path = "/otdsws/rest/authentication/credentials"
        self.assertEqual(self.ask("POST", path, {}, headers={}).status, 404)
        answer = self.ask("POST", "/otdsws/v1/authentication/credentials",
                          {"user_name": "otadmin@otds.admin", "password": "otds-admin-pw"}, headers={})
        self.assertTrue(answer.json["ticket"].startswith("*OTDSSSO*"))


class Lists(OtdsCase):
    arguments = ("--users", "620", "--groups", "4")

    def test_pages_by_default_and_by_size(self):
        for query, pages in (({}, 3), ({"page_size": 100}, 7), ({"page_size": 310}, 2)):
            names, seen = self.walk({"where_partition_name": "Corp", **query})
            self.assertEqual((len(set(names)), seen), (620, pages))

    def test_short_pages_and_an_empty_last_page(self):
        self.set(short_pages=True, empty_last_page=True)
        names, pages = self.walk({"where_partition_name": "Corp", "page_size": 155})
        self.assertEqual((len(names), len(set(names))), (620, 620))
        self.assertGreater(pages, 5)

    def test_a_cookie_serves_its_query_alone(self):
        first = self.ask("GET", USERS, query={"page_size": 10}).json["nextPageCookie"]
        for query in ({"page_size": 11}, {"page_size": 10, "where_state": "enabled"}):
            answer = self.ask("GET", USERS, query={**query, "next_page_cookie": first})
            self.assertEqual(answer.status, 400)

    def test_a_deletion_during_the_walk_loses_nobody_else(self):
        query = {"where_partition_name": "Corp", "page_size": 100}
        first = self.ask("GET", USERS, query=query).json
        for user in first["users"][:50]:
            self.side("DELETE", f"/users/{quote(user['id'], safe='')}")
        rest, _ = self.walk({**query})
        after = self.ask("GET", USERS, query={**query, "next_page_cookie": first["nextPageCookie"]}).json
        self.assertEqual(after["users"][0]["name"], "corp000101")
        self.assertEqual(len(rest), 570)

    def test_filters_are_parts_of_names(self):
        names, _ = self.walk({"where_filter": "CORP00001"})
        self.assertEqual(len(names), 10)
        self.side("PATCH", "/users/corp000003%40Corp", {"values": [{"name": "accountDisabled",
                                                                    "values": ["True"]}]})
        self.assertEqual(self.walk({"where_state": "disabled"})[0], ["corp000003"])


class Entries(OtdsCase):
    def read(self, identifier, **options):
        return self.ask("GET", f"{USERS}/{quote(identifier, safe='')}", **options).json

    def test_both_shapes_of_attributes(self):
        listed = self.read("corp000001@Corp")
        for name in ("attrsAsKeys", "attrsaskeys", "ATTRSASKEYS"):
            keyed = self.read("corp000001@Corp", query={name: "True"})
            self.assertIsNone(keyed["values"])
            self.assertEqual(keyed["attributes"],
                             {value["name"]: value["values"] for value in listed["values"]})

    def test_booleans_in_every_spelling(self):
        def spellings():
            return {self.read(f"corp{number:06d}@Corp", query={"attrsAsKeys": "true"})["attributes"]
                    ["accountDisabled"][0] for number in (1, 2, 3)}
        self.assertEqual(spellings(), {"false", "False"})
        self.set(spelling="title")
        self.assertEqual(spellings(), {"False"})

    def test_ids(self):
        user = self.read("corp000001@Corp")
        self.assertEqual(user["id"], "corp000001@Corp")
        self.assertEqual(self.read(user["location"])["uuid"], user["uuid"])
        self.assertEqual(self.read("corp000002")["id"], "corp000002@Corp")
        # A login that is an address is its own id.
        self.assertEqual(self.read("ana.silva@example.test@Partners")["id"], "ana.silva@example.test")
        self.assertEqual(self.read("ana.silva@example.test")["userPartitionID"], "Partners")

    def test_rename_keeps_the_uuid_and_leaves_the_old_name(self):
        before = self.read("corp000005@Corp")
        self.ask("PUT", USERS + "/corp000005%40Corp", {"userPartitionID": "Corp", "name": "renamed"})
        self.assertEqual(self.read("renamed@Corp")["uuid"], before["uuid"])
        self.assertEqual(self.ask("GET", USERS + "/corp000005%40Corp").status, 404)
        taken = self.ask("PUT", USERS + "/renamed%40Corp", {"userPartitionID": "Corp", "name": "Corp000001"})
        self.assertEqual(taken.status, 409)

    def test_the_recycle_bin(self):
        create = {"userPartitionID": "Corp", "name": "corp000004"}
        self.assertEqual(self.ask("DELETE", USERS + "/corp000004%40Corp").status, 204)
        self.assertEqual(self.side("GET", "/recycled"), ["corp000004@Corp"])
        self.assertEqual(self.ask("POST", USERS, create).status, 409)
        self.set(recycled_names="free")
        self.assertEqual(self.ask("POST", USERS, create).status, 200)

    def test_membership_is_additive_and_all_or_nothing(self):
        path = USERS + "/corp000001%40Corp/memberof"
        self.ask("POST", path, {"stringList": ["group 003@Corp"]})
        self.ask("POST", path, {"stringList": ["group 003@Corp"]})
        self.assertEqual(self.ask("POST", path, {"stringList": ["group 004@Corp", "none@Corp"]}).status, 404)
        facts = self.side("GET", "/users/corp000001%40Corp")
        self.assertEqual(facts["groups"], ["group 000@Corp", "group 003@Corp"])
        self.ask("POST", path + "/deletionset", {"stringList": ["group 003@Corp", "group 004@Corp"]})
        self.assertEqual(self.side("GET", "/users/corp000001%40Corp")["groups"], ["group 000@Corp"])

    def test_synchronized_people_are_read_only(self):
        self.assertEqual(self.read("ad000001@AD")["userPartitionID"], "AD")
        for method, body in (("PATCH", {"userPartitionID": "AD", "description": "x"}), ("DELETE", None)):
            self.assertEqual(self.ask(method, USERS + "/ad000001%40AD", body).status, 403)
        self.assertIsNotNone(self.read("ad000001@AD")["originUUID"])
        self.assertIsNone(self.read("corp000001@Corp")["originUUID"])
        # Their source changes them.
        self.side("PATCH", "/users/ad000001%40AD", {"description": "x"})
        self.assertEqual(self.read("ad000001@AD")["description"], "x")


    def test_the_list_of_who_is_synchronized(self):
        def profiles():
            return self.ask("GET", "/otdsws/rest/identityproviderprofiles").json["identityProviderProfiles"]
        self.assertEqual([profile["name"] for profile in profiles()], ["AD"])
        self.set(profiles="empty")
        self.assertEqual(profiles(), [])
        self.set(profiles="nested")
        self.assertEqual([profile["basicInfo"]["target"]["partition"]["name"] for profile in profiles()], ["AD"])
        self.assertNotIn("name", profiles()[0])
        self.set(profiles="missing")
        self.assertEqual(self.ask("GET", "/otdsws/rest/identityproviderprofiles").status, 404)


class Access(OtdsCase):
    def test_a_secret_is_shown_once(self):
        made = self.ask("POST", "/otdsws/rest/oauthclients", {"id": "c1"}).json
        self.assertGreaterEqual(len(made["secret"]), 24)
        self.assertIsNone(self.ask("GET", "/otdsws/rest/oauthclients/c1").json["secret"])
        login = {"grant_type": "client_credentials", "client_id": "c1", "client_secret": made["secret"],
                 "scope": "otdsssoticket"}
        token = self.ask("POST", "/otdsws/oauth2/token", login, form=True, headers={}).json["access_token"]
        self.assertTrue(token.startswith("*OTDSSSO*"))
        # A client is a user, too.
        answer = self.ask("PATCH", USERS + "/c1%40OAuthClients", {"userPartitionID": "OAuthClients",
                                                                  "description": "x"})
        self.assertEqual(answer.json["description"], "x")

    def test_members_of_an_access_role_go_either_way(self):
        self.ask("POST", "/otdsws/rest/resources", {"resourceName": "ftp"})
        role = "/otdsws/rest/accessroles/Access%20to%20ftp"
        self.ask("POST", role + "/members", {"users": [{"name": "corp000001@Corp", "location": ""}],
                                             "groups": [{"name": "group 000@Corp", "location": ""}]})

        def members():
            lists = self.ask("GET", role).json["accessRoleMembers"]
            return [member["name"] for key in ("users", "groups") for member in lists[key]]
        self.assertEqual(members(), ["corp000001@Corp", "group 000@Corp"])
        removal = {"users": [{"name": "corp000001@Corp", "location": ""}]}
        self.set(access_role_removal="put")
        self.assertEqual(self.ask("POST", role + "/members/deletionset", removal).status, 405)
        self.ask("PUT", role, {"accessRoleMembers": {"users": [], "groups": [
            {"name": "group 000@Corp", "location": ""}]}})
        self.assertEqual(members(), ["group 000@Corp"])

    def test_consolidation_ends_later(self):
        self.set(consolidation_seconds=3600)
        self.ask("POST", "/otdsws/rest/consolidation", {"objectToConsolidate": "x"})
        self.assertEqual(self.side("GET", "/consolidations"), [])
        self.set(consolidation_seconds=0)
        self.ask("POST", "/otdsws/rest/consolidation", {"objectToConsolidate": "y"})
        self.assertEqual(self.side("GET", "/consolidations"), ["y"])


class Reset(OtdsCase):
    def test_brings_the_first_world_back(self):
        before = self.side("GET", "/users/corp000001%40Corp")["uuid"]
        self.ask("DELETE", USERS + "/corp000001%40Corp")
        self.set(expiry="401")
        self.side("POST", "/faults", {"kind": "html"})
        self.side("POST", "/reset")
        self.assertEqual((self.side("GET", "/requests"), self.side("GET", "/recycled")), ([], []))
        self.assertNotEqual(self.side("GET", "/users/corp000001%40Corp")["uuid"], before)
        self.assertEqual(self.side("GET", "/settings")["expiry"], "400")
        self.assertEqual(self.ask("GET", USERS).status, 401)


class ScimFace(OtdsCase):
    base = "/otdsws/scim/Corp"

    def test_both_faces_show_the_same_people(self):
        given, start = [], 1
        while rows := self.ask("GET", self.base + "/Users", query={"startIndex": start, "count": 7}).json[
                "Resources"]:
            given, start = given + rows, start + len(rows)
        self.side("PATCH", "/users/corp000002%40Corp", {"values": [{"name": "accountDisabled",
                                                                    "values": ["True"]}]})
        again = self.ask("GET", self.base + "/Users/" + given[1]["id"]).json
        self.assertEqual((given[1]["active"], again["active"]), (True, False))
        listed = self.ask("GET", USERS, query={"where_partition_name": "Corp", "attrsAsKeys": "True"}).json["users"]
        self.assertEqual([(user["id"], user["userName"], user["emails"][0]["value"], user["name"]["familyName"])
                          for user in given],
                         [(user["uuid"], user["name"], user["attributes"]["mail"][0], user["attributes"]["sn"][0])
                          for user in listed])
        groups = self.ask("GET", self.base + "/Groups").json["Resources"]
        for group in groups:
            facts = self.ask("GET", f"/otdsws/rest/groups/{quote(group['displayName'])}%40Corp/users").json["users"]
            self.assertEqual([member["value"] for member in group["members"]], [user["uuid"] for user in facts])

    def test_writes_arrive_at_the_other_face(self):
        body = {"userName": "jo.hart", "externalId": "p:1", "active": False, "name": {"givenName": "Jo",
                "familyName": "Hart"}, "emails": [{"value": "jo@example.test", "type": "work"}]}
        made = self.ask("POST", self.base + "/Users", body)
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual(self.ask("POST", self.base + "/Users", body).json["scimType"], "uniqueness")
        user = self.ask("GET", USERS + "/jo.hart%40Corp", query={"attrsAsKeys": "true"}).json
        self.assertEqual((user["uuid"], user["attributes"]["sn"]), (made.json["id"], ["Hart"]))
        self.assertEqual(user["attributes"]["accountDisabled"][0].lower(), "true")
        group = self.ask("GET", self.base + "/Groups", query={"filter": 'displayName eq "Group 000"'}).json[
            "Resources"][0]
        for operation, groups in (
                ({"op": "add", "path": "members", "value": [{"value": made.json["id"]}]}, ["group 000@Corp"]),
                ({"op": "remove", "path": f'members[value eq "{made.json["id"]}"]'}, [])):
            answer = self.ask("PATCH", f"{self.base}/Groups/{group['id']}", {"Operations": [operation]})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.side("GET", "/users/jo.hart%40Corp")["groups"], groups)
        self.assertNotIn("scimExternalId", user["attributes"])
        self.assertEqual(self.undocumented(), [])
        found = self.ask("GET", self.base + "/Users", query={"filter": 'externalId eq "p:1"'}).json
        self.assertEqual(found["totalResults"], 1)
        self.assertEqual(self.ask("DELETE", f"{self.base}/Users/{made.json['id']}").status, 204)
        self.assertEqual(self.side("GET", "/recycled"), ["jo.hart@Corp"])

    def test_refusals(self):
        for method, path, body, status in (
                ("GET", "/otdsws/scim/Nowhere/Users", None, 404), ("GET", self.base + "/Users/nobody", None, 404),
                ("GET", self.base + "/Users?filter=active%20eq%20true", None, 400),
                ("POST", "/otdsws/scim/AD/Users", {"userName": "x"}, 403)):
            answer = self.ask(method, path, body)
            self.assertEqual((answer.status, answer.json["status"]), (status, str(status)), answer.body)
        self.assertEqual(ask(self.url, "GET", self.base + "/Users").status, 401)


class Faults(OtdsCase):
    def test_cut_before_and_after_the_write(self):
        create = {"userPartitionID": "Corp", "name": "cut"}
        for kind, exists in (("cut-before", 404), ("cut-after", 200)):
            self.side("POST", "/faults", {"method": "POST", "path": "/rest/users", "kind": kind})
            with self.assertRaises(ConnectionError):
                self.ask("POST", USERS, create)
            self.assertEqual(self.ask("GET", USERS + "/cut%40Corp").status, exists)

    def test_a_refused_call_does_nothing(self):
        self.side("POST", "/faults", {"method": "DELETE", "kind": "refused", "status": 405})
        answer = self.ask("DELETE", USERS + "/corp000001%40Corp")
        self.assertEqual(answer.status, 405)
        self.assertEqual(shapes.differences(answer.json, "@error"), [])
        self.assertEqual(self.ask("GET", USERS + "/corp000001%40Corp").status, 200)

    def test_html_errors_and_truncated_json(self):
        self.side("POST", "/faults", {"kind": "html"})
        answer = self.ask("GET", USERS)
        self.assertEqual((answer.status, answer.headers["content-type"]), (500, "text/html;charset=utf-8"))
        self.side("POST", "/faults", {"kind": "truncated"})
        with self.assertRaises(ValueError):
            _ = self.ask("GET", USERS).json
        self.assertEqual(self.ask("GET", USERS).status, 200)


class SlowStart(unittest.TestCase):
    def test_html_until_it_is_up_and_a_prefix(self):
        with python(HERE / "serve.py", "--slow-start", "2", "--prefix", "/otdstenant/acme") as server:
            url = server.announced["url"]
            self.assertTrue(url.endswith("/otdstenant/acme"))
            first = ask(url, "GET", USERS)
            self.assertEqual((first.status, first.headers["content-type"]), (503, "text/html;charset=utf-8"))
            answer, until = first, time.monotonic() + 30
            while answer.status == 503 and time.monotonic() < until:
                time.sleep(0.05)
                answer = ask(url, "GET", USERS)
            self.assertEqual(answer.status, 401)


if __name__ == "__main__":
    unittest.main()
