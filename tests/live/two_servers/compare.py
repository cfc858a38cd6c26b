"""The oracle of the matrix over two servers: do both do what the TOML says? Knows nothing of Postern.

    compare.py begin LINK.json           makes the folders, before anything is declared
    compare.py fresh LINK.json           puts a file into each; nobody may have more of it than declared
    compare.py move LINK.json            moves a file into each, open to all where it came from
    compare.py all|sample SEED LINK.json [LOGIN...]   every decision

A decision: (account, server, protocol, login method, folder, right, child). Three witnesses must
agree in each: the server's answer, the bytes and modes on the disk (of the whole folder) and the
names listed. `all` tries every login method everywhere, `sample` the second ones in some folders.
Prints one JSON object; exits 1 when anything differs.
"""
import collections
import json
import os
import pwd
import random
import sys

from clients import SECONDARY, WAYS, View, enter
from disk import ACROSS, CHILDREN, MINE, OLD, Place, same
from expect import Expected

ON_FOLDER = ["list", "create", "mkdir", "rmdir"]
ON_CHILD = ["read", "overwrite", "delete", "rename"]
INSIDE = "inside"  # the undeclared folder in every declared one


class Comparison:
    def __init__(self, link, rng=None):
        self.link, self.rng = link, rng or random.Random(0)
        with open(link["capabilities"]) as source:
            self.toml = Expected(link["access"], json.load(source))
        self.counts = collections.Counter()
        self.differences = []
        self.places = []
        for path in sorted(self.toml.folders.values()):
            self.places += [Place(path), Place(os.path.join(path, INSIDE))]

    # ---- what is there

    def begin(self):
        for place in self.places:
            place.begin()

    def fresh(self):
        for place in self.places:
            place.write("fresh.txt")

    def move(self):
        for place in self.places:
            place.move_in(self.link["loose"])

    def uid(self, login):
        if self.toml.server(login) == "sftp":
            return pwd.getpwnam(login).pw_uid
        with open(self.link["passwd"]) as source:
            return next(int(l.split(":")[2]) for l in source if l.startswith(login + ":"))

    def seen(self, path):
        """The folder as a client names it, in its chroot or out of one."""
        root = self.link["root"]
        return (path[len(root):] or "/") if self.link["chroot"] else path

    # ---- one decision

    def decide(self, way, login, place, right, child, wanted, found):
        self.counts["decisions"] += 1
        self.counts["/".join(way)] += 1
        self.counts[wanted] += 1
        if found:
            self.differences.append({
                "way": "/".join(way), "login": login, "folder": place.path, "right": right,
                "child": child, "toml": wanted, "server": found})

    def wanted(self, way, login, place, right):
        if right not in self.toml.given(login, place.path):
            return "denied"
        if right == "chmod" and not self.toml.chmods(way[1]):
            return "unsupported"
        return "allowed"

    def listed(self, client, place, wanted):
        names = sorted(place.fixed) if wanted == "allowed" else []
        wrong = {k: v for k, v in client.listings(self.seen(place.path)).items() if v != names}
        return f"names {wrong}, not {names}" if wrong else None

    def read(self, client, place, child, wanted):
        answer, got = client.read(self.seen(place.at(child)))
        if answer == (wanted == "allowed") and got == (OLD if answer else b""):
            return None
        return f"answered {'yes' if answer else 'no'}, received {got!r}"

    def changed(self, client, place, right, child, wanted, start):
        view = View(self.seen(place.path), child, self.seen(place.at("renamed.txt")))
        answer = client.attempt(right, view)
        found = place.snapshot()
        allowed = wanted == "allowed"
        as_wanted = same(found, place.done(right, child) if allowed else start)
        place.reset(found)
        if answer == allowed and as_wanted:
            return None
        return f"answered {'yes' if answer else 'no'}, on disk: {found!r}"

    def attempt(self, client, login, place, right, child, wanted):
        if right == "list":
            return self.listed(client, place, wanted)
        if right == "read":
            return self.read(client, place, child, wanted)
        start = place.own(self.uid(login)) if right == "chmod" else place.fixed
        return self.changed(client, place, right, child, wanted, start)

    # ---- all of them

    def folder(self, client, way, login, place):
        rights = [(r, "") for r in ON_FOLDER] + [("chmod", MINE)]
        rights += [(r, c) for c in CHILDREN if c in place.fixed for r in ON_CHILD]
        for right, child in rights:
            wanted = self.wanted(way, login, place, right)
            found = client and self.attempt(client, login, place, right, child, wanted)
            self.decide(way, login, place, right, child, wanted, found)

    def across(self, client, way, login, places):
        """Renames from folder to folder: the right counts in both."""
        pairs = [(a, b) for a in places for b in places if a is not b]
        both = [(a, b) for a, b in pairs
                if self.wanted(way, login, a, "rename") == self.wanted(way, login, b, "rename")
                == "allowed"]
        chosen = self.rng.sample(both, min(4, len(both)))
        chosen += self.rng.sample(pairs, min(4, len(pairs)))
        for a, b in chosen:
            wanted = "allowed" if (a, b) in both else "denied"
            found = None
            if client:
                view = View(self.seen(a.path), "old.txt", self.seen(b.at(ACROSS)))
                answer, there = client.attempt("rename", view), os.path.exists(b.at(ACROSS))
                gone = not os.path.exists(a.at("old.txt"))
                for place in (a, b):
                    place.reset(place.snapshot())
                if (answer, there, gone) != (wanted == "allowed",) * 3:
                    found = f"answered {answer}, there {there}, gone {gone}"
            self.decide(way, login, a, "rename to " + b.path, "old.txt", wanted, found)

    def account(self, way, login, sample):
        client, refusal = enter(self.link, login, way)
        is_open = self.toml.is_open(login)
        self.counts["logins"] += 1
        if (client is not None) != is_open:
            self.decide(way, login, self.places[0], "login", "", "open" if is_open else "refused",
                        refusal or "let in")
        places = self.places
        if sample and way in SECONDARY:
            places = [p for p in places if self.rng.random() < 0.25]
        for place in places:
            self.folder(client, way, login, place)
        self.across(client, way, login, places)
        if client:
            client.close()

    def run(self, sample, logins):
        for place in self.places:
            place.note()
        for way in WAYS:
            for login in self.toml.logins(way[0]):
                if not logins or login in logins:
                    self.account(way, login, sample)

    def bound(self):
        """Of a file that came since the last apply nobody has more than is declared."""
        for place in self.places:
            place.note()
        for way in WAYS:
            if way in SECONDARY:
                continue
            for login in filter(self.toml.is_open, self.toml.logins(way[0])):
                client, _ = enter(self.link, login, way)
                for place in self.places:
                    for right in ("read", "overwrite"):
                        wanted = self.wanted(way, login, place, right)
                        found = self.attempt(client, login, place, right, "fresh.txt", wanted)
                        self.counts["less until the next apply"] += bool(
                            found and wanted == "allowed")
                        self.decide(way, login, place, right, "fresh.txt", wanted,
                                    found if wanted == "denied" else None)
                client.close()


def main():
    words = sys.argv[1:]
    what = words.pop(0)
    rng = random.Random(int(words.pop(0))) if what in ("all", "sample") else None
    with open(words.pop(0)) as source:
        comparison = Comparison(json.load(source), rng)
    if what in ("begin", "move"):
        getattr(comparison, what)()
        return
    if what == "fresh":
        comparison.fresh()
        comparison.bound()
    else:
        comparison.run(what == "sample", words)
    print(json.dumps({**comparison.counts, "differences": comparison.differences[:20],
                      "different": len(comparison.differences)}, indent=1))
    sys.exit(1 if comparison.differences else 0)


if __name__ == "__main__":
    main()
