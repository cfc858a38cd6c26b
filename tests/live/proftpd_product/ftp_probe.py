"""Asks a real FTP server, as one account, what may be done at given folders.

Reads lines "FOLDER" from standard input; prints "FOLDER<TAB>right,right,...". Each right is decided
by what happened (bytes, names, files on disk), not by reply codes alone. The tree below the folder
is put back after every try, directly on the disk. argv: PORT USER PASSWORD.
"""
import ftplib
import io
import os
import shutil
import sys


def answer(ftp, command):
    try:
        return ftp.sendcmd(command)[0] == "2"
    except ftplib.Error:
        return False


def fixture(folder):
    """The file and the folder that every probed folder has."""
    for name in ("p.new", "p.moved", "p.dir"):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)
    with open(os.path.join(folder, "p.file"), "w") as out:
        out.write("old")
    os.makedirs(os.path.join(folder, "p.empty"), exist_ok=True)
    # Only the daemon's own rules may decide: its sessions own everything.
    owner = os.stat(folder)
    for name, mode in (("p.file", 0o666), ("p.empty", 0o777)):
        os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid)
        os.chmod(os.path.join(folder, name), mode)


def store(ftp, path, content):
    try:
        ftp.storbinary("STOR " + path, io.BytesIO(content))
    except ftplib.Error:
        pass


def listing(ftp, command, folder):
    lines = []
    try:
        ftp.retrlines(command + " " + folder, lines.append)
    except ftplib.all_errors:
        return False
    return any("p.file" in line for line in lines)


def rename(ftp, source, target):
    """After an accepted RNFR the server takes nothing but RNTO, so RNTO is always sent."""
    try:
        if ftp.sendcmd("RNFR " + source)[0] != "3":
            return
        ftp.sendcmd("RNTO " + target)
    except ftplib.Error:
        pass


def stat_lists(ftp, folder):
    try:
        return "p.file" in ftp.sendcmd("STAT " + folder)
    except ftplib.Error:
        return False


def rights_at(ftp, folder):
    have = set()
    inside = lambda name: os.path.join(folder, name)
    fixture(folder)
    lists = {"MLSD": listing(ftp, "MLSD", folder)}
    # LIST, NLST and STAT read their argument as a shell pattern, whatever is allowed.
    if not set("*?[") & set(folder):
        lists.update({c: listing(ftp, c, folder) for c in ("LIST", "NLST")})
        lists["STAT"] = stat_lists(ftp, folder)
    if any(lists.values()):
        have.add("list" if all(lists.values()) else "list-in-part")
    got = io.BytesIO()
    try:
        ftp.retrbinary("RETR " + inside("p.file"), got.write)
    except ftplib.Error:
        pass
    if got.getvalue() == b"old":
        have.add("read")
    store(ftp, inside("p.new"), b"new")
    if os.path.exists(inside("p.new")) and open(inside("p.new")).read() == "new":
        have.add("create")
    fixture(folder)
    store(ftp, inside("p.file"), b"NEW")
    if open(inside("p.file")).read() == "NEW":
        have.add("overwrite")
    fixture(folder)
    try:
        ftp.storbinary("APPE " + inside("p.file"), io.BytesIO(b"+"))
    except ftplib.Error:
        pass
    if open(inside("p.file")).read() != "old":
        have.add("append")
    fixture(folder)
    answer(ftp, "DELE " + inside("p.file"))
    if not os.path.exists(inside("p.file")):
        have.add("delete")
    fixture(folder)
    rename(ftp, inside("p.file"), inside("p.moved"))
    if os.path.exists(inside("p.moved")):
        have.add("rename")
    fixture(folder)
    answer(ftp, "MKD " + inside("p.dir"))
    if os.path.isdir(inside("p.dir")):
        have.add("mkdir")
    fixture(folder)
    answer(ftp, "RMD " + inside("p.empty"))
    if not os.path.exists(inside("p.empty")):
        have.add("rmdir")
    fixture(folder)
    answer(ftp, "SITE CHMOD 600 " + inside("p.file"))
    if os.stat(inside("p.file")).st_mode & 0o777 == 0o600:
        have.add("chmod")
    fixture(folder)
    if answer(ftp, "CWD " + folder):
        have.add("enter")
        ftp.cwd("/")
    return have


def main():
    port, user, password = sys.argv[1:4]
    ftp = ftplib.FTP(encoding="utf-8", timeout=20)
    ftp.connect("127.0.0.1", int(port))
    ftp.login(user, password)
    for line in sys.stdin:
        folder = line.rstrip("\n")
        print(folder + "\t" + ",".join(sorted(rights_at(ftp, folder))), flush=True)
    ftp.quit()


main()
