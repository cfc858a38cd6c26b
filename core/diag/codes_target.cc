// Pages for what products can do (E04) and for targets (E05).
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    {code::kGrantWider, "the server would give more than was said",
     "The product can't keep some rights apart. Postern never widens in silence: the author of the "
     "grant\n"
     "says that the wider effect is meant, and the plan shows it.",
     "rights = [\"create\"]      # also gives rename here",
     "Add accept_wider = [\"rename\"] to the grant, or use a server that can tell them apart."},
    {code::kGrantUnreachable, "a grant that can't be reached",
     "The account's login folder doesn't lead to the granted folder, so the grant would look like "
     "access\n"
     "and give none.",
     "home = \"/srv/exchange/acme\"      # granted: /srv/exchange/globex/in",
     "Change the home to a folder above both, or grant a folder below the home."},
    {code::kOutsideScope, "outside what Postern manages here",
     "A target manages only what its `manage` names. Nothing outside is written, whoever asks.",
     "path = \"/etc\"      # manage = { roots = [\"/srv/exchange\"] }",
     "Use a folder or DN inside the scope, or ask the operator to widen `manage`."},
    {code::kForeignRule, "a rule by another hand on this path",
     "The server's configuration has a hand-written rule. With it a grant would give another "
     "access than\n"
     "is declared, or one that can't be computed: the grant is held. Or it goes on giving what a\n"
     "revocation takes away. `postern drift` says what such rules do, and to whom.",
     "/etc/proftpd/conf.d/old.conf:12: <Directory /srv/exchange/acme/in>",
     "Remove that rule (file and line are in the message) and declare the access instead."},
    {code::kNotComputable, "access can't be computed here",
     "The configuration has a directive whose effect depends on more than the configuration "
     "(.ftpaccess,\n"
     "client address, an unknown module). Postern says so rather than guess.",
     "AllowOverride on",
     "Switch the directive off for managed roots; `postern providers doctor` shows the lines."},
    {code::kNotExpressible, "the product can't say this combination",
     "Each right is possible by itself, but not this mix in one folder.",
     "create without overwrite for one, with overwrite for another, in one folder",
     "Split the folder, or give both the same; the message names alternatives."},
    {code::kUidsExhausted, "no numeric id left",
     "Ids of removed accounts are never used again, since files may still carry them.",
     "uids = { from = 30000, to = 30009, gid = 30000 }      # the eleventh account",
     "Ask the operator to widen the server's uids."},
    {code::kHomeOutside, "a login folder outside the managed roots",
     "Where an account starts it can look around; outside the roots Postern writes no rules.",
     "home = \"/home/acme\"      # roots = [\"/srv/exchange\"]",
     "Choose a home at or below a root."},
    {code::kWayInMissing, "no way in for this credential",
     "The server has no protocol that takes this credential, so it would open nothing.",
     "keys = [...]      # on a server that only speaks FTP",
     "Use a password there, or a server with SFTP."},
    {code::kFieldUnsupported, "the product doesn't have this",
     "The declaration sets something that this server can't keep or enforce.",
     "expires = 2026-12-31T00:00:00Z      # no expiry date for accounts",
     "Leave it out, or use a server whose product has it (the message names them)."},
    {code::kAmbiguousPerson, "two users of one source are joined to one person",
     "[identity] join says which attribute holds the same value for the same person. Two users of "
     "one "
     "source\n"
     "with that value can't both be it, and which is isn't guessed: both keep what they have and "
     "get "
     "nothing\n"
     "new. Who isn't active by its own entry loses it all the same. Everything else goes on.",
     "jo.hart and j.hart in iam:corp both have the externalId 4711",
     "Correct one of them in the source that the message names; then plan again."},
    {code::kSameLoginTwice, "two people would have one login",
     "The template of a role's account gives the same login for two people, or one person two "
     "login "
     "folders.\n"
     "Nobody gets an account by it; who has it already keeps it as recorded. Everything else goes "
     "on.",
     "iam:corp/jo.hart and iam:partners/jo.hart are both jo.hart at edge-ftp",
     "Take an attribute that is unique for `login`, such as \"{employeeNumber}\" behind a letter."},
    {code::kLoginDeclared, "a role gives a login that is declared by itself",
     "Whoever can choose a user name in an IAM system must not become the owner of a declared "
     "account by it.\n"
     "The declaration stands, the role gives nothing to this member there.",
     "iam:corp/acme-in in role \"staff\" would be acme-in at edge-ftp, which is declared",
     "Rename the declared account's login, or take another `login` for the role."},
    {code::kUnreachable, "no connection to the target",
     "No server answers, or the connection (or the process that holds it) ended. Nothing was read, "
     "so "
     "nothing is decided\n"
     "there: no grant, no revocation. Other targets are planned.",
     "host:edge: connect to edge.example.com:22: Connection refused",
     "Check address, network and daemon; then plan again."},
    {code::kUntrusted, "another host key or certificate than declared",
     "Who answers isn't who is declared: the host key isn't known_host, or the certificate isn't "
     "signed by the\n"
     "given authorities, is for another name, or is over; or TLS is refused. Nothing was sent, no "
     "password and\n"
     "no user name.",
     "host:edge: showed the host key SHA256:9bTz..., known_host is SHA256:x7Qk...",
     "Find out why before anything else. If the host was rebuilt, the operator changes known_host; "
     "a certificate\n"
     "is mended, or `ca` names the right authority."},
    {code::kLoginRefused, "the target refuses our login",
     "The password is wrong or the key isn't accepted. It isn't tried again, so that no account is "
     "locked.",
     "directory:corp: cn=postern,dc=corp: Invalid credentials (49)",
     "Check the secret's value and the account that Postern uses."},
    {code::kIncomplete, "not all of an answer came",
     "An incomplete read is never an empty result: what wasn't seen isn't treated as absent, and "
     "decisions\n"
     "that depend on it are held.",
     "directory:corp: size limit exceeded after 500 entries",
     "Raise the limit for the account that Postern uses; `postern providers doctor` shows the "
     "lines."},
    {code::kProviderStart, "the provider couldn't be started",
     "Each target is served by a process of its own, from a binary beside postern.",
     "postern-provider-directory: No such file or directory", "Install the binary beside postern."},
    {code::kTargetDenied, "the target refuses what we ask",
     "We are known there, but may not read or do this.",
     "host:edge: /etc/proftpd/ftpd.passwd: Permission denied",
     "`postern providers doctor` says which right is missing."},
    {code::kSecretMissing, "a secret has no value",
     "The name is used, but no [secret] of the operator's file matches it for this target, or its "
     "source\n"
     "has nothing.",
     "secret:acme-initial: file /run/secrets/acme-initial: No such file or directory",
     "Add or mend [secret.NAME] in the operator's file, or provide the value."},
    {code::kTimeout, "no answer in time",
     "The target accepted the connection and then said nothing.", "host:edge: no answer for 30 s",
     "Check the target's load; then plan again."},
    {code::kProtocolBroken, "the provider breaks the protocol",
     "What the provider process said can't be right (an unknown kind, an object that isn't "
     "canonical). Its\n"
     "whole answer is dropped.",
     "host:edge: object of kind 99",
     "Use a provider of the same version as postern; else it is a bug, please report it."},
    {code::kUnreadable, "something couldn't be read",
     "A value, absent and unreadable are three different answers. What depends on this one is "
     "held.",
     "account edge-ftp/acme-in: password: access to the attribute is denied",
     "Give Postern's account the right to read it."},
    {code::kShrunk, "far fewer objects than last time",
     "A scope that shrank beyond its bound is more likely a broken read than a real change; it is "
     "held.",
     "directory:corp ou=people: 4,120 entries, 12,408 last time",
     "If it is right, the operator raises shrink_percent for one run."},
    {code::kTargetNotReady, "the target needs something first",
     "A line in its configuration, a module or a right is missing.",
     "server:edge-ftp: /etc/proftpd/proftpd.conf doesn't include postern.conf",
     "`postern providers doctor` prints the lines to add and where."},
};

}  // namespace

std::span<const CodePage> TargetCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
