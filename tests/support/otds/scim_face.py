"""The SCIM 2.0 face of OTDS, over the same world: one base for each partition, /otdsws/scim/{partition}.

Documented are the base, the authentication and which attributes there are; filters, page sizes and PATCH forms
aren't: here they are RFC 7644's, `eq` alone as a filter, 100 a page. No ETags, no bulk.
"""
import re

from world import Refusal

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PAGE = 100
# SCIM attribute to attribute of the store. employeeNumber, department and preferredLanguage by their LDAP names.
TEXTS = {"displayName": "displayName", "title": "title", "preferredLanguage": "preferredLanguage",
         "name.givenName": "givenName", "name.familyName": "sn", 'emails[type eq "work"].value': "mail",
         f"{ENTERPRISE}:employeeNumber": "employeeNumber", f"{ENTERPRISE}:department": "departmentNumber"}
KINDS = {"Users": "user", "Groups": "group"}


class ScimRefusal(Exception):
    def __init__(self, status, detail, scim_type=None):
        super().__init__(detail)
        self.status = status
        self.body = {"schemas": [ERROR], "status": str(status), "detail": detail,
                     **({"scimType": scim_type} if scim_type else {})}


def first(entry, name):
    return (entry.values.get(name) or [None])[0]


def shown(call, partition, entry):
    kind = "Users" if entry.kind == "user" else "Groups"
    resource = {"id": entry.uuid, "meta": {
        "resourceType": kind[:-1], "created": entry.created, "lastModified": entry.changed,
        "location": f"/otdsws/scim/{partition}/{kind}/{entry.uuid}"}}
    if first(entry, "scimExternalId"):
        resource["externalId"] = first(entry, "scimExternalId")
    if entry.kind == "group":
        members = [{"value": member.uuid, "display": member.name, "type": member.kind.title()}
                   for member in call.world.members(entry)]
        return {"schemas": [GROUP], "displayName": entry.name, "members": members, **resource}
    resource.update(schemas=[USER, ENTERPRISE], userName=entry.name, active=not entry.disabled)
    for path, name in TEXTS.items():
        value = first(entry, name)
        if value is None:
            continue
        if path.startswith("emails"):
            resource["emails"] = [{"value": value, "type": "work", "primary": True}]
        elif path.startswith(ENTERPRISE):
            resource.setdefault(ENTERPRISE, {})[path[len(ENTERPRISE) + 1:]] = value
        else:
            target = resource.setdefault("name", {}) if path.startswith("name.") else resource
            target[path.removeprefix("name.")] = value
    return resource


def flat(resource):
    """A resource, or the value of an operation without a path, as {path: value}."""
    paths = {}
    for key, value in resource.items():
        if key == "emails":
            work = [mail["value"] for mail in value if mail.get("type", "work") == "work"]
            paths['emails[type eq "work"].value'] = work[0] if work else None
        elif key in ("name", ENTERPRISE):
            mark = "." if key == "name" else ":"
            paths.update({f"{key}{mark}{inner}": text for inner, text in value.items()})
        elif key not in ("schemas", "meta", "id"):
            paths[key] = value
    return paths


def put(call, entry, path, value):
    """One attribute; None removes it."""
    world = call.world
    if path in TEXTS and (entry.kind == "user"):
        world.set_values(entry, [{"name": TEXTS[path], "values": [] if value is None else [str(value)]}])
    elif path == "externalId":
        world.set_values(entry, [{"name": "scimExternalId", "values": [] if value is None else [value]}])
    elif path == "active" and entry.kind == "user":
        if not isinstance(value, bool):
            raise ScimRefusal(400, "active is a boolean", "invalidValue")
        world.set_values(entry, [{"name": "accountDisabled", "values": ["false" if value else "true"]}])
    elif path == ("userName" if entry.kind == "user" else "displayName") and value:
        world.rename(entry, value)
    elif path == "members" and entry.kind == "group":
        for member in world.members(entry):
            member.groups.discard(entry.uuid)
        add_members(call, entry, value or [])
    elif path != "name.formatted":
        raise ScimRefusal(400, f"no attribute {path}", "invalidPath")


def add_members(call, group, members):
    found = [call.world.entries.get(member.get("value")) for member in members]
    if None in found:
        raise ScimRefusal(400, "a member doesn't exist", "invalidValue")
    for member in found:
        member.groups.add(group.uuid)


def operate(call, entry, operation):
    kind, path = str(operation.get("op", "")).lower(), operation.get("path")
    if kind not in ("add", "replace", "remove") or (kind == "remove" and not path):
        raise ScimRefusal(400, "op and path don't go together", "invalidSyntax")
    one = re.fullmatch(r'members\[value eq "([^"]+)"\]', path or "")
    if one and kind == "remove" and entry.kind == "group":
        if one[1] in call.world.entries:
            call.world.entries[one[1]].groups.discard(entry.uuid)
    elif path == "members" and kind == "add":
        add_members(call, entry, operation.get("value") or [])
    elif path:
        put(call, entry, path, None if kind == "remove" else operation.get("value"))
    else:
        for inner, value in flat(operation.get("value") or {}).items():
            put(call, entry, inner, value)


def selected(call, partition, kind):
    rows = sorted((entry for entry in call.world.of_kind(kind) if entry.partition == partition),
                  key=lambda entry: entry.ordinal)
    if "filter" not in call.query:
        return rows
    match = re.fullmatch(r'\s*(\w+)\s+eq\s+"((?:[^"\\]|\\.)*)"\s*', call.query["filter"])
    name = "userName" if kind == "user" else "displayName"
    if not match or match[1] not in (name, "externalId", "id"):
        raise ScimRefusal(400, "the filter isn't supported", "invalidFilter")
    wanted = re.sub(r"\\(.)", r"\1", match[2])
    if match[1] == name:
        return [entry for entry in rows if entry.name.lower() == wanted.lower()]
    return [entry for entry in rows
            if wanted == (entry.uuid if match[1] == "id" else first(entry, "scimExternalId"))]


def page(call, partition, kind):
    rows = selected(call, partition, kind)
    start = max(call.number("startIndex", 1), 1)
    count = min(max(call.number("count", PAGE), 0), PAGE)
    given = [shown(call, partition, entry) for entry in rows[start - 1:start - 1 + count]]
    if "members" in call.query.get("excludedAttributes", ""):
        for group in given:
            group.pop("members", None)
    return 200, {"schemas": [LIST], "totalResults": len(rows), "startIndex": start, "itemsPerPage": len(given),
                 "Resources": given}


def configuration():
    none = {"supported": False}
    return 200, {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"], "patch": {
        "supported": True}, "bulk": {**none, "maxOperations": 0, "maxPayloadSize": 0}, "filter": {
            "supported": True, "maxResults": PAGE}, "changePassword": none, "sort": none, "etag": none,
        "authenticationSchemes": [{"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": ""}]}


def of(call, partition, kind, identifier):
    entry = call.world.entries.get(identifier)
    if entry is None or entry.kind != kind or entry.partition != partition:
        raise ScimRefusal(404, f"no {identifier}")
    return entry


def write(call, partition, kind, words):
    call.world.writable(partition)
    if call.method == "POST" and not words:
        fields = flat(call.body)
        entry = call.world.add(kind, partition, fields.pop("userName" if kind == "user" else "displayName", None))
        for path, value in fields.items():
            put(call, entry, path, value)
        return 201, shown(call, partition, entry)
    entry = of(call, partition, kind, words[0])
    if call.method == "DELETE":
        call.world.remove(entry)
        return 204, None
    if call.method == "PATCH":
        for operation in call.body.get("Operations") or []:
            operate(call, entry, operation)
        return 200, shown(call, partition, entry)
    raise ScimRefusal(405, "Method Not Allowed")


def carry_out(call):
    """`call.segments` begins with otdsws, scim, the partition. Refusals come as SCIM's."""
    _, _, partition, *words = call.segments
    try:
        call.world.partition(partition)
        if words == ["ServiceProviderConfig"] and call.method == "GET":
            return configuration()
        if not words or words[0] not in KINDS or len(words) > 2:
            raise ScimRefusal(404, "Not Found")
        kind = KINDS[words[0]]
        if call.method != "GET":
            return write(call, partition, kind, words[1:])
        if len(words) == 1:
            return page(call, partition, kind)
        return 200, shown(call, partition, of(call, partition, kind, words[1]))
    except ScimRefusal as refusal:
        return refusal.status, refusal.body
    except Refusal as refusal:
        scim_type = "uniqueness" if refusal.status == 409 else None
        return refusal.status, ScimRefusal(refusal.status, refusal.body["error"], scim_type).body
