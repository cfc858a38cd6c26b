"""The HTTP face of OTDS: which call has which address, who may ask, how answers and refusals look."""
import copy
import json
import threading
import time
import traceback
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

import access
import people
import scim_face
import sessions
import shapes
from loopback import Handler
from world import Refusal

REST = "/otdsws/rest"


def _kinds(plural, kind):
    """The calls that users, groups and roles have in common."""
    return [
        ("GET", f"/{plural}", lambda c: people.list_entries(c, kind, c.world.of_kind(kind), plural)),
        ("POST", f"/{plural}", lambda c: people.create(c, kind)),
        ("GET", f"/{plural}/{{}}", lambda c, i: (200, c.shown(c.world.find(kind, i)))),
        ("PATCH", f"/{plural}/{{}}", lambda c, i: people.change(c, kind, i)),
        ("PUT", f"/{plural}/{{}}", lambda c, i: people.change(c, kind, i)),
        ("DELETE", f"/{plural}/{{}}", lambda c, i: people.delete(c, kind, i)),
    ]


def _memberships(plural, kind):
    return [
        ("GET", f"/{plural}/{{}}/memberof", lambda c, i: people.member_of(c, kind, i)),
        ("POST", f"/{plural}/{{}}/memberof", lambda c, i: people.change_member_of(c, kind, i, True)),
        ("POST", f"/{plural}/{{}}/memberof/deletionset",
         lambda c, i: people.change_member_of(c, kind, i, False)),
        ("POST", f"/{plural}/{{}}/roles", lambda c, i: people.give_role(c, kind, i)),
    ]


def _lists_of_groups():
    calls = []
    for list_name, kinds in (("members", ["user", "group"]), ("users", ["user"]), ("groups", ["group"])):
        calls += [
            ("GET", f"/groups/{{}}/{list_name}", lambda c, i, k=kinds: people.group_members(c, i, k)),
            ("POST", f"/groups/{{}}/{list_name}",
             lambda c, i, k=kinds: people.change_group_members(c, i, k, True)),
            ("POST", f"/groups/{{}}/{list_name}/deletionset",
             lambda c, i, k=kinds: people.change_group_members(c, i, k, False)),
        ]
    return calls


CALLS = [(method, f"{REST}{path}", call) for method, path, call in [
    ("GET", "/currentuser", sessions.current_user),
    ("GET", "/partitions", people.list_partitions),
    ("POST", "/partitions", people.create_partition),
    ("GET", "/partitions/{}", people.read_partition),
    ("GET", "/identityproviderprofiles", people.list_synchronized),
    ("POST", "/identityproviderprofiles", people.create_synchronized),
    ("POST", "/identityproviderprofiles/{}/command", people.command_synchronized),
    *_kinds("users", "user"), *_kinds("groups", "group"), *_kinds("roles", "role"),
    *_memberships("users", "user"), *_memberships("groups", "group"), *_lists_of_groups(),
    ("PUT", "/users/{}/password", people.set_password),
    ("GET", "/roles/{}/members", people.role_members),
    ("GET", "/roles/{}/roles", people.roles_in_role),
    ("POST", "/roles/{}/roles", lambda c, i: people.give_role(c, "role", i)),
    ("POST", "/roles/{}/roles/deletionset", people.take_roles_out),
    ("GET", "/orgunits/{}/users", access.unit_users),
    ("POST", "/roles/{}/members", lambda c, i: people.change_role_members(c, i, True)),
    ("POST", "/roles/{}/members/deletionset", lambda c, i: people.change_role_members(c, i, False)),
    ("GET", "/resources", access.list_resources),
    ("POST", "/resources", access.create_resource),
    ("GET", "/resources/{}", access.read_resource),
    ("PUT", "/resources/{}", access.replace_resource),
    ("POST", "/resources/{}/activate", access.activate_resource),
    ("PUT", "/resources/{}/impersonation", access.impersonate_resource),
    ("GET", "/accessroles", access.list_access_roles),
    ("GET", "/accessroles/{}", access.read_access_role),
    ("PUT", "/accessroles/{}", access.replace_access_role),
    ("POST", "/accessroles/{}/members", access.add_to_access_role),
    ("POST", "/accessroles/{}/members/deletionset", access.remove_from_access_role),
    ("PUT", "/accessroles/{}/attributes", access.set_access_role_attributes),
    ("GET", "/oauthclients", access.list_clients),
    ("POST", "/oauthclients", access.create_client),
    ("GET", "/oauthclients/{}", access.read_client),
    ("PATCH", "/oauthclients/{}", access.change_client),
    ("DELETE", "/oauthclients/{}", access.delete_client),
    ("PUT", "/oauthclients/{}/impersonation", access.impersonate_client),
    ("GET", "/systemconfig/passwordpolicy", access.read_policy),
    ("PUT", "/systemconfig/passwordpolicy", access.replace_policy),
    ("GET", "/systemconfig/whitelist", access.read_trusted_sites),
    ("PUT", "/systemconfig/whitelist", access.replace_trusted_sites),
    ("POST", "/systemconfig/system_attributes", access.add_system_attribute),
    ("PUT", "/systemconfig/audit", access.replace_audit),
    ("POST", "/consolidation", access.consolidate),
]]
OPEN_CALLS = [
    ("POST", f"{REST}/authentication/credentials", sessions.log_in),
    ("POST", f"{REST}/authentication/ticketforuser", sessions.ticket_for_user),
    ("POST", f"{REST}/authentication/oauth/tokeninfo", sessions.token_info),
    ("POST", "/otdsws/oauth2/token", sessions.token),
]
OLD_LOGIN = "/otdsws/v1/authentication/credentials"


@dataclass
class Call:
    """One request on its way through the server."""

    world: object
    sessions: object
    method: str
    path: str  # as it came, percent-encoded
    query: dict
    body: dict
    headers: dict
    user: str = None
    segments: list = field(default_factory=list)

    def header(self, name):
        return self.headers.get(name.lower())

    def number(self, name, default):
        try:
            return int(self.query.get(name) or default)
        except ValueError as error:
            raise Refusal(400, f"{name} is a number") from error

    def need_admin(self, user):
        if self.world.find("user", user).partition not in ("otds.admin", "OAuthClients"):
            raise Refusal(403, "Forbidden")

    def shown(self, entry, on_list=False):
        """Both shapes: values as a list of {name, values}, or attributes by name (attrsAsKeys, in any letter
        case, as a parameter of lists and of single reads), with values empty or null beside it."""
        attributes = self.world.attributes(entry)
        as_keys = next((value for name, value in self.query.items() if name.lower() == "attrsaskeys"), "")
        shown = {"userPartitionID": entry.partition, "name": entry.name, "location": entry.location,
                 "id": entry.id}
        if as_keys.lower() == "true":
            shown["attributes"] = attributes
            shown["values"] = [] if on_list else None
        else:
            shown["values"] = [{"name": name, "values": values} for name, values in attributes.items()]
        shown.update({"customAttributes": entry.custom, "objectClass": {"user": "oTPerson", "group": "oTGroup",
                      "role": "oTRole"}[entry.kind], "uuid": entry.uuid, "description": entry.description,
                      "originUUID": self.world.origin(entry), "urlId": entry.id, "urlLocation": entry.location})
        if entry.kind == "group":
            shown["numMembers"] = len(self.world.members(entry))
        return shown


def find_call(calls, method, segments):
    """(function, its arguments), or a refusal: nothing at this address, or not this method."""
    at_address = False
    for known_method, pattern, function in calls:
        wanted = pattern.strip("/").split("/")
        if len(wanted) != len(segments) or any(
                word not in ("{}", segment) for word, segment in zip(wanted, segments)):
            continue
        at_address = True
        if known_method == method:
            return function, [segment for word, segment in zip(wanted, segments) if word == "{}"]
    raise Refusal(405, "Method Not Allowed") if at_address else Refusal(404, "Not Found")


class Face:
    """What the handlers share."""

    def __init__(self, world, prefix="", slow_start=0.0):
        self.world, self.sessions = world, sessions.Sessions(world)
        self.prefix = prefix.rstrip("/")
        self.ready_at = time.monotonic() + slow_start
        self.lock = threading.Lock()
        self.log = []  # since the last reset
        self.comparison = shapes.Comparison(self.prefix)  # since the start
        self.faults = []

    def reset(self):
        """The first world again: nobody is logged in, nothing was asked, no fault waits. What was compared
        with the shapes stays."""
        self.world.reset()
        self.sessions.until.clear()
        self.log.clear()
        self.faults.clear()

    def note(self, request):
        self.log.append(request)
        self.comparison.add(request)

    def carry_out(self, call):
        """(status, body) of a request; refusals included."""
        if not call.path.startswith(f"{self.prefix}/"):
            return 404, Refusal(404, "Not Found").body
        call.segments = [unquote(part) for part in call.path[len(self.prefix):].strip("/").split("/")]
        try:
            return self.route(call)
        except Refusal as refusal:
            return refusal.status, refusal.body
        except sessions.TokenRefusal as refusal:
            return refusal.status, refusal.body
        except Exception:  # a body that no client of ours sends: answered, and seen in the log of the test
            traceback.print_exc()
            return 500, Refusal(500, "Internal error").body

    def route(self, call):
        old = self.world.settings["old_login"]
        path = "/" + "/".join(call.segments)
        if old and call.method == "POST" and path == OLD_LOGIN:
            call.body["userName"] = call.body.get("user_name")
            status, body = sessions.log_in(call)
            return status, {"ticket": body["ticket"]}
        if old and path == f"{REST}/authentication/credentials":
            raise Refusal(404, "Not Found")
        try:
            function, arguments = find_call(OPEN_CALLS, call.method, call.segments)
        except Refusal as refusal:
            if refusal.status == 405:
                raise
            call.user = self.authenticated(call)
            if call.segments[:2] == ["otdsws", "scim"] and len(call.segments) > 2:
                call.need_admin(call.user)
                return scim_face.carry_out(call)
            function, arguments = find_call(CALLS, call.method, call.segments)
            if function is not sessions.current_user:
                call.need_admin(call.user)
        return function(call, *arguments)

    def authenticated(self, call):
        """By header OTDSTicket, by a cookie of that name, or by a bearer token."""
        bearer = call.header("authorization") or ""
        token = bearer[7:] if bearer.startswith("Bearer ") else None
        ticket = call.header("otdsticket")
        for cookie in (call.header("cookie") or "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name.lower() == "otdsticket" and not ticket:
                ticket = unquote(value)
        return self.sessions.user_of(ticket, token)

    def fault_for(self, call):
        for fault in self.faults:
            if fault.get("method") in (None, call.method) and fault.get("path", "") in unquote(call.path):
                fault["count"] -= 1
                if fault["count"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None


def handler_of(face):
    """The handler class of the face's server."""

    class OtdsHandler(Handler):
        def date_time_string(self, timestamp=None):
            timestamp = time.time() if timestamp is None else timestamp
            return super().date_time_string(timestamp + face.world.settings["clock_ahead"])

        def do(self):
            body = self.read_body()
            address = urlsplit(self.path)
            call = Call(face.world, face.sessions, self.command, address.path,
                        dict(parse_qsl(address.query, keep_blank_values=True)), {},
                        {name.lower(): value for name, value in self.headers.items()})
            unreadable = self.parse(call, body)
            # As it came: handlers may change the body that they are given.
            request = self.logged(call, body)
            with face.lock:
                if time.monotonic() < face.ready_at:
                    fault, status, answer = {"kind": "html", "status": 503}, 503, None
                else:
                    fault = face.fault_for(call)
                    status, answer = self.under(fault, call, unreadable)
                face.note({**request, "status": status})
            return self.give(fault, status, answer)

        def under(self, fault, call, unreadable):
            """(status, body) of what is done: nothing, where the fault comes before."""
            kind = fault["kind"] if fault else ""
            if kind == "expired":  # from this request on
                face.sessions.expire_all()
            if kind == "cut-before":
                return None, None
            if kind == "refused":
                return fault["status"], Refusal(fault["status"], "Not Allowed").body
            return unreadable or face.carry_out(call)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

        def parse(self, call, body):
            """Fills the body; an answer when it can't be read."""
            if not body:
                return None
            try:
                if call.path.endswith("/oauth2/token"):
                    call.body = dict(parse_qsl(body.decode(), keep_blank_values=True))
                else:
                    call.body = json.loads(body)
                if not isinstance(call.body, dict):
                    raise ValueError("not an object")
            except ValueError:
                call.body = {}
                return 400, Refusal(400, "the body can't be read").body
            return None

        def logged(self, call, body):
            return {"method": call.method, "path": call.path, "query": dict(call.query),
                    "body": copy.deepcopy(call.body), "headers": {name: call.headers.get(name) for name in (
                        "accept", "content-type", "otdsticket", "cookie", "authorization")
                        if name in call.headers}, "size": len(body)}

        def give(self, fault, status, answer):
            kind = fault["kind"] if fault else ""
            if kind in ("cut-before", "cut-after"):
                self.close_connection = True
                self.connection.shutdown(2)
            elif kind == "html":
                page = b"<html><body>An error occurred</body></html>"
                self.answer(fault.get("status", 500), page, [("Content-Type", "text/html;charset=utf-8")])
            elif kind == "status":
                self.answer_json(fault["status"], Refusal(fault["status"], "Internal error").body)
            elif kind == "truncated":
                whole = json.dumps(answer).encode()
                self.answer(status, whole[:len(whole) // 2], [("Content-Type", "application/json")])
            elif answer is None:
                self.answer(status)
            else:
                self.answer_json(status, answer)

    return OtdsHandler
