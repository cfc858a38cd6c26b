"""Calls on resources, access roles, OAuth clients and the settings of the system."""
import base64
import secrets
import uuid

import people
from world import POLICY, ROOT, Refusal

UNIT = f"ou=press,{ROOT}"
CLIENT_DEFAULTS = {
    "description": None, "redirectURLs": [], "confidential": True, "accessTokenLifeTime": 1000,
    "refreshTokenLifeTime": 20000, "authCodeLifeTime": 20000, "allowRefreshToken": True,
    "useSessionRefreshTokenLifeTime": True, "allowImpersonation": False, "impersonateList": None,
    "authScopes": [], "allowedScopes": [], "defaultScopes": [], "logoutURL": None, "logoutMethod": None,
    "customAttributes": None,
}


def look_up(call, table, name, what):
    found = table.get(name)
    if found is None:
        raise Refusal(call.world.settings["missing_status"], f"no {what} {name}")
    return found


def shown_resource(resource):
    return {key: value for key, value in resource.items() if key != "secretKey"}


def create_resource(call):
    body, name = call.body, call.body.get("resourceName")
    if not name:
        raise Refusal(400, "resourceName is missing")
    if name in call.world.resources:
        raise Refusal(call.world.settings["duplicate_status"], f"resource {name} exists")
    secret = body.get("secretKey")
    if secret is not None and (len(secret) != 24 or not secret.endswith("==")):
        raise Refusal(400, "secretKey has 24 characters and ends with ==")
    identifier = body.get("resourceID") or str(uuid.uuid4())
    role = f"Access to {name}"
    call.world.resources[name] = {
        "resourceName": name, "id": name, "description": body.get("description"),
        "displayName": body.get("displayName"), "resourceID": identifier, "resourceState": 0,
        "userSynchronizationState": False, "resourceDN": f"oTResource={identifier},{ROOT}",
        "resourceType": None, "accessRoleList": [{"id": role, "name": role, "status": False, "description":
                                                  f"Default access role for resource {name}"}],
        "impersonateList": None, "impersonateAnonymousList": None, "pcCreatePermissionAllowed": True,
        "pcModifyPermissionAllowed": True, "pcDeletePermissionAllowed": True, "logoutURL": None,
        "logoutMethod": None, "allowImpersonation": bool(body.get("allowImpersonation")),
        "connectionHealthy": True, "connectorName": None, "connectorid": None, "userAttributeMapping": [],
        "groupAttributeMapping": [], "connectionParamInfo": [], "secretKey": secret,
    }
    call.world.access_roles[role] = {
        "resource": name, "description": f"Default access role for resource {name}", "users": [], "groups": [],
        "userPartitions": [], "attributes": [{"name": "pushAllGroups", "values": ["True"]}],
    }
    return 200, shown_resource(call.world.resources[name])


def list_resources(call):
    return 200, {"resources": [shown_resource(resource) for resource in call.world.resources.values()]}


def read_resource(call, name):
    return 200, shown_resource(look_up(call, call.world.resources, name, "resource"))


def replace_resource(call, name):
    resource = look_up(call, call.world.resources, name, "resource")
    fixed = {"resourceName", "id", "resourceID", "resourceDN", "resourceState", "accessRoleList"}
    for key, value in call.body.items():
        if key in resource and key not in fixed:
            resource[key] = value
    return 200, shown_resource(resource)


def activate_resource(call, identifier):
    for resource in call.world.resources.values():
        if identifier in (resource["resourceID"], resource["resourceName"]):
            resource["resourceState"] = 1
            return 204, None
    raise Refusal(call.world.settings["missing_status"], f"no resource {identifier}")


def impersonate_resource(call, name):
    return impersonate(look_up(call, call.world.resources, name, "resource"), call.body)


def impersonate(target, body):
    target["allowImpersonation"] = bool(body.get("allowImpersonation"))
    target["impersonateList"] = body.get("impersonateList")
    return 204, None


def shown_access_role(call, name, role):
    entries = call.world.entries

    def member(entry):
        return {"name": entry.id, "displayName": (entry.values.get("displayName") or [entry.name])[0],
                "userPartition": entry.partition, "location": entry.location, "description": entry.description}

    partitions = [{"name": partition, "displayName": None, "userPartition": partition,
                   "location": f"partition={partition},{ROOT}", "description": None}
                  for partition in role["userPartitions"]]
    units = [{"name": "press", "displayName": None, "userPartition": "Corp", "location": UNIT, "description": None}
             ] if call.world.settings["access_role_units"] and not role.get("without_units") else []
    return {"id": name, "name": name, "description": role["description"], "accessRoleMembers": {
                "users": [member(entries[key]) for key in role["users"]],
                "groups": [member(entries[key]) for key in role["groups"]],
                "userPartitions": partitions, "organizationalUnits": units, "roles": []},
            "resources": [shown_resource(call.world.resources[role["resource"]])],
            "attributeList": role["attributes"], "location": f"oTAccessRole={name},{ROOT}"}


def list_access_roles(call):
    return 200, {"accessRoles": [shown_access_role(call, name, role)
                                 for name, role in call.world.access_roles.items()]}


def read_access_role(call, name):
    return 200, shown_access_role(call, name, look_up(call, call.world.access_roles, name, "access role"))


def access_role_lists(call):
    """The members in a request: [{name, location}]; the location wins, and may be empty."""
    lists = {}
    for key, kind in (("users", "user"), ("groups", "group")):
        lists[key] = [call.world.find(kind, member.get("location") or member.get("name") or "").uuid
                      for member in call.body.get(key) or []]
    lists["userPartitions"] = [member.get("name") for member in call.body.get("userPartitions") or []]
    for partition in lists["userPartitions"]:
        call.world.partition(partition)
    lists["organizationalUnits"] = [member.get("location") for member in call.body.get("organizationalUnits") or []]
    return lists


def unit_users(call, location):
    """Who is in the organizational unit `press` that access roles let in."""
    names = call.world.settings["unit_users"]
    if location != UNIT or names == "unknown":
        raise Refusal(404, "Not Found")
    users = [call.world.find("user", name) for name in names.split()]
    return people.list_entries(call, "user", users, "users")


def add_to_access_role(call, name):
    role = look_up(call, call.world.access_roles, name, "access role")
    lists = access_role_lists(call)
    if lists.pop("organizationalUnits"):
        role["without_units"] = False
    for key, members in lists.items():
        role[key] += [member for member in dict.fromkeys(members) if member not in role[key]]
    return 204, None


def remove_from_access_role(call, name):
    """Not documented: this form, or a PUT of the whole, as the setting access_role_removal says."""
    if call.world.settings["access_role_removal"] != "deletionset":
        raise Refusal(405, "Method Not Allowed")
    role = look_up(call, call.world.access_roles, name, "access role")
    lists = access_role_lists(call)
    if lists.pop("organizationalUnits"):
        role["without_units"] = True
    for key, members in lists.items():
        role[key] = [member for member in role[key] if member not in members]
    return 204, None


def replace_access_role(call, name):
    if call.world.settings["access_role_removal"] != "put":
        raise Refusal(405, "Method Not Allowed")
    role = look_up(call, call.world.access_roles, name, "access role")
    call.body = call.body.get("accessRoleMembers") or {}
    lists = access_role_lists(call)
    role["without_units"] = not lists.pop("organizationalUnits")
    role.update(lists)
    return 204, None


def set_access_role_attributes(call, name):
    role = look_up(call, call.world.access_roles, name, "access role")
    for attribute in call.body.get("attributes") or []:
        role["attributes"] = [kept for kept in role["attributes"] if kept["name"] != attribute["name"]]
        role["attributes"].append({"name": attribute["name"], "values": attribute["values"]})
    return 204, None


def shown_client(call, client):
    user = call.world.find("user", f"{client['id']}@OAuthClients")
    shown = {key: value for key, value in client.items() if key != "secret"}
    return {**shown, "name": client["id"], "location": user.location, "uuid": user.uuid,
            "urlId": client["id"], "urlLocation": user.location, "secret": None}


def fill_client(client, body):
    for key, default in CLIENT_DEFAULTS.items():
        if key in body:
            value = body[key]
            # Life times come as numbers and as strings of digits.
            client[key] = int(value) if isinstance(default, int) and isinstance(value, str) else value


def create_client(call):
    name = call.body.get("id") or call.body.get("name")
    if not name:
        raise Refusal(400, "id is missing")
    if name in call.world.clients:
        raise Refusal(call.world.settings["duplicate_status"], f"OAuth client {name} exists")
    call.world.add("user", "OAuthClients", name)
    secret = call.body.get("secret") or base64.b64encode(secrets.token_bytes(24)).decode()
    client = {"id": name, **CLIENT_DEFAULTS, "secret": secret}
    fill_client(client, call.body)
    call.world.clients[name] = client
    # The only answer that has the secret.
    return 200, {**shown_client(call, client), "secret": secret}


def list_clients(call):
    return 200, {"oauthClients": [shown_client(call, client) for client in call.world.clients.values()]}


def read_client(call, name):
    return 200, shown_client(call, look_up(call, call.world.clients, name, "OAuth client"))


def change_client(call, name):
    client = look_up(call, call.world.clients, name, "OAuth client")
    fill_client(client, call.body)
    if call.body.get("secret"):
        client["secret"] = call.body["secret"]
    return 200, shown_client(call, client)


def delete_client(call, name):
    look_up(call, call.world.clients, name, "OAuth client")
    call.world.remove(call.world.find("user", f"{name}@OAuthClients"))
    del call.world.clients[name]
    return 204, None


def impersonate_client(call, name):
    return impersonate(look_up(call, call.world.clients, name, "OAuth client"), call.body)


def read_policy(call):
    return 200, dict(call.world.policy)


def replace_policy(call):
    unknown = sorted(set(call.body) - set(POLICY))
    if unknown:
        raise Refusal(400, f"unknown {', '.join(unknown)}")
    call.world.policy.update(call.body)
    return 204, None


def read_trusted_sites(call):
    return 200, {"stringList": list(call.world.trusted_sites)}


def replace_trusted_sites(call):
    call.world.trusted_sites = list(call.body.get("stringList") or [])
    return 204, None


def add_system_attribute(call):
    call.world.system_attributes.append({key: call.body.get(key) for key in ("name", "value", "friendlyName")})
    return 200, call.world.system_attributes[-1]


def replace_audit(call):
    call.world.audit.update(call.body)
    return 204, None


def consolidate(call):
    name = call.body.get("objectToConsolidate")
    if not name:
        raise Refusal(400, "objectToConsolidate is missing")
    call.world.consolidate(name)
    return 204, None
