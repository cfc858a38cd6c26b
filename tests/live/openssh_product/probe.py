"""Tries every right in every folder as every account, one session of OpenSSH's sftp for each account.

Standard input: JSON with port, key, login -> [[folder on the host, folder as the client names it], ...].
Each folder holds p.file and p.dir; what a try did is read from the disk by root and put back: the same
inode, owner, mode and ACL. Prints "LOGIN<tab>FOLDER<tab>right,right" or "LOGIN<tab>closed<tab>WHY".
"""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "matrix"))
from sftp_session import SftpSession  # noqa: E402

ACLS = ("system.posix_acl_access", "system.posix_acl_default")
KEEP = "/srv/keep"
NEW = "/srv/clients/new"
GOT = "/srv/clients/got"


def acls_of(path):
    found = {}
    for name in ACLS:
        try:
            found[name] = os.getxattr(path, name)
        except OSError:
            pass
    return found


class Folder:
    def __init__(self, path):
        self.path = path
        self.file, self.sub = path + "/p.file", path + "/p.dir"
        self.made = [path + "/p.new", path + "/p.moved"]
        self.backup = os.path.join(KEEP, path.replace("/", "_"))
        with open(self.file, "w") as out:
            out.write("old " + path)
        os.link(self.file, self.backup)
        self.file_state = os.stat(self.file)
        self.sub_state, self.sub_acls = os.stat(self.sub), acls_of(self.sub)

    def content(self):
        with open(self.file) as text:
            return text.read()

    def put_back(self):
        for path in self.made:
            if os.path.isdir(path):
                os.rmdir(path)
            elif os.path.exists(path):
                os.unlink(path)
        if not os.path.exists(self.file):
            os.link(self.backup, self.file)
        if self.content() != "old " + self.path:
            with open(self.file, "w") as out:
                out.write("old " + self.path)
        if os.stat(self.file).st_mode != self.file_state.st_mode:
            os.chmod(self.file, self.file_state.st_mode & 0o7777)
        if not os.path.exists(self.sub):
            os.mkdir(self.sub)
            os.chown(self.sub, self.sub_state.st_uid, self.sub_state.st_gid)
            for name in ACLS:
                try:
                    os.removexattr(self.sub, name)
                except OSError:
                    pass
            os.chmod(self.sub, self.sub_state.st_mode & 0o7777)
            for name, value in self.sub_acls.items():
                os.setxattr(self.sub, name, value)


def quoted(path):
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tries(folder, client):
    """(right, command, whether it was done), to be asked in this order."""
    file, sub = quoted(client + "/p.file"), quoted(client + "/p.dir")
    new, moved = quoted(client + "/p.new"), quoted(client + "/p.moved")
    mode = 0o751 if folder.file_state.st_mode & 0o777 != 0o751 else 0o650

    def read():
        return os.path.exists(GOT) and open(GOT).read() == "old " + folder.path

    def changed():
        return os.stat(folder.file).st_mode & 0o777 == mode

    yield "list", f"ls -1 {quoted(client)}", None
    yield "read", f"get {file} {GOT}", read
    yield "create", f"put {NEW} {new}", lambda: os.path.exists(folder.made[0])
    yield "overwrite", f"put {NEW} {file}", lambda: not folder.content().startswith("old")
    yield "delete", f"rm {file}", lambda: not os.path.exists(folder.file)
    yield "rename", f"rename {file} {moved}", lambda: (os.path.exists(folder.made[1]) and
                                                       not os.path.exists(folder.file))
    yield "mkdir", f"mkdir {new}", lambda: os.path.isdir(folder.made[0])
    yield "rmdir", f"rmdir {sub}", lambda: not os.path.exists(folder.sub)
    yield "chmod", f"chmod {mode:o} {file}", changed


def probe(session, folder, client):
    found = []
    for right, command, done in tries(folder, client):
        if os.path.exists(GOT):
            os.unlink(GOT)
        lines, _ = session.run(command)
        if right == "rename" and not done():
            # A second name, then the first one away, is a rename as well.
            session.run(command.replace("rename", "ln", 1))
            session.run(f"rm {quoted(client + '/p.file')}")
        if done is None:
            yes = any(line.rstrip().endswith("p.file") for line in lines)
        else:
            yes = done()
        if yes:
            found.append(right)
        folder.put_back()
    return found


def main():
    world = json.load(sys.stdin)
    os.makedirs(KEEP, exist_ok=True)
    folders = {}
    for login, pairs in world["accounts"].items():
        try:
            session = SftpSession({"clients": "/srv/clients", "known_hosts": "/srv/clients/known_hosts",
                                   "sftp_port": world["port"]}, login)
        except ConnectionError as why:
            print(f"{login}\tclosed\t{' '.join(str(why).split())}")
            continue
        for host, client in pairs:
            if host not in folders:
                folders[host] = Folder(host)
            found = probe(session, folders[host], client)
            print(f"{login}\t{host}\t{','.join(found)}")
        session.close()


main()
