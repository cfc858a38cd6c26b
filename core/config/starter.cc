#include "core/config/starter.h"

namespace postern::config {
namespace {

constexpr char kOperator[] =
    R"(# operator/postern.toml: the operator's file. It says where Postern connects, which secrets it sends,
# what it manages and how much it may take away. Keep it out of reach of those who change access/.

# People who keep access whatever a plan says: at least one of them.
administrators = ["person:jo.hart"]

# Accounts that no plan touches ("account:SERVER/LOGIN").
# break_glass = ["account:files/rescue"]

# The machine. "local:" is this one; another is "ssh://postern@files.example.com" and then needs
# known_host, a line of its /etc/ssh/ssh_host_ed25519_key.pub.
[host.files]
address = "local:"
# Only these folders are managed; "all" takes every account of the server's own user file as ours.
manage = { roots = ["/srv/exchange"], accounts = "all", foreign = "report" }
# A plan that takes more than this from people is refused. These are the defaults.
limits = { lose_people = 5, lose_percent = 5 }

# The file-transfer server on it. The rest is read from its configuration.
# `postern providers doctor` says what it still needs.
[server.files-ftp]
host = "files"
product = "proftpd"
config = "/etc/proftpd/proftpd.conf"
uids = { from = 30000, to = 39999, gid = 30000 }   # numeric ids for new accounts

# A directory, if there is one.
# [directory.corp]
# url = "ldaps://ldap.example.com"
# bind = { dn = "cn=postern,dc=example,dc=com", password = "secret:corp-bind" }
# manage = { bases = ["ou=people,dc=example,dc=com"] }
# users_ou = "ou=people,dc=example,dc=com"

# An IAM system, if there is one: SCIM 2.0, or (product = "otds") OpenText Directory Services.
# [iam.hr]
# url = "https://iam.example.com/scim/v2"
# auth = { token = "secret:hr-token" }

# Where the value of "secret:NAME" is found: env:VAR, file:/path, fd:N or exec:/path.
# [secret.corp-bind]
# from = "file:/run/secrets/corp-bind"
)";

constexpr char kPeople[] =
    R"(# access/people.toml: the reviewed tree says who has access. Every *.toml below access/ is read; how
# it is cut into files is up to you. A name with a dot is written in quotes.

[person."jo.hart"]
title = "Jo Hart"
mail = "jo.hart@example.com"
)";

constexpr char kPartner[] =
    R"(# access/partners/acme.toml: one partner with everything that belongs to it.

[partner.acme]
title = "Acme Foods"
sponsor = "person:jo.hart"                                # who answers for it
contract = { starts = 2026-01-01, ends = 2030-12-31 }     # no access before or after; dates are UTC

# A login at a server. What isn't set isn't managed: without `password` it stays as it is there.
[account.acme]
for = "partner:acme"
server = "files-ftp"
home = "/srv/exchange/acme"
# keys = ["ssh-ed25519 AAAA... ops@acme.example"]         # public keys, exactly these
# password = "secret:acme-initial"                        # by name; the operator's file has the place

[folder.acme-in]
host = "files"
path = "/srv/exchange/acme/in"

# What isn't granted isn't allowed. Rights: list read create overwrite delete rename mkdir rmdir chmod.
[[grant]]
who = ["partner:acme"]
folder = "acme-in"
rights = ["list", "create"]
depth = "subtree"
# expires = 2026-12-31
reason = "daily orders"
)";

}  // namespace

std::vector<StarterFile> StarterFiles() {
  return {{"operator/postern.toml", kOperator},
          {"access/people.toml", kPeople},
          {"access/partners/acme.toml", kPartner}};
}

}  // namespace postern::config
