#!/usr/bin/env python3
"""generate.py N FOLDER: a workspace of N objects on one memory host.

The mix of the issue: 60 % accounts and keys (half each), 30 % grants of which half to groups of 50,
10 % folders. What the mix doesn't count comes on top: one person an account, one group for each 50
accounts, and so one membership an account. Equal N gives equal bytes.
"""
import base64
import os
import random
import sys

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


def key(dice):
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + dice.randbytes(32)
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def account(number, dice):
    return f"""[person.p{number:07}]
title = "Person {number}"
[account.a{number:07}]
for = "person:p{number:07}"
server = "edge-ftp"
home = "/srv/exchange"
keys = ["{key(dice)} p{number:07}@example.test"]
"""


def folder(number):
    return f"""[folder.f{number:07}]
host = "edge"
path = "/srv/exchange/d{number // 100:05}/f{number:07}"
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


def main():
    count, base = int(sys.argv[1]), os.path.abspath(sys.argv[2])
    accounts, grants, folders = count * 3 // 10, count * 3 // 10, count // 10
    groups = (accounts + GROUP - 1) // GROUP
    dice = random.Random(count)
    os.makedirs(base + "/operator")
    with open(base + "/operator/postern.toml", "w") as file:
        file.write(OPERATOR.format(world=base + "/edge.world"))
    files = (accounts + ACCOUNTS_A_FILE - 1) // ACCOUNTS_A_FILE
    for number in range(files):
        def share(total):
            return range(total * number // files, total * (number + 1) // files)
        parts = [account(i, dice) for i in share(accounts)]
        parts += [group(i, accounts) for i in share(groups)]
        parts += [folder(i) for i in share(folders)]
        for i in share(grants):
            # A subject meets a folder once: of a folder's three grants each has another subject.
            who = f"group:g{i // 2 % groups:06}" if i % 2 else f"person:p{i:07}"
            parts.append(grant(i, who, i % folders))
        path = f"{base}/access/team{number // 100:03}"
        os.makedirs(path, exist_ok=True)
        with open(f"{path}/part{number:05}.toml", "w") as file:
            file.write("".join(parts))


if __name__ == "__main__":
    main()
