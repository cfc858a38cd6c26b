"""The world that the server shows: partitions, people, groups, roles, resources, clients, in memory.

Nothing here knows HTTP. Refusals are raised as Refusal. Not thread-safe: the face calls it under one lock.
"""
import base64
import time
import uuid
from dataclasses import dataclass, field

ROOT = "dc=identity,dc=opentext,dc=net"
SCIM_ONLY = "scimExternalId"  # kept with the attributes, shown by the SCIM face alone
CLASSES = {"user": "oTPerson", "group": "oTGroup", "role": "oTRole"}
UNITS = {"user": "users", "group": "groups", "role": "roles"}


class Refusal(Exception):
    """An answer that isn't a success: HTTP status and the three fields of OTDS's error body."""

    def __init__(self, status, error, code=None):
        super().__init__(error)
        self.status = status
        self.body = {"status": status if code is None else code, "error": error, "errorDetails": None}


@dataclass(eq=False)
class Entry:
    """A user, a group or an application role."""

    kind: str
    name: str
    partition: str
    uuid: str
    ordinal: int
    description: str = None
    values: dict = field(default_factory=dict)  # attribute name to list of strings
    groups: set = field(default_factory=set)  # uuids of groups it is a direct member of
    roles: set = field(default_factory=set)  # uuids of roles given to it
    custom: list = None
    created: str = ""
    changed: str = ""

    @property
    def location(self):
        return f"{CLASSES[self.kind]}={self.uuid},orgunit={UNITS[self.kind]},partition={self.partition},{ROOT}"

    @property
    def id(self):
        # A login that is a mail address is its own id; any other gets its partition.
        return self.name if "@" in self.name else f"{self.name}@{self.partition}"

    @property
    def disabled(self):
        return (self.values.get("accountDisabled") or ["false"])[0].lower() == "true"


# What a test may change while the server runs; README.md says what each means.
SETTINGS = {
    "expiry": "400",
    "ticket_life": 1800,
    "token_life": 1000,
    "spelling": "mixed",
    "short_pages": False,
    "empty_last_page": False,
    "recycled_names": "taken",
    "access_role_removal": "deletionset",
    "access_role_units": False,
    "unit_users": "",
    "missing_status": 404,
    "duplicate_status": 409,
    "consolidation_seconds": 0.2,
    "old_login": False,
    "continuation": False,
    "profiles": "list",
    "paged_members": False,
    "stuck_cookies": False,
    "ignored": "",
    "clock_ahead": 0,
}

POLICY = {
    "passwordHistoryMaximumCount": 3, "daysBeforeNewPasswordMayBeChanged": 1, "passwordMaximumDuration": 90,
    "daysBeforeOldPasswordMayBeReused": 0, "lockoutFailureCount": 0, "lockoutDuration": 15,
    "minimumNumberOfCharacters": 8, "complexPasswordValidationEnabled": True, "minimumNumberOfDigits": 1,
    "minimumNumberOfSymbols": 1, "minimumNumberOfUppercase": 1, "minimumNumberOfLowercase": 1,
    "minimumChangesToPreviousPassword": 0, "maxNumberOfConsecutiveANCharsInPassword": 0,
    "blockCommonPassword": False,
}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class World:
    def __init__(self, populate=lambda world: None):
        self.populate = populate
        self.reset()

    def reset(self):
        """The first world again, with new uuids."""
        self.settings = dict(SETTINGS)
        self.partitions = {}  # name to {"synchronized", "description", "uuid"}
        self.entries = {}  # uuid to Entry
        self.names = {}  # (kind, partition, name in small letters) to Entry
        self.recycled = []
        self.resources = {}
        self.access_roles = {}
        self.clients = {}
        self.policy = dict(POLICY)
        self.trusted_sites = []
        self.system_attributes = []
        self.audit = {"daysToKeep": "30", "enabled": True, "auditTo": "DATABASE", "eventIDs": []}
        self.consolidations = []  # {"object", "due", "finished"}
        self.cookies = {}  # cookie to (query, ordinal)
        self.passwords = {}  # uuid to password
        self.ordinals = 0
        self.populate(self)

    def add_partition(self, name, description=None, synchronized=False):
        if not name:
            raise Refusal(400, "name is missing")
        if name in self.partitions:
            raise Refusal(self.settings["duplicate_status"], f"partition {name} exists")
        self.partitions[name] = {"synchronized": synchronized, "description": description,
                                 "uuid": str(uuid.uuid4())}

    def partition(self, name):
        if name not in self.partitions:
            raise Refusal(self.settings["missing_status"], f"no partition {name}")
        return self.partitions[name]

    def writable(self, name):
        if self.partition(name)["synchronized"]:
            raise Refusal(403, f"partition {name} is synchronized; its objects are changed at their source")

    def origin(self, entry):
        """A guess: where an object came from another system, its id there. Seen is null, of objects that didn't."""
        synchronized = self.partitions[entry.partition]["synchronized"]
        return str(uuid.uuid5(uuid.NAMESPACE_URL, entry.id)) if synchronized else None

    def of_kind(self, kind):
        return [entry for entry in self.entries.values() if entry.kind == kind]

    def add(self, kind, partition, name, description=None, values=None, custom=None):
        if not name or not partition:
            raise Refusal(400, "name or userPartitionID is missing")
        self.partition(partition)
        if (kind, partition, name.lower()) in self.names:
            raise Refusal(self.settings["duplicate_status"], f"{kind} {name} exists in {partition}")
        if self.settings["recycled_names"] == "taken" and any(
                gone.kind == kind and gone.partition == partition and gone.name.lower() == name.lower()
                for gone in self.recycled):
            raise Refusal(self.settings["duplicate_status"], f"{kind} {name} is in the recycle bin")
        self.ordinals += 1
        entry = Entry(kind, name, partition, str(uuid.uuid4()), self.ordinals, description,
                      custom=custom, created=now(), changed=now())
        self.set_values(entry, values or [])
        self.keep(entry)
        return entry

    def keep(self, entry):
        self.entries[entry.uuid] = entry
        self.names[entry.kind, entry.partition, entry.name.lower()] = entry

    def set_values(self, entry, values):
        """[{name, values}] over what is there; an empty list removes the attribute."""
        for value in values:
            name, strings = value.get("name"), value.get("values")
            if not name or not isinstance(strings, list) or not all(isinstance(s, str) for s in strings):
                raise Refusal(400, "values must be a list of {name, values: [string]}")
            if name == "userPassword":
                self.passwords[entry.uuid] = strings[0] if strings else ""
                continue
            if name == self.settings["ignored"]:
                continue
            known = next((key for key in entry.values if key.lower() == name.lower()), name)
            if strings:
                entry.values[known] = list(strings)
            else:
                entry.values.pop(known, None)
        entry.changed = now()

    def find(self, kind, identifier):
        """By login@partition, by a bare login when one partition has it, by DN, by uuid."""
        name, at, partition = identifier.rpartition("@")
        entry = self.names.get((kind, partition, name.lower())) if at else None
        if entry is None:
            # A DN holds the uuid; it must be the whole DN all the same.
            entry = self.entries.get(identifier.partition("=")[2].partition(",")[0] or identifier)
            if entry and (entry.kind != kind or identifier not in (entry.location, entry.uuid)):
                entry = None
        if entry:
            return entry
        bare = [self.names[key] for key in ((kind, known, identifier.lower()) for known in self.partitions)
                if key in self.names]
        if len(bare) > 1:
            raise Refusal(self.settings["duplicate_status"], f"{identifier} exists in more than one partition")
        if not bare:
            raise Refusal(self.settings["missing_status"], f"no {kind} {identifier}")
        return bare[0]

    def find_any(self, kinds, identifier):
        for kind in kinds:
            try:
                return self.find(kind, identifier)
            except Refusal as refusal:
                if refusal.status != self.settings["missing_status"]:
                    raise
        raise Refusal(self.settings["missing_status"], f"no {' or '.join(kinds)} {identifier}")

    def rename(self, entry, name):
        taken = self.names.get((entry.kind, entry.partition, name.lower()))
        if taken not in (None, entry):
            raise Refusal(self.settings["duplicate_status"], f"{entry.kind} {name} exists in {entry.partition}")
        self.forget(entry)
        entry.name, entry.changed = name, now()
        self.keep(entry)

    def forget(self, entry):
        del self.entries[entry.uuid]
        del self.names[entry.kind, entry.partition, entry.name.lower()]

    def remove(self, entry):
        self.forget(entry)
        self.recycled.append(entry)
        for other in self.entries.values():
            other.groups.discard(entry.uuid)
            other.roles.discard(entry.uuid)
        for role in self.access_roles.values():
            for members in (role["users"], role["groups"]):
                if entry.uuid in members:
                    members.remove(entry.uuid)

    def restore(self, identifier):
        """From the recycle bin, with its uuid; memberships are gone."""
        for entry in self.recycled:
            if f"{entry.name}@{entry.partition}" == identifier:
                self.recycled.remove(entry)
                entry.groups, entry.roles = set(), set()
                self.keep(entry)
                return entry
        raise Refusal(404, f"no {identifier} in the recycle bin")

    def spelled(self, entry, value):
        """A boolean as this server spells it: OTDS has been seen to answer "true" and "False"."""
        spelling = self.settings["spelling"]
        if spelling == "mixed":
            spelling = "title" if entry.ordinal % 2 else "lower"
        return value.title() if spelling == "title" else value.lower()

    def attributes(self, entry):
        """All attributes as a client reads them: the stored ones and those that the server derives."""
        derived = {
            "cn": [entry.name], "entryUUID": [entry.uuid], "entryDN": [entry.location],
            "createTimestamp": [entry.created], "modifyTimestamp": [entry.changed],
            "oTObjectGUID": [base64.b64encode(uuid.UUID(entry.uuid).bytes).decode()],
        }
        if entry.kind == "user":
            derived.update({
                "oTExternalID1": [entry.name], "oTExternalID2": [f"{entry.name}@{entry.partition}"],
                "oTExternalID3": [entry.id], "oTExternalID4": [f"{entry.partition}{entry.name}"],
                "schemaType": ["3"],
            })
            for switch in ("accountDisabled", "accountLockedOut", "pwdReset", "PasswordNeverExpires",
                           "UserCannotChangePassword", "UserMustChangePasswordAtNextSignIn"):
                derived[switch] = ["false"]
        if entry.description:
            derived["description"] = [entry.description]
        if entry.groups:
            derived["oTMemberOf"] = sorted(self.entries[group].location for group in entry.groups)
        shown = {**derived, **entry.values}
        return {name: [self.spelled(entry, value) if value.lower() in ("true", "false") else value
                       for value in values] for name, values in sorted(shown.items()) if name != SCIM_ONLY}

    def members(self, group, kinds=("user", "group")):
        return [entry for entry in self.entries.values() if group.uuid in entry.groups and entry.kind in kinds]

    def holders(self, role, kinds):
        return [entry for entry in self.entries.values() if role.uuid in entry.roles and entry.kind in kinds]

    def consolidate(self, name):
        due = time.monotonic() + self.settings["consolidation_seconds"]
        self.consolidations.append({"object": name, "due": due})

    def finished_consolidations(self):
        return [job["object"] for job in self.consolidations if job["due"] <= time.monotonic()]


def seed(world, users, groups, synchronized):
    """The first world: administrators, two partitions of people, one that comes from elsewhere."""
    world.add_partition("otds.admin")
    world.add_partition("OAuthClients")
    world.add_partition("Corp", "people of the company")
    world.add_partition("Partners", "R&D@Partners and others")
    world.add_partition("AD", "from the domain", synchronized=True)
    admin = world.add("user", "otds.admin", "otadmin")
    world.passwords[admin.uuid] = "otds-admin-pw"
    for partition, count in (("Corp", users), ("AD", synchronized)):
        for number in range(1, count + 1):
            login = f"{partition.lower()}{number:06d}"
            world.add("user", partition, login, values=[
                {"name": "givenName", "values": ["Kim"]}, {"name": "sn", "values": [f"Berg {number}"]},
                {"name": "mail", "values": [f"{login}@example.test"]},
                {"name": "oTExtraAttr0", "values": [f"E{number:06d}"]}])
    world.add("user", "Partners", "corp000001", "the same login in another partition")
    world.add("user", "Partners", "ana.silva@example.test")
    people = [entry for entry in world.of_kind("user") if entry.partition == "Corp"]
    for number in range(groups):
        group = world.add("group", "Corp", f"group {number:03d}", f"group {number}")
        size = len(people) // groups
        for person in people[number * size:(number + 1) * size]:
            person.groups.add(group.uuid)
