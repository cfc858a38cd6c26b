"""Holds a session of every way in open until the server ends it.

    hold.py LINK.json OPEN-FILE LOGIN...

Writes OPEN-FILE when all are open, then waits for each to end from the server's side; prints and
ends when the last has.
"""
import json
import os
import select
import sys

from clients import WAYS, enter


def ended(client):
    if client.name == "ftp":
        readable = select.select([client.ftp.sock], [], [], 0)[0]
        return bool(readable) and client.ftp.sock.recv(1024) == b""
    # sftp itself waits for commands: the connection is its child's.
    pid = client.session.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return not children.read().split()


def main():
    with open(sys.argv[1]) as source:
        link = json.load(source)
    held = []
    for login in sys.argv[3:]:
        server = login.rsplit("-", 1)[1]
        for way in WAYS:
            if way[0] != server:
                continue
            client, refusal = enter(link, login, way)
            if client is None:
                sys.exit(f"{login} {way}: {refusal}")
            held.append((login, way, client))
    with open(sys.argv[2], "w") as out:
        out.write(str(os.getpid()))
    while held:
        for one in list(held):
            if ended(one[2]):
                print(one[0], "/".join(one[1]), "ended", flush=True)
                held.remove(one)
        select.select([], [], [], 0.05)


main()
