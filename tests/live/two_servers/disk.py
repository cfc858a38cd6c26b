"""The folders that are tried, as root sees them: what is in them, and back as it was.

Postern's ACLs are what is tried, so what a try took away comes back with owner, mode and ACLs.
"""
import os
import shutil

OLD, NEW = b"old content\n", b"new\n"
ACLS = ("system.posix_acl_access", "system.posix_acl_default")
CHILDREN = ["old.txt", "fresh.txt", "moved.txt"]
MINE = "mine.txt"  # owned by the account that tries: only an owner may change a mode
ACROSS = "across.txt"


def acls_of(path):
    return {name: os.getxattr(path, name) for name in ACLS if name in os.listxattr(path)}


class Place:
    """One folder to try in."""

    def __init__(self, path):
        self.path = path
        self.fixed, self.states = {}, {}

    def at(self, name):
        return os.path.join(self.path, name)

    def begin(self):
        """What was there before anything was declared."""
        os.makedirs(self.at("empty"), exist_ok=True)
        self.write("old.txt")

    def write(self, name, content=OLD):
        with open(self.at(name), "wb") as out:
            out.write(content)

    def move_in(self, loose):
        """A file from outside, open to all there: mv keeps what it may."""
        with open(loose, "wb") as out:
            out.write(OLD)
        os.chmod(loose, 0o666)
        os.rename(loose, self.at("moved.txt"))

    def note(self):
        """What is here now is what comes back after each try."""
        self.fixed = self.snapshot()
        self.states = {name: (os.stat(self.at(name)), acls_of(self.at(name)))
                       for name in self.fixed}

    def snapshot(self):
        found = {}
        for entry in os.scandir(self.path):
            if entry.is_dir(follow_symlinks=False):
                found[entry.name] = "folder"
            else:
                with open(entry.path, "rb") as source:
                    found[entry.name] = (source.read(),
                                         entry.stat(follow_symlinks=False).st_mode & 0o777)
        return found

    def reset(self, found):
        for name in found:
            if name not in self.fixed:
                path = self.at(name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for name, was in self.fixed.items():
            if found.get(name) != was:
                self.put_back(name, was)

    def put_back(self, name, was):
        path = self.at(name)
        if was == "folder":
            os.makedirs(path, exist_ok=True)
        else:
            self.write(name, was[0])
        state, acls = self.states[name]
        os.chown(path, state.st_uid, state.st_gid)
        for acl in acls_of(path):
            if acl not in acls:
                os.removexattr(path, acl)
        os.chmod(path, state.st_mode & 0o7777)
        for acl, value in acls.items():
            os.setxattr(path, acl, value)

    def own(self, uid):
        """Puts a file here that this account owns, for one try."""
        self.write(MINE)
        for acl in acls_of(self.at(MINE)):
            os.removexattr(self.at(MINE), acl)
        os.chown(self.at(MINE), uid, -1)
        os.chmod(self.at(MINE), 0o660)
        return dict(self.fixed, **{MINE: (OLD, 0o660)})

    def done(self, right, child):
        """What the folder holds after the right was used on the child."""
        after = dict(self.fixed)
        if right == "create":
            after["new.txt"] = NEW
        elif right == "overwrite":
            after[child] = (NEW, after[child][1])
        elif right == "delete":
            del after[child]
        elif right == "rename":
            after["renamed.txt"] = after.pop(child)
        elif right == "mkdir":
            after["made"] = "folder"
        elif right == "rmdir":
            del after["empty"]
        elif right == "chmod":
            after[MINE] = (OLD, 0o640)
        return after


def same(found, wanted):
    """A new file's mode is the server's business; its bytes aren't."""
    if "new.txt" in wanted and isinstance(found.get("new.txt"), tuple):
        found = dict(found, **{"new.txt": found["new.txt"][0]})
    return found == wanted
