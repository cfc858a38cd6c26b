"""Products that can't be had for tests, as far as they are documented (facts, iam-governance sections 1.4 and 3.3):
each is a function over a call and the server behind. What a client of that product shouldn't have sent is noted in
`wrong` of the request's line.
"""
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

JSON = [("Content-Type", "application/scim+json")]
GROUPS = re.compile(r"/Groups(/[^/?]+)?$")
USERS = re.compile(r"/Users/[^/?]+$")


@dataclass
class Call:
    method: str
    path: str
    body: bytes
    wrong: str = ""

    @property
    def where(self):
        return urlsplit(self.path).path

    @property
    def query(self):
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def with_query(self, **changes):
        query = {**self.query, **changes}
        text = "&".join(f"{name}={quote(str(value))}" for name, value in query.items() if value is not None)
        self.path = urlunsplit(("", "", self.where, text, ""))

    def json(self):
        return json.loads(self.body) if self.body else {}

    def refuse(self, status, kind, detail):
        self.wrong = detail
        error = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status),
                 "scimType": kind, "detail": detail}
        return status, JSON, json.dumps(error).encode()


def nothing():
    empty = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0,
             "startIndex": 1, "itemsPerPage": 0, "Resources": []}
    return 200, JSON, json.dumps(empty).encode()


def bounded(call, most):
    """A listing asks for more than there ever is in an answer."""
    if call.method == "GET" and int(call.query.get("count", most)) > most:
        call.wrong = f"count is more than {most}"
        call.with_query(count=most)


def without_members(answer):
    status, headers, body = answer
    if status != 200:
        return answer
    value = json.loads(body)
    for group in value.get("Resources", [value]):
        group.pop("members", None)
    return status, headers, json.dumps(value).encode()


def keycloak(call, ask):
    """At most 100 a page and 100 operations a PATCH; members by PATCH alone, shown where asked for; a filter on an
    attribute that isn't mapped finds nothing. Which are mapped is the operator's: here userName and id. A filter has at
    most 2,048 characters and ten levels; an order that is asked for is ignored."""
    bounded(call, 100)
    words = call.query.get("filter", "userName ")
    if len(words) > 2048 or words.count("(") + words.count("[") > 10:
        return call.refuse(400, "invalidFilter", "the filter is longer than 2048 or nests deeper than 10")
    if "sortBy" in call.query:
        call.wrong = "an order is asked for, and not given"
        call.with_query(sortBy=None, sortOrder=None)
    mapped = re.match(r"(userName|id) ", words)
    if call.method == "GET" and not mapped:
        return nothing()
    group = GROUPS.search(call.where)
    if group and call.method in ("POST", "PUT") and call.json().get("members"):
        return call.refuse(400, "invalidValue", "members are changed by PATCH alone")
    if call.method == "PATCH" and len(call.json().get("Operations", [])) > 100:
        return call.refuse(400, "tooMany", "more than 100 operations")
    if call.method == "PUT" and call.json().get("id") != call.where.rsplit("/", 1)[1]:
        return call.refuse(400, "invalidValue", "the id of the body is another one")
    asked = "members" in call.query.get("attributes", "")
    answer = ask(call)
    return without_members(answer) if group and call.method == "GET" and not asked else answer


def entra(call, ask):
    """No PUT; members that are removed by value instead of by a filter are all removed."""
    if call.method == "PUT":
        return call.refuse(405, "", "PUT isn't offered")
    if call.method == "PATCH":
        value = call.json()
        for operation in value.get("Operations", []):
            if operation.get("op", "").lower() == "remove" and operation.get("path") == "members":
                call.wrong = "members are removed without a filter"
                operation.pop("value", None)
        call.body = json.dumps(value).encode()
    return ask(call)


def okta(call, ask):
    """At most 200 a page; a deletion of a user deactivates; filters with eq on few attributes."""
    bounded(call, 200)
    if call.method == "DELETE" and USERS.search(call.where):
        call.method = "PATCH"
        call.body = json.dumps({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            {"op": "replace", "value": {"active": False}}]}).encode()
        ask(call)
        return 204, [], b""
    known = re.match(r'(userName|externalId|id|displayName) eq "[^"]*"$', call.query.get("filter", 'id eq ""'))
    if known:
        return ask(call)
    answer = call.refuse(400, "invalidFilter", "no such filter")
    call.wrong = ""  # to ask is how a client finds out
    return answer


def within_profile(call):
    """What of a call lies outside of the profile; empty: nothing does."""
    if call.where.endswith(("/Bulk", "/.search", "/Me")):
        return f"{call.where} is optional"
    known = {"filter", "attributes", "excludedAttributes", "startIndex", "count", "cursor"}
    if call.method == "GET" and not known.issuperset(call.query):
        return f"asked for with {', '.join(sorted(set(call.query) - known))}"
    if not re.match(r'[A-Za-z.-]+ eq "([^"\\]|\\.)*"$', call.query.get("filter", 'id eq ""')):
        return "a filter with more than one eq"
    for operation in call.json().get("Operations", []) if call.method == "PATCH" else []:
        kind, path = operation.get("op"), operation.get("path", "")
        if kind not in ("add", "replace", "remove") or not path:
            return "a change without a path, or one that isn't spelled add, replace or remove"
        if kind == "remove" and ("value" in operation or path == "members"):
            return "a removal that isn't by the filter of its path"
        if kind != "remove" and "[" in path:
            return f"{kind} by a filter"
        if kind == "replace" and path == "members":
            return "all members are replaced"
    return ""


def profile(call, ask):
    """draft-zollner-scim-interop-profile narrows the forms of PATCH, filters and paging between an identity provider and
    an application: each change has its path, what has several values loses one by a filter in the path, a filter is one
    eq, and nothing that is optional is needed."""
    call.wrong = within_profile(call)
    return ask(call)


PRODUCTS = {"keycloak": keycloak, "entra": entra, "okta": okta, "profile": profile}
