"""Writes the declarations of the matrix: what people would write, before and after a change.

    world.py SEED before|after SCRATCH CONNECTION.json

Writes SCRATCH/world/operator/postern.toml and SCRATCH/world/access/*.toml and, the first time,
passwords and client keys in SCRATCH/clients. The grants are drawn from SEED, but every one of the
nine rights, both depths, every folder, every kind of subject, a scheduled and an expired grant are
always there. `after` is the same draw with grants moved, one member out of a group, one account
disabled and one partner's contract over.
"""
import json
import os
import random
import secrets
import subprocess
import sys

RIGHTS = ["list", "read", "create", "overwrite", "delete", "rename", "mkdir", "rmdir", "chmod"]
# Overwriting is a switch of a folder in ProFTPD: below these, who may create may overwrite.
OVERWRITE = ("north", "east")
FOLDERS = {
    "exchange": "",
    "north": "north",
    "north-in": "north/in",
    "north-in-deep": "north/in/deep",
    "north-out": "north/out",
    "south": "south",
    "south-blank": "south/with blank",
    "east": "east",
}
PERSONS = ["ada", "bea", "cyril", "dora"]
PARTNERS = ["acme", "bolt"]
ACCOUNTS = {name: "person:" + name for name in PERSONS}
ACCOUNTS.update({name + "-in": "partner:" + name for name in PARTNERS})
GROUPS = {
    "ops": ["person:ada", "person:bea"],
    "reviewers": ["person:bea", "person:cyril", "partner:bolt"],
    "everyone": ["group:ops", "person:dora", "partner:acme"],
}


def fit(folder, rights, depth):
    """What ProFTPD can say exactly; its limits have tests of their own."""
    rights = set(rights)
    rights.discard("overwrite")
    if folder.split("-")[0] in OVERWRITE:
        if "create" in rights:
            rights.add("overwrite")
    elif folder == "exchange" and depth == "subtree":
        rights.discard("create")
    return [r for r in RIGHTS if r in rights]


def draw(rng, who, folder, size=None, depth=None):
    depth = depth or rng.choice(["this", "subtree"])
    while True:
        rights = fit(folder, rng.sample(RIGHTS, size or rng.randint(1, 6)), depth)
        if rights:
            return {"who": who, "folder": folder, "rights": rights, "depth": depth}


def grants_of(rng):
    grants = [
        {"who": ["person:ada"], "folder": "exchange", "rights": ["list"], "depth": "this"},
        {"who": ["group:everyone"], "folder": "east", "rights": RIGHTS, "depth": "this"},
        {"who": ["partner:bolt"], "folder": "south", "rights": fit("south", RIGHTS, "subtree"),
         "depth": "subtree"},
    ]
    subjects = ["person:" + p for p in PERSONS] + ["partner:" + p for p in PARTNERS]
    subjects += ["group:" + g for g in GROUPS] + ["account:" + a for a in ACCOUNTS]
    for folder in FOLDERS:
        for depth in ("this", "subtree"):
            grants.append(draw(rng, [rng.choice(subjects)], folder, depth=depth))
    for subject in subjects:
        grants.append(draw(rng, [subject], rng.choice(list(FOLDERS))))
    scheduled = draw(rng, ["person:dora"], "north", size=9, depth="subtree")
    scheduled["starts"] = "2097-01-01T00:00:00Z"
    expired = draw(rng, ["person:cyril"], "south", size=9, depth="subtree")
    expired["expires"] = "2020-01-01T00:00:00Z"
    return grants + [scheduled, expired]


def change(rng, grants):
    kept = [g for i, g in enumerate(grants) if i < 3 or i % 4 != 0]
    for grant in kept[3::5]:
        others = [f for f in FOLDERS if f != grant["folder"]]
        grant["folder"] = rng.choice(others)
        grant["rights"] = fit(grant["folder"], grant["rights"], grant["depth"]) or ["list"]
    kept += [draw(rng, ["person:cyril"], "north-in"), draw(rng, ["group:ops"], "south-blank")]
    return kept


def text_of(value):
    return json.dumps(value)  # strings and lists of strings are the same in TOML


def table(head, fields):
    return head + "\n" + "".join(f"{k} = {v}\n" for k, v in fields.items()) + "\n"


def operator(scratch, link):
    high = ("{ lose_people = 100, lose_percent = 100, remove_objects = 1000, "
            "remove_percent = 100, change_percent = 100 }")
    start = text_of(link["start"])
    return (
        'administrators = ["person:ada"]\n\n'
        + table("[host.edge]", {
            "address": text_of("local:"),
            "manage": f'{{ roots = [{text_of(link["root"])}], accounts = "all" }}',
            "limits": high})
        + table("[server.files]", {
            "host": '"edge"', "product": '"proftpd"', "config": text_of(link["config"]),
            "include": text_of(link["include"]),
            "uids": f'{{ from = 30000, to = 39999, gid = {link["gid"]} }}',
            "control": f'{{ pidfile = {text_of(link["pidfile"])}, start = {start} }}',
            "limits": high})
        + table('[secret."login-*"]', {
            "from": text_of(f"file:{scratch}/clients/login-*"), "targets": '["host:edge"]'}))


def client_of(scratch, account):
    """The account's password and key pair, made once."""
    folder = os.path.join(scratch, "clients")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    key = os.path.join(folder, "key-" + account)
    if not os.path.exists(key):
        with open(os.open(os.path.join(folder, "login-" + account), os.O_CREAT | os.O_WRONLY,
                          0o600), "w") as out:
            out.write(secrets.token_hex(12))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", account, "-f", key],
                       check=True)
    with open(key + ".pub") as public:
        return public.read().strip()


def people(scratch, link, after):
    out = "".join(table(f"[person.{p}]", {"title": text_of(p)}) for p in PERSONS)
    for partner in PARTNERS:
        ends = "2026-01-31" if after and partner == "acme" else "2096-12-31"
        out += table(f"[partner.{partner}]", {
            "sponsor": '"person:ada"', "contract": f"{{ starts = 2025-01-01, ends = {ends} }}"})
    for account, identity in ACCOUNTS.items():
        fields = {"for": text_of(identity), "server": '"files"', "home": text_of(link["root"]),
                  "password": text_of("secret:login-" + account),
                  "keys": text_of([client_of(scratch, account)])}
        if after and account == "dora":
            fields["enabled"] = "false"
        out += table(f"[account.{account}]", fields)
    for group, members in GROUPS.items():
        if after and group == "ops":
            members = [m for m in members if m != "person:bea"]
        out += table(f"[group.{group}]", {"members": text_of(members)})
    return out


def folders(link):
    out = ""
    for name, path in FOLDERS.items():
        fields = {"host": '"edge"', "path": text_of(os.path.join(link["root"], path).rstrip("/")),
                  "group": text_of(str(link["gid"])), "mode": '"2770"'}
        out += table(f"[folder.{name}]", fields)
    return out


def grant_table(grant):
    fields = {k: text_of(grant[k]) for k in ("who", "folder", "rights", "depth")}
    fields.update({k: grant[k] for k in ("starts", "expires") if k in grant})
    return table("[[grant]]", fields)


def main():
    seed, phase, scratch, connection = sys.argv[1:5]
    with open(connection) as source:
        link = json.load(source)
    rng = random.Random(int(seed))
    grants = grants_of(rng)
    after = phase == "after"
    if after:
        grants = change(rng, grants)
    files = {"operator/postern.toml": operator(scratch, link),
             "access/people.toml": people(scratch, link, after),
             "access/folders.toml": folders(link),
             "access/grants.toml": "".join(grant_table(g) for g in grants)}
    for name, text in files.items():
        path = os.path.join(scratch, "world", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)


main()
