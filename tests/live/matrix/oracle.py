"""The matrix's oracle: does the server do what the TOML says? Knows the TOML and nothing of Postern.

    oracle.py TREE CONNECTION.json [LOGIN...]

Reads TREE/*.toml, works out who may do what, then tries each of the nine rights at each declared
folder and at a folder inside it that nobody declared, as every account, over FTP and over SFTP, in
one session per account and protocol. Three witnesses must agree in each try: the server's answer,
the bytes on the disk (all of the folder, not just the file tried) and the names listed. Prints one
JSON object; exits 1 when anything differs.

`unsupported` is what the oracle expects for a granted chmod over mod_sftp, which can't tell it from
truncating a file: the server must refuse it. Nothing else may be unsupported.
"""
import collections
import datetime
import ftplib
import io
import json
import os
import pathlib
import shutil
import sys
import tomllib

from sftp_session import SftpSession

RIGHTS = ["list", "read", "create", "overwrite", "delete", "rename", "mkdir", "rmdir", "chmod"]
INSIDE = "inside"  # the undeclared folder in every declared one
OLD, NEW = b"old content\n", b"new\n"


# ---- what the TOML says -----------------------------------------------------------------------------

class Tree:
    def __init__(self, folder):
        self.tables = collections.defaultdict(dict)
        self.grants = []
        for path in sorted(pathlib.Path(folder).rglob("*.toml")):
            with open(path, "rb") as source:
                for name, value in tomllib.load(source).items():
                    if name == "grant":
                        self.grants += value
                    else:
                        self.tables[name].update(value)
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.folders = {n: f["path"] for n, f in self.tables["folder"].items()}
        self.accounts = {a.get("login", n): a for n, a in self.tables["account"].items()}

    def moment(self, value, end):
        """A date is its first second as a start and its last as an end, UTC."""
        if isinstance(value, datetime.datetime):
            return value
        edge = datetime.time(23, 59, 59) if end else datetime.time()
        return datetime.datetime.combine(value, edge, datetime.timezone.utc)

    def in_time(self, table, end="expires"):
        if "starts" in table and self.now < self.moment(table["starts"], False):
            return False
        return end not in table or self.now <= self.moment(table[end], True)

    def is_open(self, login):
        account = self.accounts[login]
        kind, name = account["for"].split(":")
        contract = self.tables[kind].get(name, {}).get("contract", {})
        return account.get("enabled", True) and self.in_time(account) and self.in_time(
            contract, "ends")

    def means(self, who, login):
        kind, name = who.split(":")
        if kind == "group":
            return any(self.means(m, login) for m in self.tables["group"][name]["members"])
        if kind == "account":
            return self.tables["account"][name].get("login", name) == login
        return self.accounts[login]["for"] == who

    def rights(self, login, path):
        """The rights of an account on one object."""
        have = set()
        if not self.is_open(login):
            return have
        for grant in self.grants:
            folder = self.folders[grant["folder"]]
            below = path == folder or os.path.dirname(path) == folder
            if grant.get("depth", "subtree") == "subtree":
                below = below or path.startswith(folder + "/")
            if below and self.in_time(grant) and any(self.means(w, login) for w in grant["who"]):
                have |= set(grant["rights"])
        return have


# ---- the disk ---------------------------------------------------------------------------------------

class Place:
    """One folder to try in. Its content before a try is always: old.txt, empty/ and what is there."""

    def __init__(self, path, owner):
        self.path, self.owner = path, owner
        self.fixed = {}
        self.reset()
        self.fixed = self.snapshot()

    def at(self, name):
        return os.path.join(self.path, name)

    def snapshot(self):
        found = {}
        for entry in os.scandir(self.path):
            mode = entry.stat(follow_symlinks=False).st_mode & 0o777
            if entry.is_dir(follow_symlinks=False):
                found[entry.name] = "folder"
            else:
                with open(entry.path, "rb") as source:
                    found[entry.name] = (source.read(), mode)
        return found

    def reset(self):
        for name in os.listdir(self.path) if self.fixed else []:
            if name not in self.fixed:
                path = self.at(name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        os.makedirs(self.at("empty"), exist_ok=True)
        with open(self.at("old.txt"), "wb") as out:
            out.write(OLD)
        for name, mode in (("empty", 0o2770), ("old.txt", 0o660)):
            os.chown(self.at(name), *self.owner)
            os.chmod(self.at(name), mode)

    def own(self, owner):
        """Only its owner may change a file's mode: the host's rule, not the server's."""
        self.owner = owner
        for name in ("empty", "old.txt"):
            os.chown(self.at(name), *owner)

    def done(self, right):
        """What the folder holds after the right was used."""
        after = dict(self.fixed)
        old = after["old.txt"]
        if right == "create":
            after["new.txt"] = NEW
        elif right == "overwrite":
            after["old.txt"] = (NEW, old[1])
        elif right == "delete":
            del after["old.txt"]
        elif right == "rename":
            after["moved.txt"] = after.pop("old.txt")
        elif right == "mkdir":
            after["made"] = "folder"
        elif right == "rmdir":
            del after["empty"]
        elif right == "chmod":
            after["old.txt"] = (old[0], 0o640)
        return after


def same(found, wanted):
    """A new file's mode is the server's business; its bytes aren't."""
    if "new.txt" in wanted and "new.txt" in found and isinstance(found["new.txt"], tuple):
        found = dict(found, **{"new.txt": found["new.txt"][0]})
    return found == wanted


# ---- the clients ------------------------------------------------------------------------------------

class Ftp:
    name = "ftp"

    def __init__(self, link, login):
        self.ftp = ftplib.FTP(encoding="utf-8", timeout=30)
        self.ftp.connect("127.0.0.1", link["ftp_port"])
        with open(os.path.join(link["clients"], "login-" + login)) as source:
            self.ftp.login(login, source.read())

    def close(self):
        self.ftp.close()

    def answered(self, *commands):
        ok = True
        for command in commands:
            try:
                ok = self.ftp.sendcmd(command)[0] in "23" and ok
            except ftplib.Error:
                return False
        return ok

    def listings(self, folder):
        """Each way to list: the names."""
        found = {}
        for command in ("LIST", "NLST", "MLSD"):
            lines = []
            try:
                self.ftp.retrlines(f"{command} {folder}", lines.append)
            except ftplib.Error:
                pass
            if command == "LIST":
                names = [line.split(None, 8)[8] for line in lines]
            elif command == "NLST":
                names = [os.path.basename(line) for line in lines]
            else:
                facts = [line.split(" ", 1) for line in lines]
                names = [n for f, n in facts if not f.lower().split("type=")[1].startswith(
                    ("cdir", "pdir"))]
            found[command] = sorted(names)
        return found

    def read(self, path):
        got = io.BytesIO()
        try:
            self.ftp.retrbinary("RETR " + path, got.write)
        except ftplib.Error:
            return False, got.getvalue()
        return True, got.getvalue()

    def store(self, path):
        try:
            self.ftp.storbinary("STOR " + path, io.BytesIO(NEW))
        except ftplib.Error:
            return False
        return True

    def attempt(self, right, place):
        old = place.at("old.txt")
        if right in ("create", "overwrite"):
            return self.store(place.at("new.txt") if right == "create" else old)
        if right == "rename":
            return self.answered("RNFR " + old, "RNTO " + place.at("moved.txt"))
        return self.answered({"delete": "DELE " + old, "mkdir": "MKD " + place.at("made"),
                              "rmdir": "RMD " + place.at("empty"),
                              "chmod": "SITE CHMOD 640 " + old}[right])


class Sftp:
    name = "sftp"

    def __init__(self, link, login, way="key"):
        self.session = SftpSession(link, login, way)
        self.local = os.path.join(link["clients"], "fetched")
        self.fresh = os.path.join(link["clients"], "fresh")
        with open(self.fresh, "wb") as out:
            out.write(NEW)

    def close(self):
        self.session.close()

    def listings(self, folder):
        lines, _ = self.session.run(f'ls -1 "{folder}"')
        return {"ls": sorted(os.path.basename(line) for line in lines)}

    def read(self, path):
        if os.path.exists(self.local):
            os.unlink(self.local)
        _, ok = self.session.run(f'get "{path}" "{self.local}"')
        if not os.path.exists(self.local):
            return ok, b""
        with open(self.local, "rb") as source:
            return ok, source.read()

    def attempt(self, right, place):
        old = place.at("old.txt")
        command = {"create": f'put "{self.fresh}" "{place.at("new.txt")}"',
                   "overwrite": f'put "{self.fresh}" "{old}"', "delete": f'rm "{old}"',
                   "rename": f'rename "{old}" "{place.at("moved.txt")}"',
                   "mkdir": f'mkdir "{place.at("made")}"', "rmdir": f'rmdir "{place.at("empty")}"',
                   "chmod": f'chmod 640 "{old}"'}[right]
        return self.session.run(command)[1]


# ---- comparing --------------------------------------------------------------------------------------

class Matrix:
    def __init__(self, tree, link):
        self.tree, self.link = tree, link
        self.counts = collections.Counter()
        self.differences = []
        owner = (link["uid"], link["gid"])
        self.places = []
        declared = sorted(tree.folders.values())
        for path in declared:
            inside = os.path.join(path, INSIDE)
            os.makedirs(inside, exist_ok=True)
            os.chown(inside, *owner)
            os.chmod(inside, 0o2770)
        for path in declared:
            self.places += [Place(path, owner), Place(os.path.join(path, INSIDE), owner)]

    def expected(self, protocol, login, place, right):
        if right not in self.tree.rights(login, place.at("old.txt")):
            return "denied"
        if right == "list" and "list" not in self.tree.rights(login, place.path):
            return "denied"
        return "unsupported" if (right, protocol) == ("chmod", "sftp") else "allowed"

    def differ(self, protocol, login, place, right, wanted, found):
        self.counts["different over " + protocol] += 1
        self.differences.append({"protocol": protocol, "login": login, "folder": place.path,
                                 "right": right, "toml": wanted, "server": found})

    def listed(self, client, login, place):
        names = []
        if "list" in self.tree.rights(login, place.path):
            names = sorted(n for n in place.fixed
                           if "list" in self.tree.rights(login, place.at(n)))
        found = client.listings(place.path)
        wrong = {way: got for way, got in found.items() if got != names}
        return f"names {wrong}, the TOML says {names}" if wrong else None

    def tried(self, client, login, place, right, wanted):
        """None, or what is different."""
        if right == "list":
            return self.listed(client, login, place)
        allowed = wanted == "allowed"
        if right == "read":
            answer, got = client.read(place.at("old.txt"))
            same_bytes = got == (OLD if allowed else b"")
        else:
            answer = client.attempt(right, place)
            got = place.snapshot()
            same_bytes = same(got, place.done(right) if allowed else place.fixed)
            if got != place.fixed:
                place.reset()
        if answer == allowed and same_bytes:
            return None
        return f"answered {'yes' if answer else 'no'}, on disk or received: {got!r}"

    def account(self, client_class, login):
        protocol = client_class.name
        passwd = {l.split(":")[0]: l.split(":") for l in open(self.link["passwd"])}
        if os.geteuid() == 0 and login in passwd:
            for place in self.places:
                place.own((int(passwd[login][2]), self.link["gid"]))
        try:
            client = client_class(self.link, login)
        except (ftplib.Error, ConnectionError) as error:
            client, refusal = None, str(error)
        if (client is not None) != self.tree.is_open(login):
            self.differ(protocol, login, self.places[0], "login",
                        "open" if self.tree.is_open(login) else "refused",
                        "let in" if client else refusal)
        self.counts["logins"] += 1
        for place in self.places:
            for right in RIGHTS:
                wanted = self.expected(protocol, login, place, right)
                self.counts["decisions"] += 1
                self.counts[wanted] += 1
                if client is None:
                    continue  # compared as the refused login
                found = self.tried(client, login, place, right, wanted)
                if found:
                    self.differ(protocol, login, place, right, wanted, found)
        if client:
            client.close()

    def run(self, logins):
        for login in logins or sorted(self.tree.accounts):
            for client_class in (Ftp, Sftp):
                self.account(client_class, login)


def main():
    tree = Tree(sys.argv[1])
    with open(sys.argv[2]) as source:
        matrix = Matrix(tree, json.load(source))
    matrix.run(sys.argv[3:])
    print(json.dumps({**matrix.counts, "differences": matrix.differences[:20],
                      "different": len(matrix.differences)}, indent=1))
    sys.exit(1 if matrix.differences else 0)


if __name__ == "__main__":
    main()
