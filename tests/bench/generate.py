#!/usr/bin/env python3
"""generate.py N FOLDER [--live]: a workspace of N objects on one memory host.

With --live the world file holds all that is declared, so that an apply only has to record it.
The mix of the issue: 60 % accounts and keys (half each), 30 % grants of which half to groups of 50,
10 % folders. What the mix doesn't count comes on top: one person an account, one group for each 50
accounts, and so one membership an account. Equal N gives equal bytes.
"""
import base64
import hashlib
import os
import random
import sys

SERVER = "edge-ftp"
GROUP = 50
ACCOUNTS_A_FILE = 150  # with their persons, folders and grants: about 650 tables and rows a file
RIGHTS = (("list", "read"), ("list", "create"), ("list", "read", "create", "overwrite"))

OPERATOR = """administrators = ["person:p0000000"]
[host.edge]
address = "memory:{world}"
manage = {{ roots = ["/srv/exchange"], accounts = "all", foreign = "report" }}
[server.edge-ftp]
host = "edge"
product = "proftpd"
config = "/etc/proftpd/proftpd.conf"
uids = {{ from = 30000, to = 4000000, gid = 30000 }}
"""


def blob_of(dice):
    return b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + dice.randbytes(32)


def public_key(blob):
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def account(number, blob):
    return f"""[person.p{number:07}]
title = "Person {number}"
[account.a{number:07}]
for = "person:p{number:07}"
server = "edge-ftp"
home = "/srv/exchange"
keys = ["{public_key(blob)} p{number:07}@example.test"]
"""


def path_of(number):
    return f"/srv/exchange/d{number // 100:05}/f{number:07}"


def folder(number):
    return f"""[folder.f{number:07}]
host = "edge"
path = "{path_of(number)}"
"""


def grant(number, who, place):
    rights = ", ".join(f'"{right}"' for right in RIGHTS[place % len(RIGHTS)])
    return f"""[[grant]]
who = ["{who}"]
folder = "f{place:07}"
rights = [{rights}]
ticket = "REQ-{number}"
"""


def group(number, accounts):
    first = number * GROUP
    members = ", ".join(f'"person:p{i:07}"' for i in range(first, min(first + GROUP, accounts)))
    return f"[group.g{number:06}]\nmembers = [{members}]\n"


class World:
    """The file of the memory provider (providers/memory/world.h), bodies as schemas/kinds.proto."""

    BITS = {"list": 1, "read": 2, "create": 4, "overwrite": 8}

    def __init__(self, path):
        self.file = open(path, "wb")
        self.ids = 0
        # The baseline of the managed root: what isn't granted isn't allowed.
        self.put("grant", 4, SERVER, "/srv/exchange", "subtree", "everyone", 0)

    @staticmethod
    def varint(value):
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
        return bytes(out)

    def put(self, kind, key_parts, *values, has_id=False):
        body = bytearray()
        for number, value in enumerate(values, 1):
            if isinstance(value, int):
                body += self.varint(number << 3) + self.varint(value)
            else:
                text = value.encode()
                body += self.varint(number << 3 | 2) + self.varint(len(text)) + text
        self.ids += has_id
        name = f"m-{self.ids}" if has_id else ""
        self.file.write("\t".join(("put", kind, "\x1f".join(values[:key_parts]),
                                   base64.b64encode(body).decode(), name, "postern", "1760000000",
                                   ".\n")).encode())

    def account(self, number, blob):
        login, uid = f"a{number:07}", 30001 + number
        self.put("account", 2, SERVER, login, 1, "/srv/exchange", uid, 30000, has_id=True)
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        self.put("ssh_key", 3, SERVER, login, "SHA256:" + digest, public_key(blob))

    def group(self, number, accounts):
        name = f"g{number:06}"
        self.put("server_group", 2, SERVER, name, 30001 + accounts + number)
        for member in range(number * GROUP, min((number + 1) * GROUP, accounts)):
            self.put("server_membership", 3, SERVER, name, f"a{member:07}")

    def folder(self, number):
        self.put("folder", 2, "edge", path_of(number), has_id=True)

    def grant(self, who, place):
        kind, name = who.split(":")
        subject = who if kind == "group" else "account:a" + name[1:]
        bits = sum(self.BITS[right] for right in RIGHTS[place % len(RIGHTS)])
        self.put("grant", 4, SERVER, path_of(place), "subtree", subject, bits)


def main():
    count, base = int(sys.argv[1]), os.path.abspath(sys.argv[2])
    live = "--live" in sys.argv[3:]
    accounts, grants, folders = count * 3 // 10, count * 3 // 10, count // 10
    groups = (accounts + GROUP - 1) // GROUP
    dice = random.Random(count)
    os.makedirs(base + "/operator")
    with open(base + "/operator/postern.toml", "w") as file:
        file.write(OPERATOR.format(world=base + "/edge.world"))
    world = World(base + "/edge.world") if live else None
    blobs = [blob_of(dice) for _ in range(accounts)]
    files = (accounts + ACCOUNTS_A_FILE - 1) // ACCOUNTS_A_FILE
    for number in range(files):
        def share(total):
            return range(total * number // files, total * (number + 1) // files)
        # A subject meets a folder once: of a folder's three grants each has another subject.
        who = {i: f"group:g{i // 2 % groups:06}" if i % 2 else f"person:p{i:07}"
               for i in share(grants)}
        parts = [account(i, blobs[i]) for i in share(accounts)]
        parts += [group(i, accounts) for i in share(groups)]
        parts += [folder(i) for i in share(folders)]
        parts += [grant(i, subject, i % folders) for i, subject in who.items()]
        path = f"{base}/access/team{number // 100:03}"
        os.makedirs(path, exist_ok=True)
        with open(f"{path}/part{number:05}.toml", "w") as file:
            file.write("".join(parts))
        if not world:
            continue
        for i in share(accounts):
            world.account(i, blobs[i])
        for i in share(groups):
            world.group(i, accounts)
        for i in share(folders):
            world.folder(i)
        for i, subject in who.items():
            world.grant(subject, i % folders)


if __name__ == "__main__":
    main()
