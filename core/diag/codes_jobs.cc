// Pages for the files and times of export and import jobs (E08).
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    // ---- writing
    {code::kValueUnwritable, "a value that the file can't hold",
     "Each encoding and each format leaves characters out: ISO-8859-1 all but 256, XML 1.0 the "
     "control\n"
     "characters, CSV the NUL. A value that is silently changed would be wrong at the receiver.",
     "users.csv: row A0017, column NAME: \xC5\x81ukasz isn't in ISO-8859-1",
     "Write UTF-8, declare on_unmappable = \"replace\", or mend the value at its source."},
    {code::kFormula, "a cell that a spreadsheet would run",
     "A cell that begins with = + - @, a tab or a carriage return is a formula to a spreadsheet, "
     "with the\n"
     "rights of whoever opens the file.",
     "users.csv: row A0017, column TITLE: =HYPERLINK(\"http://x\") would be a formula",
     "formula_guard = \"off\" for a file that only machines read, \"quote\" for people (it alters "
     "the value)."},
    {code::kListElement, "an element that a joined list can't hold",
     "In a format without lists the elements stand in one cell with a separator between. An "
     "element that is\n"
     "empty or holds the separator would be read as another list.",
     "users.csv: row A0017, column GROUPS: Sales|North holds the separator |",
     "Choose another separator, or a format with lists (json, xml, ldif)."},
    {code::kKeyTwice, "two rows with one key",
     "Rows are told apart by the values of their key columns.",
     "users.csv: row A0017: its key stands twice",
     "Choose key columns whose values together stand once."},
    {code::kValueMissing, "a row without a value that it must have",
     "The column is required, or is the key.", "users.csv: row A0017, column MAIL: has no value",
     "Leave such rows out by `select`, or don't require the column."},
    // ---- reading: the file as a whole
    {code::kFileHeader, "other columns than declared",
     "A header that changed means that the columns may mean something else. Names are compared as "
     "they stand;\n"
     "none may be missing, new or there twice.",
     "roster.csv:1: column MIAL isn't declared; did you mean MAIL?",
     "Ask the sender; else mend `columns` of the import."},
    {code::kFileTruncated, "the file ends before its end",
     "A transfer that broke off leaves a file that looks like a short one. Its missing rows would "
     "be taken for\n"
     "people who left.",
     "roster.csv:4211: the file ends inside a quoted field", "Have the file sent again."},
    {code::kFileEncoding, "bytes that aren't in the declared encoding",
     "The encoding is declared, never guessed: a wrong guess changes names without a word.",
     "roster.csv:17: byte 0xE9 (offset 812) isn't UTF-8",
     "Ask the sender, or set `encoding` to what the file is in."},
    {code::kFileLimit, "larger than a limit allows",
     "Size, rows, columns, length of a row and depth are bounded, so that no file can take the "
     "machine down.",
     "roster.csv:2: a row of more than 1048576 bytes",
     "Look at the file; if it is right, raise the limit of the import."},
    {code::kFileSyntax, "not the declared format",
     "From here on it can't be told where a row begins, so that nothing of the file counts.",
     "roster.csv:311: text after a closing quote", "Have the sender write the format correctly."},
    {code::kFileReaches, "a file that reaches for other files",
     "A DOCTYPE, an entity of its own, an `include:` or a URL as a value makes a reader open what "
     "the sender\n"
     "names, or grow a small file into gigabytes. No roster needs any of it.",
     "roster.xml:2: a DOCTYPE isn't taken", "Have the sender leave it out."},
    {code::kFileEmpty, "a file without rows",
     "An empty roster is more likely a mishap than a company that everybody left.",
     "roster.csv: not one row", "Have the file sent again; empty = \"intended\" takes it."},
    {code::kFileSequence, "a delta that doesn't follow the last file",
     "Changes can be added only to the state that they were made from.",
     "delta.json: made for the state 41, the last one taken is 39",
     "Have the missing files sent, or a full one."},
    {code::kFileUnread, "the file couldn't be read to its end",
     "The disk or the network failed on the way.", "roster.csv: read: Input/output error",
     "Try again."},
    // ---- reading: one row
    {code::kRowFields, "a row with more or fewer fields than columns",
     "Which value belongs to which column can't be told.",
     "line 17: 7 fields where there are 8 columns",
     "Look for a delimiter inside a value that isn't quoted."},
    {code::kRowValue, "a value that its column doesn't take",
     "Too long, not of its type or pattern, with characters that can't be seen, or altered by a "
     "spreadsheet.",
     "line 17, UNTIL: 31.02.2027 isn't a time", "Have the sender mend the row."},
    {code::kRowMissing, "a row without a value that it must have",
     "The column is required, or is the key.", "line 17, ID: has no value",
     "Have the sender mend the row."},
    {code::kRowKeyTwice, "a key that stands twice",
     "Two rows speak of one subject; neither can be trusted.",
     "line 17: its key stands in line 4 as well",
     "Have the sender leave one of them out; none of the two counts."},
    {code::kRowUnknown, "something in a row that isn't declared",
     "A member, an element or an attribute that no column names, or one that stands twice.",
     "line 17: PHONE isn't declared", "Declare a column for it, or have the sender leave it out."},
    {code::kRowSyntax, "a row that can't be read",
     "The line or record isn't of the format; the ones around it are.",
     "line 17: unexpected end of input", "Have the sender mend the row."},
    // ---- times
    {code::kBadCron, "not a time of cron",
     "Five fields: minute, hour, day of the month, month, day of the week. Each is *, a number, a "
     "range, a list\n"
     "or a step; months and days may be named (jan, mon).",
     "cron = \"30 25 * * *\"", "cron = \"30 2 * * mon-fri\""},
    {code::kUnknownZone, "no such time zone", "Zones have the names of the system's tzdata.",
     "zone = \"Europe/Berlln\"", "zone = \"Europe/Berlin\""},
    // ---- declarations of jobs
    {code::kEndpointWho, "a place that is nobody's, or two's",
     "What is delivered to a foreign place is access for whoever reads there, so `for` names that "
     "identity;\n"
     "at a server of ours a job signs in as its service account, and folders say who reads.",
     "[endpoint.acme-drop] with neither for nor server",
     "for = \"partner:NAME\" with login and password or private_key, or server = \"NAME\" "
     "without."},
    {code::kEndpointTrust, "a place that can't be trusted as it is declared",
     "Nothing is sent before the place has proved who it is: sftp by its host key, ftps by its "
     "certificate.\n"
     "Plain ftp proves nothing and hides nothing.",
     "protocol = \"sftp\" without known_host",
     "Ask the owner of the place for its host key, or use ftps; plain = true accepts the clear."},
    {code::kJobSource, "rows that such a source doesn't have",
     "Each `what` has its sources: users, groups and memberships of a directory or an IAM system, "
     "roles of an\n"
     "IAM system, entitlements of servers, files of the runner; and each its own ways to select.",
     "what = \"roles\", from = [\"directory:corp\"]", "Name a source that has such rows."},
    {code::kJobColumn, "a column that can't be",
     "A column takes an attribute or a constant, has a name of its own in the file, and its "
     "options "
     "fit what it\n"
     "takes. Attributes are the fields of the kind, as `postern schema` lists them.",
     "columns = [\"uid\", \"mial\"]", "columns = [\"uid\", \"mail\"]"},
    {code::kJobFormat, "keys of a format that don't go together",
     "Delimiters and quotes are of CSV, root and element of XML, and JSON and LDIF are UTF-8 by "
     "their standards.",
     "format = { type = \"json\", delimiter = \";\" }", "Leave out what the format doesn't have."},
    {code::kJobFileName, "a name that no file of each run can have",
     "The name is a template of {slot}, {seq}, {run} and {mode}. Where a rename doesn't replace, "
     "every run needs\n"
     "a name of its own; where it does, an old file may be replaced.",
     "name = \"users.csv\" at an endpoint with receiver = \"unique\"",
     "name = \"users_{slot:%Y%m%d}.csv\""},
    {code::kJobOrder, "an order that doesn't fit what is written",
     "The file itself is always written; a trigger only where its ending is declared, and it comes "
     "after the\n"
     "file that it speaks of.",
     "order = [\"file\", \"trigger\"] without trigger",
     "trigger = \".done\", or an order without it."},
    {code::kJobSignsIn, "a job that couldn't sign in",
     "A job runs as a declared service account. At a server of ours that account must exist, and "
     "one "
     "of its\n"
     "slots must hold what the job can sign in with: a private key or a password.",
     "as = \"service:feed\", which has no account at edge-sftp",
     "Name the server in the account's servers; give current a private_key."},
    {code::kJobEncrypt, "encryption for nobody, or in two ways",
     "A file is encrypted by OpenPGP or by age, for receivers that are named; keys of OpenPGP are "
     "looked up in\n"
     "gpg's home on the runner.",
     "encrypt = { openpgp = [\"8F3A...\"] } without home",
     "encrypt = { openpgp = [\"FINGERPRINT\"], home = \"/var/lib/postern/gpg\" }"},
    {code::kJobDelta, "changes of what can't be told apart",
     "A delta says what came, changed and went; rows need a key for that, and only rows have one, "
     "not files.",
     "mode = \"delta\" where the key isn't among the columns",
     "Mark a column with key = true, or write the key's attribute as a column."},
    {code::kJobLimit, "a limit that can't hold",
     "A limit of none would let nothing through, or stop every run.", "limits = { rows = 0 }",
     "limits = { rows = 50000 }, or leave it out"},
    {code::kImportReach, "an import whose reach isn't said",
     "An import writes only into a subtree or a partition that is its alone; that keeps one "
     "partner's file from\n"
     "touching another's people.",
     "to = \"directory:corp\" without base", "base = \"ou=acme,ou=partners,dc=example,dc=com\""},
    {code::kImportMatch, "rows that can't be told whose they are",
     "Who a row speaks of is found by attributes that the file has; the first of them must be in "
     "every row.",
     "match = [\"employee_number\"], and no column gives it", "Declare a column for it, required."},
    // ---- service accounts
    {code::kServiceOwner, "owner and deputy are one person",
     "Somebody must answer for a service account when its owner is away or has left.",
     "owner = \"person:jo\", deputy = \"person:jo\"", "deputy = \"person:ka\""},
    {code::kServiceHome, "a service account without a login folder",
     "Each account at a server has one; it is what the program sees first.",
     "servers = [\"edge\"] without home", "home = \"/srv/jobs/nightly\""},
    {code::kServiceCredential, "a service account that nothing opens",
     "An account without key and password is one that nobody can use, or that a key left behind "
     "by hand\n"
     "opens.",
     "servers = [\"edge\"] without current",
     "current = { key = \"ssh-ed25519 ...\", private_key = \"secret:nightly\" }; or enabled = "
     "false."},
    {code::kServiceSlots, "a credential slot that isn't whole",
     "A private key is of use with its public half alone, which servers get. `next` is what will "
     "follow\n"
     "`current`.",
     "current = { private_key = \"secret:nightly\" }",
     "current = { key = \"ssh-ed25519 ...\", private_key = \"secret:nightly\" }"},
    {code::kServiceNextSame, "one credential in both slots",
     "A rotation issues a new credential as `next`, lets both open the account, and ends when the "
     "new one\n"
     "stands as `current`. With one in both slots nothing changes.",
     "current = { key = \"ssh-ed25519 AAAA...\" }, next = { key = \"ssh-ed25519 AAAA...\" }",
     "Make a new key (ssh-keygen -t ed25519) and put it into `next`."},
    {code::kServiceInteractive, "a service account with a shell",
     "Accounts here transfer files: servers are set up so that they can do nothing else.",
     "interactive = true", "Take the line out; a login for people is made by other means."},
    {code::kServiceRow, "rights where a service account has no account",
     "A row opens a folder through an account at a server of the folder's host.",
     "rows = [{ folder = \"out\", rights = [\"read\"] }] and no server of its host",
     "Add a server of that host to `servers`, or take the row out."},
    {code::kServicePlace, "an entry without a directory",
     "A dn says where in a directory the entry of a service account stands.",
     "dn = \"uid=nightly,ou=Services,dc=corp\" without directory", "directory = \"corp\""},
    {code::kServiceUnneeded, "rights that no job uses",
     "A service account shall have what its jobs need and no more: whoever gets hold of it has "
     "the rest as\n"
     "well. Told of accounts that run at least one export or import.",
     "rows = [{ folder = \"hr\", rights = [\"read\"] }] and no job that reads there",
     "Take the rights out, unless something that Postern doesn't run uses them."},
    {code::kFileOlder, "a file that was taken already",
     "Its sequence number isn't above the last one. Nothing is done with it.",
     "roster.json: sequence 41, and 41 was taken already",
     "Nothing to do; ask the sender if a newer file should be there."},
    // ---- snapshots
    {code::kSnapshotIncomplete, "a world that can't be read as a whole",
     "A snapshot of half a world, restored, would be taken for the whole. Every managed scope must "
     "be read\n"
     "to its end, and must not move meanwhile.",
     "directory:corp can't be read as a whole: no snapshot",
     "postern providers doctor says what is missing; then take the snapshot again."},
    {code::kSnapshotDamaged, "a snapshot that isn't as it was written",
     "Its last line holds the SHA-256 of all lines before it.",
     "corp.snapshot isn't as it was written: its SHA-256 is another",
     "Take another copy of it. Nothing is restored from a damaged one."},
    {code::kSnapshotTarget, "a target of a snapshot that isn't declared",
     "What is restored goes where the operator's file says that the target is.",
     "host:old is in the snapshot and isn't declared",
     "Declare the target under that name, or leave its part out."},
    {code::kSnapshotLeftOut, "parts of a snapshot that aren't restored",
     "Postern never writes rules by other hands, nor what another system or a directory gives.",
     "host:edge: 3 native rules, which Postern never writes",
     "Restore them by the means by which they came; the snapshot says what they were."},
};

}  // namespace

std::span<const CodePage> JobCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
