// Pages for what the loader says about files: E01, E02, E03.
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    {code::kFileUnreadable, "a file or folder can't be read",
     "Postern reads the operator's file and every *.toml below the reviewed tree. One that can't "
     "be\n"
     "opened is never treated as empty: what it declares would look removed.",
     "error[E0101]: can't read access/partners/acme.toml: Permission denied",
     "Give the reading user permission, or name the right file with --operator or --tree."},
    {code::kFileTooLarge, "a file is larger than 16 MiB",
     "Files are checked for their size before they are parsed, so that one file can't take all "
     "the\n"
     "memory of a runner.",
     "error[E0102]: access/all.toml is larger than 16 MiB",
     "Split the file; files are read in name order and their number doesn't matter."},
    {code::kSyntax, "this isn't TOML",
     "The file breaks the TOML 1.0 syntax. The table with the mistake is left out and the rest of "
     "the\n"
     "file is still checked, as are all other files; names that it declares count as declared.",
     "for = \"partner:acme      # the closing quote is missing",
     "Mend the syntax at the caret. Text stands in double quotes, lists in [ ], inline\n"
     "tables in { } on one line."},
    {code::kNotUtf8, "the file isn't UTF-8",
     "TOML is UTF-8. A byte at the given place doesn't belong to any UTF-8 character; often the "
     "file\n"
     "was saved as Latin-1 or Windows-1252.",
     "title = \"M\\xFCller\"",
     "Save the file as UTF-8: iconv -f latin1 -t utf8 old.toml > new.toml"},
    {code::kSymbolicLink, "a symbolic link in the reviewed tree",
     "A change under review could point a link at any file of the machine that plans, and "
     "messages\n"
     "show lines of what was read. So links below the tree aren't followed.",
     "access/shared.toml -> /etc/postern/shared.toml", "Put the file itself into the tree."},
    {code::kUnknownTable, "no such table",
     "Every table is one kind of declaration. An unknown one is an error, since a misspelt table "
     "would\n"
     "otherwise declare nothing in silence.",
     "[acount.acme-in]",
     "Use one of the tables that the message lists: `postern schema` shows them all."},
    {code::kUnknownKey, "no such key in this table",
     "Unset means \"not managed\", so a misspelt key would leave something unmanaged in silence.",
     "[account.acme-in]\nhmoe = \"/srv/exchange/acme\"",
     "Use one of the keys that the message lists."},
    {code::kWrongType, "a value of the wrong type",
     "The key takes text, a number, true or false, a list, a table or a time; the value is "
     "another.",
     "expires = \"2026-12-31\"      # text, not a date",
     "Write dates and times without quotes, numbers without quotes, lists in [ ]."},
    {code::kUnknownName, "a reference to something that isn't declared",
     "References are names, checked over all files. Nothing is created by being mentioned.",
     "folder = \"acme-inbuond\"", "Mend the name, or declare it."},
    {code::kReferenceForm, "a reference in the wrong form",
     "Where several kinds can be named, the kind stands before a colon, so that a person and a "
     "partner\n"
     "of one name are never confused. Where only one kind can be named, the bare name stands.",
     "for = \"acme\"               # for = \"partner:acme\"",
     "Write kind:name with one of the kinds that the message lists."},
    {code::kMissingKey, "a required key isn't there",
     "Without this key the declaration has no meaning.",
     "[account.acme-in]\nserver = \"edge-ftp\"         # `for` and `home` are missing",
     "Add the key to the table."},
    {code::kNotAllowed, "not one of the allowed values", "The key takes a few fixed values only.",
     "rights = [\"list\", \"write\"]", "Use one of the values that the message lists."},
    {code::kBadName, "not a name",
     "A name starts with a letter or digit and goes on with letters, digits, '.', '-' and '_', at "
     "most\n"
     "128 of them. Letters of all scripts are allowed.",
     "[account.\"acme in\"]",
     "Choose another name; what people should read can stand in `title` or `comment`."},
    {code::kHiddenCharacter, "a hidden character",
     "Control characters and bidi formatting can make a line read differently from what it says\n"
     "(CVE-2021-42574). They are refused in every name and value.",
     "[partner.\"acme\\u202E\"]", "Delete the character; the message shows it as \\u{...}."},
    {code::kBadPath, "not a plain absolute path",
     "Paths start with '/', have no '.', '..' or empty parts and no slash at the end, so that two\n"
     "spellings can't name one folder and none climbs out of a managed root.",
     "path = \"/srv/exchange/../etc\"", "Write the path out in full."},
    {code::kBadTime, "not a usable time",
     "An instant carries its zone (2026-12-31T00:00:00Z); a plain date means UTC: its first second "
     "for\n"
     "a start, its last for an end. A local time means another moment on every machine.",
     "expires = 2026-12-31T18:00:00", "Add Z or an offset such as +01:00, or write a plain date."},
    {code::kTimesReversed, "starts after it ends",
     "The interval is empty: it would never give access.",
     "contract = { starts = 2027-01-01, ends = 2026-12-31 }", "Mend one of the two."},
    {code::kSecretName, "not the name of a secret",
     "In files under review a secret is only a name; the operator's file says where its value is "
     "found.",
     "password = \"acme-initial\"",
     "Write \"secret:NAME\" and add [secret.NAME] to the operator's file."},
    {code::kLooksSecret, "a value that looks like a secret",
     "A private key, a password hash or a long random token in a file under review would be in "
     "the\n"
     "history of the repository for ever. The value isn't repeated in the message.",
     "comment = \"$6$salt$...\"",
     "Remove it, change the secret itself (it is known now), and use \"secret:NAME\"."},
    {code::kBadSshKey, "not an OpenSSH public key",
     "A key is one line: type, base64, optional comment; the type inside the base64 must be the "
     "same.\n"
     "DSA keys and options before the type aren't taken.",
     "keys = [\"ssh-ed25519 AAAA\"]", "Copy the whole line of the .pub file."},
    {code::kBadSource, "not a source address",
     "Where a key may come from is an IP address, a CIDR block, or a pattern of host names with * "
     "and ?.\n"
     "A block has no bits beyond its length. One that sshd can't read would shut every key of its "
     "line.",
     "from = [\"10.0.0.1/8\"]", "Write 10.0.0.0/8, or 10.0.0.1 for that address alone."},
    {code::kSourceLimits, "what an account of a directory can't have",
     "With source = \"directory:NAME\" a host has an account through NSS. Its numbers, its name "
     "and "
     "its\n"
     "password stand in the directory and are never written at the host, so they aren't declared "
     "there.\n"
     "Such accounts exist where a daemon takes the system's accounts (openssh), and where the "
     "host's group\n"
     "(manage.accounts = \"group:NAME\") says which of them may be managed: a change under review "
     "can't\n"
     "reach the others.",
     "source = \"directory:corp\"\nuid = 30007",
     "Take the line out, or take `source` out for an account of the host's own."},
    {code::kBadLogin, "not a login that servers take",
     "A login has 1 to 64 characters of letters, digits, '.', '_', '-' and '@' and starts with a "
     "letter,\n"
     "digit or '_'. Others break the files that servers keep (':' and line ends above all).",
     "login = \"acme:in\"", "Choose another login."},
    {code::kBadMode, "not a file mode", "A mode is text of three or four octal digits.",
     "mode = \"rwxr-x---\"", "Write \"0750\"."},
    {code::kBadDn, "not a distinguished name",
     "A DN is a list of attribute=value parts joined by commas (RFC 4514).", "dn = \"people\"",
     "Write it in full: \"ou=people,dc=example,dc=com\"."},
    {code::kBadMail, "not a mail address",
     "A mail address has one '@' with something on both sides.", "mail = \"li.wong\"",
     "Write local@domain."},
    {code::kOperatorOnly, "this belongs into the operator's file",
     "A change under review may say who has access, never where Postern connects, which secret it "
     "sends\n"
     "or how much it may take away.",
     "# access/servers.toml\n[host.edge]", "Move the table into the operator's file."},
    {code::kReviewedOnly, "this belongs into the reviewed tree",
     "The operator's file says where and how; who has access is declared under review.",
     "# operator/postern.toml\n[account.acme-in]",
     "Move the table into a file of the reviewed tree."},
    {code::kOutOfRange, "a number out of range",
     "The number is below or above what the key can carry.", "uid = -1",
     "Use a number in the range that the message gives."},
    {code::kEmptyList, "an empty list",
     "An explicit empty list means \"none\": every live element would be removed. That is easily "
     "written\n"
     "by mistake, so it has to be said.",
     "[group.ops]\nmembers = []",
     "Add empty = \"intended\" to the table, or delete the line to leave the list unmanaged."},
    {code::kBadAddress, "not an address of a target",
     "A host is \"local:\", \"ssh://user@host:port\" or \"memory:FILE\"; a directory is an "
     "ldap://, ldaps://\n"
     "or ldapi:// URL or \"memory:FILE\". Passwords never stand in an address.",
     "address = \"edge.example.com\"", "Write \"ssh://postern@edge.example.com\"."},
    {code::kSecretSource, "not a source of a secret",
     "A secret comes from env:VAR, file:/path, fd:N or exec:/path; never from the file itself.",
     "[secret.acme]\nfrom = \"hunter2\"", "Write for instance from = \"file:/run/secrets/acme\"."},
    {code::kUidRange, "numeric ids that can't be",
     "The range runs from a lower to a higher id, above 999 (the system's own accounts), and a "
     "declared\n"
     "uid lies within its server's range.",
     "uids = { from = 39999, to = 30000, gid = 30000 }", "Mend the range or the uid."},
    {code::kBadSetting, "a text in the wrong form",
     "This key takes text of a form of its own, which the message shows.",
     "manage = { accounts = \"ftpusers\" }      # \"group:ftpusers\"",
     "Use the form that the message shows."},
    {code::kTableShape, "a table of the wrong shape",
     "Declarations are [kind.NAME]; grants have no name and are [[grant]].",
     "[grant]\nwho = [\"partner:acme\"]",
     "Write [[grant]], or give the table a name: [account.acme-in]."},
    {code::kGroupCycle, "a group that contains itself",
     "Members of member groups are members too. A cycle has no members of its own and directories\n"
     "disagree about what it means.",
     "[group.a]\nmembers = [\"group:b\"]\n[group.b]\nmembers = [\"group:a\"]",
     "Take one of the memberships out."},
    {code::kNoDn, "no place for an entry in the directory",
     "An entry needs a dn of its own, or its directory a default place: users_ou for [user], "
     "groups_ou\n"
     "for [group].",
     "[user.svc-a]\ndirectory = \"corp\"",
     "Add dn to the table, or ask the operator to set the default."},
    {code::kClearText, "a directory without TLS",
     "Passwords would cross the network in clear text. tls = { start = false } is for loopback "
     "only.",
     "url = \"ldap://ldap.example.com\"\ntls = { start = false }",
     "Use ldaps://, or leave StartTLS on."},
    {code::kHostKeyMissing, "no host key to expect",
     "The key must match before anything is sent, so it must be known before the first "
     "connection;\n"
     "there is no trust on first use.",
     "address = \"ssh://postern@edge.example.com\"",
     "Add known_host with a line of the host's /etc/ssh/ssh_host_*_key.pub."},
    {code::kModeBesideAcl, "a mode where an ACL decides",
     "On a host with an OpenSSH server grants are ACL entries on the folders. The group digit of a "
     "mode\nis the mask of such an ACL, and what others may do would hold for every account.",
     "[folder.in]\nhost = \"edge\"        # [server.edge-sftp] has product = \"openssh\"\n"
     "mode = \"2770\"",
     "Leave mode out: who isn't granted anything has nothing."},
    {code::kAuthUnclear, "who Postern is at an IAM system isn't clear",
     "A bearer token, a client of OAuth 2 (client_id with client_secret) or a login with its "
     "password:\nexactly one of them, and all of it.",
     "auth = { token = \"secret:hr\", login = \"postern\" }",
     "Keep one way and take the rest out."},
    {code::kOtherProduct, "what this product of an IAM system doesn't have",
     "SCIM 2.0 knows users, groups and memberships, and its url names the partition. Application "
     "roles,\naccess roles, OAuth clients and the choice of partitions are OpenText Directory "
     "Services'; a\ndialect is SCIM's.",
     "[iam_role.reader]\niam = \"hr\"               # [iam.hr] has product = \"scim\"",
     "Declare it in an iam with the other product, or take it out."},
    {code::kBadIamName, "a name that an IAM system may read otherwise",
     "Names are compared without case and runs of blanks. An empty one, blanks at an end or two in "
     "a row\nwould come back as another name than was written.",
     "display_name = \" Marketing\"", "Write the name as people read it."},
    {code::kUnknownPartition, "a partition that isn't managed",
     "In OpenText Directory Services a user is login@partition. What stands behind the last @ is "
     "a\n"
     "managed partition, or (with a dot in it) the rest of a login that is a mail address.",
     "user_name = \"jo.hart@Partnres\"",
     "Mend the partition, leave it out for the first one, or ask the operator to manage it."},
    {code::kOtherIam, "a member that lives in another IAM system",
     "A group or role holds users and groups of its own system.",
     "[iam_group.ops]\niam = \"hr\"\nmembers = [\"iam_user:jo\"]   # [iam_user.jo] has iam = "
     "\"partners\"",
     "Name the person: it is found through its user in that system."},
    {code::kRoleMember, "a member of a role that names nobody",
     "A member is somebody declared (who), or a source (iam or directory) with what it shows "
     "(where,\ngroup): one of the three.",
     "members = [{ where = { department = \"Marketing\" } }]",
     "Add iam = \"NAME\" or directory = \"NAME\", or name somebody."},
    {code::kBadTemplate, "a login or folder that can't be filled in",
     "In login and home of a role {userName}, {externalId}, {employeeNumber} and {department} "
     "stand "
     "for\nwhat the source shows of a member. The rest is kept as it is: a folder starts with / "
     "and "
     "has no\n\"..\", a login has letters that servers take and names its member.",
     "home = \"/srv/ftp/{username}\"", "Use one of the four names."},
    {code::kDuplicateName, "one name declared twice",
     "Names of one kind are unique over all files; neither of the two declarations wins.",
     "[folder.in]   # access/a.toml\n[folder.in]   # access/b.toml",
     "Rename or remove one of them."},
    {code::kSameAccount, "one login at one server declared twice",
     "Two declarations of one live account would undo each other on every run.",
     "[account.a]\nserver = \"edge-ftp\"\nlogin = \"acme\"\n[account.b]\nserver = "
     "\"edge-ftp\"\nlogin = \"acme\"",
     "Keep one of them, or give one another login."},
    {code::kSameFolder, "one folder declared twice",
     "Two declarations of one path on one host would undo each other.",
     "[folder.a]\nhost = \"edge\"\npath = \"/srv/a\"\n[folder.b]\nhost = \"edge\"\npath = "
     "\"/srv/a\"",
     "Keep one of them; grants can name the same folder as often as they like."},
    {code::kSameEntry, "one directory entry declared twice",
     "Two declarations stand for one DN (spaces, escapes and case of attribute types don't count).",
     "[ou.a]\ndn = \"ou=people,dc=corp\"\n[ou.b]\ndn = \"OU=people, dc=corp\"",
     "Keep one of them."},
    {code::kSameTarget, "one target declared twice",
     "Two hosts with one address, or two servers of one host with one configuration, are one "
     "thing; each\n"
     "would take the other's objects for foreign.",
     "[host.a]\naddress = \"local:\"\n[host.b]\naddress = \"local:\"", "Keep one of them."},
    {code::kSameIamObject, "one object of an IAM system declared twice",
     "Two declarations of one live user, group, role or client would undo each other on every run; "
     "case\ndoesn't count. Two users with one external_id are one person to whatever reads it.",
     "[iam_user.a]\nuser_name = \"jo.hart\"\n[iam_user.b]\nuser_name = \"Jo.Hart\"",
     "Keep one of them."},
    {code::kSameRow, "one folder twice in a role",
     "Two rows for one folder at one depth say two things of the same access.",
     "rows = [{ folder = \"in\", rights = [\"list\"] }, { folder = \"in\", rights = [\"read\"] }]",
     "Write the rights in one row."},
    {code::kSameUid, "one uid for two accounts",
     "Files of one account would belong to the other. Servers of one host share its numbers: there "
     "two\n"
     "identities can't have one, at whichever server.",
     "[account.a]\nuid = 30001\n[account.b]\nuid = 30001",
     "Change one, or leave uid out: a fresh one is allocated."},
};

}  // namespace

std::span<const CodePage> InputCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
