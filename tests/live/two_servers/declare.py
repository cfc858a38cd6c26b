"""Writes the declarations of the matrix over two servers, before and after a change.

    declare.py SEED before|after short|long LINK.json

Writes /srv/postern/operator/postern.toml and /srv/postern/access/*.toml and, the first time, in
/srv/clients a password, a key and a certificate for each account. The grants are drawn from SEED,
but every right is there at each server. `after` is the same draw with grants moved and gone, one
member out of a group, one account disabled and one partner's contract over: DORA and ACME.
"""
import json
import os
import random
import secrets
import subprocess
import sys

RIGHTS = ["list", "read", "create", "overwrite", "delete", "rename", "mkdir", "rmdir", "chmod"]
CHANGES_FOLDER = {"create", "delete", "rename", "mkdir", "rmdir"}
CLIENTS = "/srv/clients"
FOLDERS = {
    "exchange": "",
    "north": "north",
    "north-in": "north/in",
    "south-blank": "south/with blank",
}
MORE_FOLDERS = {"north-in-deep": "north/in/deep", "south": "south", "east": "east"}
# Identity -> the servers that it has an account at. Nobody changes anything of li's.
AT = {
    "person:li": ["ftp", "sftp"],
    "person:ada": ["ftp", "sftp"],
    "person:bea": ["ftp", "sftp"],
    "person:cyril": ["sftp"],
    "person:dora": ["ftp"],
    "partner:acme": ["ftp", "sftp"],
}
MORE_AT = {"partner:bolt": ["sftp"], "person:emil": ["ftp", "sftp"]}
GROUPS = {
    "ops": ["person:ada", "person:bea"],
    "reviewers": ["person:bea", "person:cyril", "person:dora"],
    "everyone": ["group:ops", "person:dora", "partner:acme"],
}


def name_of(identity):
    return identity.split(":")[1]


def login_of(identity, server):
    return f"{name_of(identity)}-{server}"


class Draw:
    """Grants that each product can say, if need be together with more: `accept_wider` takes that."""

    def __init__(self, seed, link, long):
        self.rng = random.Random(seed)
        self.link = link
        self.folders = dict(FOLDERS, **(MORE_FOLDERS if long else {}))
        self.at = dict(AT, **(MORE_AT if long else {}))
        subjects = [s for s in self.at if s != "person:li"] + ["group:" + g for g in GROUPS]
        self.subjects = subjects + ["account:" + login_of(i, s)
                                    for i in self.at for s in self.at[i] if i != "person:li"]

    def servers_of(self, who):
        kind, name = who.split(":")
        if kind == "account":
            return {name.rsplit("-", 1)[1]}
        return {"ftp", "sftp"} if kind == "group" else set(self.at[who])

    def fit(self, folder, rights, servers):
        rights = set(rights)
        if "sftp" in servers:
            rights.discard("chmod")
        # A folder that is somebody's chroot may be changed by nobody.
        if folder == "exchange" and self.link["chroot"]:
            rights -= CHANGES_FOLDER
        if "ftp" in servers and "create" not in rights:
            rights.discard("overwrite")
        return [r for r in RIGHTS if r in rights]

    def grant(self, who, folder, rights=None, depth=None):
        servers = self.servers_of(who)
        grant = {"who": [who], "folder": folder}
        if len(servers) > 1 and self.rng.random() < 0.5:
            servers = {self.rng.choice(["ftp", "sftp"])}
            grant["via"] = ["server:" + next(iter(servers))]
        fitting = []
        while not fitting:
            wish = rights or self.rng.sample(RIGHTS, self.rng.randint(1, 6))
            fitting = self.fit(folder, wish, servers) or (["list"] if rights else [])
        grant["rights"] = fitting
        grant["depth"] = depth or self.rng.choice(["this", "subtree"])
        return grant

    def before(self):
        grants = [
            {"who": ["person:li"], "folder": "exchange", "rights": ["list", "read"],
             "depth": "this"},
            {"who": ["account:ada-ftp"], "folder": "north-in", "rights": RIGHTS, "depth": "this"},
            {"who": ["account:bea-sftp"], "folder": "north-in", "rights": RIGHTS[:-1],
             "depth": "this"},
            {"who": ["person:dora"], "folder": "south-blank", "rights": RIGHTS, "depth": "subtree"},
            {"who": ["partner:acme"], "folder": "north",
             "rights": ["list", "read", "mkdir", "rename"], "depth": "subtree"},
        ]
        for folder in self.folders:
            for depth in ("this", "subtree"):
                grants.append(self.grant(self.rng.choice(self.subjects), folder, depth=depth))
        for subject in self.subjects:
            grants.append(self.grant(subject, self.rng.choice(list(self.folders))))
        scheduled = self.grant("person:bea", "north", rights=RIGHTS)
        scheduled["starts"] = "2097-01-01T00:00:00Z"
        expired = self.grant("person:cyril", "south-blank", rights=RIGHTS)
        expired["expires"] = "2020-01-01T00:00:00Z"
        return grants + [scheduled, expired]

    def after(self, grants):
        kept = [g for i, g in enumerate(grants) if i == 0 or i % 4 != 0]
        for i, grant in enumerate(kept[1::5]):
            others = [f for f in self.folders if f != grant["folder"]]
            new = self.grant(grant["who"][0], self.rng.choice(others), rights=grant["rights"])
            kept[1 + 5 * i] = dict(new, **{k: grant[k] for k in ("starts", "expires") if k in grant})
        return kept + [self.grant("person:cyril", "north-in"),
                       self.grant("group:ops", "south-blank")]


def text_of(value):
    return json.dumps(value)  # strings and lists of strings are the same in TOML


def table(head, fields):
    return head + "\n" + "".join(f"{k} = {v}\n" for k, v in fields.items()) + "\n"


def operator(link):
    high = ("{ lose_people = 100, lose_percent = 100, remove_objects = 1000, "
            "remove_percent = 100, change_percent = 100 }")
    sftp = {"host": '"edge"', "product": '"openssh"', "config": text_of(link["sshd_config"]),
            "uids": "{ from = 30000, to = 39999, gid = 30000 }",
            "chroot": text_of("home" if link["chroot"] else "none"),
            "control": f'{{ pidfile = {text_of(link["sshd_pidfile"])} }}', "limits": high,
            "certificates": f'{{ authorities = [{text_of(authority())}] }}'}
    ftp = {"host": '"edge"', "product": '"proftpd"', "config": text_of(link["config"]),
           "include": text_of(link["include"]),
           "uids": "{ from = 40000, to = 49999, gid = 40000 }",
           "control": f'{{ pidfile = {text_of(link["pidfile"])}, start = {text_of(link["start"])} }}',
           "limits": high}
    return ('administrators = ["person:li"]\n\n'
            + table("[host.edge]", {
                "address": '"local:"',
                "manage": f'{{ roots = [{text_of(link["root"])}], accounts = "group:ftpusers" }}',
                "limits": high})
            + table("[server.sftp]", sftp) + table("[server.ftp]", ftp)
            + table('[secret."login-*"]', {"from": text_of(f"file:{CLIENTS}/login-*"),
                                           "targets": '["host:edge"]'}))


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q"] + list(words), check=True)


def authority():
    """Whose signatures count at sshd: type and blob, without comment."""
    with open(f"{CLIENTS}/ca.pub") as public:
        return " ".join(public.read().split()[:2])


def name_in_certificate(login):
    """Not the login: only what is declared lets it in."""
    return "holder-of-" + login


def client_of(login):
    """The account's password, key pair and certificate, made once; its public key."""
    key, cert = f"{CLIENTS}/key-{login}", f"{CLIENTS}/cert-{login}"
    if not os.path.exists(key):
        secret = os.open(f"{CLIENTS}/login-{login}", os.O_CREAT | os.O_WRONLY, 0o600)
        with open(secret, "w") as out:
            out.write(secrets.token_hex(12))
        for name in (key, cert):
            keygen("-t", "ed25519", "-N", "", "-C", login, "-f", name)
        keygen("-s", f"{CLIENTS}/ca", "-I", login, "-n", name_in_certificate(login),
               "-V", "-1h:+1d", cert + ".pub")
    with open(key + ".pub") as public:
        return public.read().strip()


def people(draw, link, after):
    out = ""
    for identity in draw.at:
        kind, name = identity.split(":")
        if kind == "person":
            out += table(f"[person.{name}]", {"title": text_of(name)})
            continue
        ends = "2026-01-31" if after and name == "acme" else "2096-12-31"
        out += table(f"[partner.{name}]", {
            "sponsor": '"person:ada"', "contract": f"{{ starts = 2025-01-01, ends = {ends} }}"})
    for identity in draw.at:
        for server in draw.at[identity]:
            login = login_of(identity, server)
            fields = {"for": text_of(identity), "server": text_of(server),
                      "home": text_of(link["root"]), "password": text_of("secret:login-" + login),
                      "keys": text_of([client_of(login)])}
            if server == "sftp":
                fields["principals"] = text_of([name_in_certificate(login)])
            if after and identity == "person:dora":
                fields["enabled"] = "false"
            out += table(f"[account.{login}]", fields)
    for group, members in GROUPS.items():
        if after and group == "ops":
            members = [m for m in members if m != "person:bea"]
        out += table(f"[group.{group}]", {"members": text_of(members)})
    return out


def folders(draw, link):
    return "".join(table(f"[folder.{name}]", {
        "host": '"edge"', "path": text_of(os.path.join(link["root"], path).rstrip("/"))})
        for name, path in draw.folders.items())


def grant_table(grant):
    fields = {k: text_of(grant[k]) for k in ("who", "folder", "rights", "depth", "via")
              if k in grant}
    fields["accept_wider"] = text_of(["create", "overwrite", "delete", "rename", "mkdir", "rmdir"])
    fields.update({k: grant[k] for k in ("starts", "expires") if k in grant})
    return table("[[grant]]", fields)


def main():
    seed, phase, form, connection = sys.argv[1:5]
    with open(connection) as source:
        link = json.load(source)
    draw = Draw(int(seed), link, form == "long")
    grants = draw.before()
    if phase == "after":
        grants = draw.after(grants)
    files = {"operator/postern.toml": operator(link),
             "access/people.toml": people(draw, link, phase == "after"),
             "access/folders.toml": folders(draw, link),
             "access/grants.toml": "".join(grant_table(g) for g in grants)}
    for name, text in files.items():
        path = os.path.join("/srv/postern", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)


main()
