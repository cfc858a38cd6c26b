"""Tries, as every account and by real clients, each of the nine rights in each folder.

All sessions run at once, each with entries of its own in the same folders. Reads one JSON object from standard input: {"ftp_port", "sftp_port", "key", "password", "folders",
"roots", "accounts", "ways", "addresses"}; of addresses (the clients' own; 127.0.0.1 if none) one suffices. Prints a line for each account, way and folder: ACCOUNT WAY FOLDER RIGHT,RIGHT
(`-` for none; tabs between), or ACCOUNT WAY - login when the login is refused.

A right is there when any command of that way in does it: what counts is what happened on the disk
or what came back, never a reply code alone. Everything is put back after each try.
"""
import concurrent.futures
import ftplib
import io
import json
import os
import sys

from sftp_packets import APPEND, CREATE, READ, TRUNCATE, WRITE, Refused, SftpPackets

OLD = b"old content\n"
NEW = b"new\n"


class Place:
    """What one session has in a folder: TAG.file and TAG.empty; what it makes is TAG.something."""

    def __init__(self, folder, tag, roots):
        self.folder, self.tag = folder, tag
        # How a client may have to spell it: as on the host, or below what it is confined to.
        self.views = [folder] + [folder[len(root):] or "/" for root in roots
                                 if (folder + "/").startswith(root + "/")]
        self.view = folder
        self.owner = os.stat(folder).st_uid, os.stat(folder).st_gid
        self.reset()

    def at(self, name):
        return os.path.join(self.folder, self.tag + "." + name)

    def seen(self, name):
        return os.path.join(self.view, self.tag + "." + name)

    def listed(self, text):
        """Whether a listing shows any entry; a rule may hide some by their names."""
        return any(f"{self.tag}.{name}" in text for name in ("file", "empty"))

    def there(self, name):
        return os.path.exists(self.at(name))

    def content(self):
        try:
            with open(self.at("file"), "rb") as source:
                return source.read()
        except FileNotFoundError:
            return None

    def mode(self):
        return os.stat(self.at("file")).st_mode & 0o777

    def reset(self):
        for name in ("new", "moved"):
            if self.there(name):
                os.unlink(self.at(name))
        if self.there("dir"):
            os.rmdir(self.at("dir"))
        if not self.there("empty"):
            self.own(self.at("empty"), os.mkdir, 0o777)
        if self.content() != OLD or self.mode() != 0o666:
            self.own(self.at("file"), self.write_old, 0o666)

    def own(self, path, make, mode):
        make(path)
        os.chown(path, *self.owner)
        os.chmod(path, mode)

    @staticmethod
    def write_old(path):
        with open(path, "wb") as out:
            out.write(OLD)


class Ftp:
    def __init__(self, link, login, address):
        self.ftp = ftplib.FTP(encoding="utf-8", timeout=30)
        self.ftp.connect("127.0.0.1", link["ftp_port"], source_address=(address, 0))
        self.ftp.login(login, link["password"])
        # A DenyAll on the folder where a session stands refuses PASV: a client goes elsewhere.
        views = [f[len(r):] for f in link["folders"] for r in link["roots"] if f.startswith(r + "/")]
        for folder in ["", "/", *link["folders"], *views]:
            if folder:
                self.send("CWD " + folder)
            if self.send("EPSV"):
                break

    def close(self):
        self.ftp.close()

    def quiet(self, act):
        try:
            return act()
        except ftplib.Error:
            return None

    def send(self, command):
        return self.quiet(lambda: self.ftp.sendcmd(command))

    def lists(self, place, command):
        lines = []
        self.quiet(lambda: self.ftp.retrlines(f"{command} {place.view}", lines.append))
        return place.listed("\n".join(lines))

    def ways(self, right, place):
        """Each way to use a right, and whether it was used."""
        file = place.seen("file")
        if right == "list":
            for command in ("LIST", "NLST", "MLSD"):
                yield self.lists(place, command)
            yield place.listed(self.send("STAT " + place.view) or "")
        elif right == "read":
            got = io.BytesIO()
            self.quiet(lambda: self.ftp.retrbinary("RETR " + file, got.write))
            yield got.getvalue() == OLD
        elif right in ("create", "overwrite"):
            target = place.seen("new") if right == "create" else file
            for command in ("STOR", "APPE"):
                self.quiet(lambda: self.ftp.storbinary(f"{command} {target}", io.BytesIO(NEW)))
                yield place.there("new") if right == "create" else place.content() != OLD
        elif right == "delete":
            self.send("DELE " + file)
            yield not place.there("file")
        elif right == "rename":
            if (self.send("RNFR " + file) or "5").startswith("3"):
                self.send("RNTO " + place.seen("moved"))
            yield place.there("moved")
        elif right == "mkdir":
            self.send("MKD " + place.seen("dir"))
            yield place.there("dir")
        elif right == "rmdir":
            self.send("RMD " + place.seen("empty"))
            yield not place.there("empty")
        elif right == "chmod":
            self.send("SITE CHMOD 600 " + file)
            yield place.mode() == 0o600
            self.send("MFF UNIX.mode=0600; " + file)
            yield place.mode() == 0o600


class Sftp:
    def __init__(self, link, login, address):
        self.sftp = SftpPackets(link, login, address)

    def close(self):
        self.sftp.close()

    def quiet(self, act):
        try:
            return act()
        except Refused:
            return None

    def ways(self, right, place):
        sftp, file = self.sftp, place.seen("file")
        if right == "list":
            yield place.listed("\n".join(self.quiet(lambda: sftp.names(place.view)) or []))
        elif right == "read":
            yield self.quiet(lambda: sftp.read(file)) == OLD
        elif right == "create":
            for flags in (WRITE | CREATE | TRUNCATE, WRITE | CREATE | APPEND):
                self.quiet(lambda: sftp.write(place.seen("new"), flags, NEW))
                yield place.there("new")
        elif right == "overwrite":
            for flags in (WRITE | TRUNCATE, WRITE, WRITE | APPEND):
                self.quiet(lambda: sftp.write(file, flags, NEW))
                yield place.content() != OLD
            self.quiet(lambda: sftp.set_size(file, 1))
            yield place.content() != OLD
        elif right == "delete":
            self.quiet(lambda: sftp.remove(file))
            yield not place.there("file")
        elif right == "rename":
            self.quiet(lambda: sftp.rename(file, place.seen("moved")))
            yield place.there("moved")
        elif right == "mkdir":
            self.quiet(lambda: sftp.make_folder(place.seen("dir")))
            yield place.there("dir")
        elif right == "rmdir":
            self.quiet(lambda: sftp.remove_folder(place.seen("empty")))
            yield not place.there("empty")
        elif right == "chmod":
            self.quiet(lambda: sftp.set_mode(file, 0o600))
            yield place.mode() == 0o600
            for flags in (READ, WRITE):
                self.quiet(lambda: sftp.set_mode_of_handle(file, flags, 0o600))
                yield place.mode() == 0o600


RIGHTS = ["list", "read", "create", "overwrite", "delete", "rename", "mkdir", "rmdir", "chmod"]


def may(client, right, place):
    for place.view in place.views:
        for used in client.ways(right, place):
            place.reset()
            if used:
                return True
    return False


def rights_in(client, place):
    return [right for right in RIGHTS if may(client, right, place)]


def session(link, account, way, address, tag):
    """All that one account may do over one way in from one address: rights by folder, or None."""
    # Names that are nowhere else: a path may lead to another folder than the one meant.
    places = [Place(folder, f"{tag}-{i}", link["roots"]) for i, folder in enumerate(link["folders"])]
    try:
        client = (Ftp if way == "ftp" else Sftp)(link, account, address)
    except (ftplib.Error, ConnectionError, EOFError):
        return None
    found = {place.folder: rights_in(client, place) for place in places}
    client.close()
    return found


def lines_of(link, account, way, sessions):
    """What the account may do from any of the addresses."""
    let_in = [found for found in sessions if found is not None]
    if not let_in:
        yield account, way, "-", "login"
        return
    for folder in link["folders"]:
        rights = [right for right in RIGHTS if any(right in found[folder] for found in let_in)]
        yield account, way, folder, ",".join(rights) or "-"


def main():
    link = json.load(sys.stdin)
    logins = [(account, way) for account in link["accounts"] for way in link["ways"]]
    addresses = link.get("addresses") or ["127.0.0.1"]
    with concurrent.futures.ThreadPoolExecutor(len(logins) * len(addresses)) as pool:
        running = [[pool.submit(session, link, account, way, address, f"p{i}-{j}")
                    for j, address in enumerate(addresses)]
                   for i, (account, way) in enumerate(logins)]
        for (account, way), ones in zip(logins, running):
            for line in lines_of(link, account, way, [one.result() for one in ones]):
                print(*line, sep="\t")


main()
