"""Calls on partitions, users, groups, memberships and application roles."""
import base64
import secrets

from world import ROOT, Refusal

PAGE = 250


def partition_of(call):
    return call.body.get("userPartitionID")


def list_entries(call, kind, entries, key):
    """One page in the order of creation. The cookie is opaque and serves the query that it was given for."""
    query = {name: value for name, value in call.query.items() if name != "next_page_cookie"}
    size = call.number("page_size", PAGE)
    if size < 1:
        raise Refusal(400, "page_size must be positive")
    rows = sorted(selected(call, kind, entries), key=lambda entry: entry.ordinal)
    rows = rows[:call.number("limit", len(rows))]
    after = position(call, kind, query)
    rest = [entry for entry in rows if entry.ordinal > after]
    settings = call.world.settings
    # Pages may be short in the middle of a walk: every second one, then.
    cut = size // 2 + 1 if settings["short_pages"] and size > 2 and len(call.world.cookies) % 2 else size
    given, more = rest[:cut], len(rest) > cut
    cookie = None
    if settings["stuck_cookies"] and given:
        cookie = call.query.get("next_page_cookie") or "c3R1Y2s="
    elif more or (settings["empty_last_page"] and given):
        cookie = base64.b64encode(secrets.token_bytes(16)).decode()
        call.world.cookies[cookie] = ((kind, key, tuple(sorted(query.items()))), given[-1].ordinal)
    shown = [call.shown(entry, on_list=True) for entry in given]
    return 200, {key: shown, "actualPageSize": len(shown), "requestedPageSize": size, "nextPageCookie": cookie}


def position(call, kind, query):
    cookie = call.query.get("next_page_cookie")
    if not cookie or call.world.settings["stuck_cookies"]:
        return 0
    known, ordinal = call.world.cookies.get(cookie, (None, 0))
    if known is None or known[0] != kind or known[2] != tuple(sorted(query.items())):
        raise Refusal(400, "next_page_cookie is not of this query")
    return ordinal


def selected(call, kind, entries):
    query, found = call.query, entries
    if query.get("where_partition_name"):
        found = [entry for entry in found if entry.partition == query["where_partition_name"]]
    if query.get("where_location"):
        found = [entry for entry in found if entry.location.lower().endswith(query["where_location"].lower())]
    if query.get("where_filter"):
        # A part of a name, not the whole: "substring, not equality".
        part = query["where_filter"].lower()
        found = [entry for entry in found if any(part in text.lower() for text in (
            entry.name, *entry.values.get("displayName", []), *entry.values.get("mail", [])))]
    if kind == "user" and query.get("where_state"):
        if query["where_state"] not in ("enabled", "disabled"):
            raise Refusal(400, "where_state is enabled or disabled")
        found = [entry for entry in found if entry.disabled == (query["where_state"] == "disabled")]
    return found


def read_partition(call, name):
    partition = call.world.partition(name)
    location = f"partition={name},{ROOT}"
    return 200, {"name": name, "id": name, "description": partition["description"], "location": location,
                 "uuid": partition["uuid"], "objectClass": "oTPartition", "customAttributes": None,
                 "urlId": name, "urlLocation": location}


def list_partitions(call):
    return 200, {"_userPartitions": [read_partition(call, name)[1] for name in sorted(call.world.partitions)]}


def create_partition(call):
    call.world.add_partition(call.body.get("name"), call.body.get("description"))
    return read_partition(call, call.body["name"])


def create_synchronized(call):
    name = (call.body.get("basicInfo") or {}).get("profileName")
    call.world.add_partition(name, synchronized=True)
    return read_partition(call, name)


def list_synchronized(call):
    """Not documented, by analogy with the calls beside it; the setting profiles takes it away, empties it, or
    hides in each profile which partition is meant."""
    form = call.world.settings["profiles"]
    if form not in ("list", "empty", "nested"):
        raise Refusal(404, "Not Found")
    names = [name for name, partition in sorted(call.world.partitions.items()) if partition["synchronized"]]
    profiles = [{"id": name, "name": name, "basicInfo": {"profileName": name}} for name in names]
    if form == "nested":
        profiles = [{"id": f"profile-{number}", "basicInfo": {"target": {"partition": {"name": name}}}}
                    for number, name in enumerate(names)]
    return 200, {"identityProviderProfiles": [] if form == "empty" else profiles}


def command_synchronized(call, name):
    if not call.world.partition(name)["synchronized"]:
        raise Refusal(400, f"{name} is not synchronized")
    if call.body.get("command") != "import":
        raise Refusal(400, "unknown command")
    return 204, None


def create(call, kind):
    partition = partition_of(call) or ("OAuthClients" if kind == "role" else None)
    if partition:
        call.world.writable(partition)
    body = call.body
    entry = call.world.add(kind, partition, body.get("name"), body.get("description"), body.get("values"),
                           body.get("customAttributes"))
    return 200, call.shown(entry)


def change(call, kind, identifier):
    """PATCH: only what is sent. PUT takes another name as a rename."""
    entry = call.world.find(kind, identifier)
    call.world.writable(entry.partition)
    if partition_of(call) not in (None, entry.partition):
        raise Refusal(400, f"{identifier} is not in {partition_of(call)}")
    if "description" in call.body:
        entry.description = call.body["description"]
    call.world.set_values(entry, call.body.get("values") or [])
    name = call.body.get("name")
    if call.method == "PUT" and name and name != entry.name:
        call.world.rename(entry, name)
    return 200, call.shown(entry)


def delete(call, kind, identifier):
    entry = call.world.find(kind, identifier)
    call.world.writable(entry.partition)
    call.world.remove(entry)
    return 204, None


def set_password(call, identifier):
    user = call.world.find("user", identifier)
    password = call.body.get("newPassword") or call.body.get("password")
    if not password or len(password) < call.world.policy["minimumNumberOfCharacters"]:
        raise Refusal(400, "the password is against the policy")
    call.world.passwords[user.uuid] = password
    return 204, None


def named(call, kinds):
    """The entries of stringList: all of them exist, or nothing is done."""
    names = call.body.get("stringList")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal(400, "stringList is missing")
    return [call.world.find_any(kinds, name) for name in names]


def membership(call, member, groups, add):
    for group in groups:
        call.world.writable(group.partition)
        (member.groups.add if add else member.groups.discard)(group.uuid)
    return 204, None


def member_of(call, kind, identifier):
    entry = call.world.find(kind, identifier)
    groups = [call.world.entries[group] for group in entry.groups]
    return list_entries(call, "group", groups, "groups")


def change_member_of(call, kind, identifier, add):
    return membership(call, call.world.find(kind, identifier), named(call, ["group"]), add)


def group_members(call, identifier, kinds):
    group = call.world.find("group", identifier)
    if len(kinds) == 1 or call.world.settings["paged_members"]:
        return list_entries(call, kinds[0], call.world.members(group, kinds[:1]), f"{kinds[0]}s")
    users, groups = (call.world.members(group, [kind]) for kind in ("user", "group"))
    return 200, {"users": [call.shown(entry, True) for entry in users],
                 "groups": [call.shown(entry, True) for entry in groups]}


def change_group_members(call, identifier, kinds, add):
    group = call.world.find("group", identifier)
    for member in named(call, kinds):
        membership(call, member, [group], add)
    return 204, None


def role_members(call, identifier):
    role = call.world.find("role", identifier)
    users, groups = (call.world.holders(role, [kind]) for kind in ("user", "group"))
    return 200, {"users": [call.shown(entry, True) for entry in users],
                 "groups": [call.shown(entry, True) for entry in groups]}


def roles_in_role(call, identifier):
    role = call.world.find("role", identifier)
    return 200, {"roles": [call.shown(entry, True) for entry in call.world.holders(role, ["role"])]}


def take_roles_out(call, identifier):
    role = call.world.find("role", identifier)
    for member in named(call, ["role"]):
        member.roles.discard(role.uuid)
    return 204, None


def change_role_members(call, identifier, add):
    role = call.world.find("role", identifier)
    for member in named(call, ["user", "group"]):
        (member.roles.add if add else member.roles.discard)(role.uuid)
    return 204, None


def give_role(call, kind, identifier):
    """The id in the address is the DN, and stringList has DNs of roles."""
    entry = call.world.find(kind, identifier)
    if identifier != entry.location:
        raise Refusal(call.world.settings["missing_status"], f"no {kind} {identifier}")
    for role in named(call, ["role"]):
        entry.roles.add(role.uuid)
    return 204, None
