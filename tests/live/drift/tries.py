"""Tries the nine rights at folders as accounts, over FTP and over SFTP, and prints what works.

    tries.py CONNECTION.json LOGIN,LOGIN... FOLDER...

Prints {"LOGIN": {"FOLDER": ["list", ...]}}; a right counts when either client can use it. The clients
and the folders' content are those of ../matrix/oracle.py. A login that is refused has no rights.
"""
import ftplib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "matrix"))
from oracle import RIGHTS, Ftp, Place, Sftp  # noqa: E402


def works(client, right, place):
    if right == "list":
        return any("old.txt" in names for names in client.listings(place.path).values())
    if right == "read":
        return client.read(place.at("old.txt"))[0]
    client.attempt(right, place)
    found = place.snapshot()
    done = found != place.fixed
    if done:
        place.reset()
    return done


def main():
    with open(sys.argv[1]) as source:
        link = json.load(source)
    places = [Place(folder, (link["uid"], link["gid"])) for folder in sys.argv[3:]]
    out = {}
    uids = {line.split(":")[0]: int(line.split(":")[2]) for line in open(link["passwd"])}
    for login in sys.argv[2].split(","):
        may = out[login] = {place.path: set() for place in places}
        for place in places:
            if os.geteuid() == 0:
                place.own((uids[login], link["gid"]))
        for kind in (Ftp, Sftp):
            try:
                client = kind(link, login)
            except (ftplib.Error, ConnectionError, EOFError):
                continue
            for place in places:
                may[place.path] |= {right for right in RIGHTS if works(client, right, place)}
            client.close()
    print(json.dumps({login: {path: sorted(rights) for path, rights in may.items()}
                      for login, may in out.items()}))


main()
