"""Real ETags for SCIM servers that have none (RFC 7644 section 3.14).

A version is the hash of what a full GET of the resource answers, so changes that didn't come through the proxy
count as well. Writes to one resource go one after the other; the lock is held over check and write.
"""
import hashlib
import json
import re
import threading

SINGLE = re.compile(r"/(Users|Groups)/[^/?]+$")
PRECONDITION_FAILED = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "412",
                       "detail": "the resource has another version"}


def version_of(resource):
    plain = json.loads(json.dumps(resource))
    if isinstance(plain.get("meta"), dict):
        plain["meta"].pop("version", None)
    text = json.dumps(plain, sort_keys=True).encode()
    return f'W/"{hashlib.sha256(text).hexdigest()[:20]}"'


def matches(header, version):
    """RFC 9110 section 13.1: a list of tags, or any. SCIM's are weak ones, compared by their text."""
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or any(tag.removeprefix("W/") == version.removeprefix("W/") for tag in tags)


class Locks:
    """One lock a resource."""

    def __init__(self):
        self.guard = threading.Lock()
        self.locks = {}

    def of(self, path):
        with self.guard:
            return self.locks.setdefault(path, threading.Lock())


def with_versions(path, query, value):
    """The body with meta.version where it can be known: a whole resource, a list of whole resources, and the
    server's configuration, which says that ETags are there. Answers (body, ETag or None)."""
    partial = "attributes=" in query.lower()  # excludedAttributes= as well
    if path.endswith("/ServiceProviderConfig"):
        value["etag"] = {"supported": True}
        return value, None
    if isinstance(value.get("Resources"), list) and not partial:
        for resource in value["Resources"]:
            resource.setdefault("meta", {})["version"] = version_of(resource)
        return value, None
    if "id" in value and "Resources" not in value and not partial:
        version = version_of(value)
        value.setdefault("meta", {})["version"] = version
        return value, version
    return value, None
