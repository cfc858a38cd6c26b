// Pages for imports: rosters, thresholds, releases (E0885 to E0899).
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    {code::kRosterColumns, "a column or match that an import can't have",
     "A file gives plain attributes of people only: never where an entry stands, whose it is, or a "
     "password;\n"
     "and `match` names attributes that a column gives.",
     "{ name = \"DN\", to = \"dn\" }",
     "Name attributes of [user] or [iam_user]; entries stand below `base` of the import."},
    {code::kRosterLogin, "a login that no file may give",
     "Whoever writes the file must not become root, a service account or another system's user.",
     "line 17, UID: the login svc-backup is one of services",
     "Have the sender choose another login; such accounts are declared in the reviewed tree."},
    {code::kRosterValue, "a value that no file may give",
     "Parts of paths, mail addresses of other domains, values that look like secrets, times out of "
     "reach;\n"
     "in what names or matches somebody, letters that aren't composed (Unicode NFC).",
     "line 17, MAIL: evil@other.test isn't in acme.test", "Have the sender mend the row."},
    {code::kRosterAmbiguous, "a row that fits several people",
     "Which of them is meant can't be told, so nobody is changed.",
     "line 17: its mail is that of A0017 and of A0044",
     "Have the sender mend the row, or match by an attribute that is unique."},
    {code::kRosterMayNot, "a row asks for what the import may not do",
     "`may` of the import says whether a file creates, updates or disables.",
     "line 17: would be new, and the import may not create",
     "Declare the person in the tree, or widen `may` there."},
    {code::kRosterUnknown, "a row about somebody whom nobody declares",
     "what = \"attributes\" gives values to people that others declare; a delta deletes whom it "
     "knows.",
     "line 17: nobody is declared with employee_number 4711",
     "Declare the person first, or have the sender leave the row out."},
    {code::kRosterReused, "a login that belongs to somebody who left",
     "A key that is given anew is a new identity: it must not inherit what the leaver had, so it "
     "can't have\n"
     "the leaver's login either. Somebody who comes back is known by all of `match`.",
     "line 17: the login jo.hart is that of A0017, who left",
     "Have the sender choose another login, or mend the row if it is the same person."},
    {code::kRosterOverlap, "a file and the tree declare the same",
     "An object, and each attribute of it, has one source. Two would take turns.",
     "user \"jo\" has mail from the tree and from import \"hr\"",
     "Leave it out of the tree, or take the column out of the import."},
    {code::kRosterScope, "more would change than the import's own",
     "An import changes its own people only: below its base, in its partition, created by it.\n"
     "No row gives them somebody else's login, or the value that joins him ([identity] join).",
     "directory:corp user uid=li,ou=Staff isn't of import \"acme\"",
     "Have the sender leave the row out; look at who sends such files."},
    {code::kImportHeld, "an import waits for a second person",
     "A file that would do more than its thresholds allow is more often a mishap than the truth. "
     "Nothing of\n"
     "it is applied until somebody else than who ran it has looked and signed. So is one that "
     "would bring\n"
     "people into a role which `roles` of the import doesn't name: its writer would choose who has "
     "access.",
     "import acme-roster: 30 people would be disabled; 5 may be\n"
     "acme-roster.a17 would come into role \"admins\" by column MAIL",
     "Look at the plan; then postern job release NAME RUN --reason WHY, or have a better file "
     "sent. "
     "postern job\nstatus and history show the run."},
    {code::kFileUnproven, "a file that isn't what its sender says",
     "The checksum, manifest or signature beside a file must fit its bytes before anything reads "
     "them; and\n"
     "once files have sequences, each must have one.",
     "roster_7.csv: its SHA-256 isn't the one in roster_7.csv.sha256",
     "Have the file sent again. A signature that doesn't fit: ask the sender by another way."},
    {code::kReleaseRefused, "a release that doesn't count",
     "It needs a reason and the signature of a [releaser] over it and exactly this plan, and not "
     "of "
     "who started\n"
     "the run, himself or by sudo. It is for thresholds: where other changes wait, those come "
     "first.",
     "the signature is of no releaser's key",
     "postern job release NAME RUN --reason WHY prints the text to sign; ssh-keygen -Y sign -n "
     "postern-release\nsigns it."},
    {code::kRosterDamaged, "a stored roster that isn't what was accepted",
     "The ledger names the digest of each accepted roster; bytes with another one are never used, "
     "and without\n"
     "its people a plan would remove them.",
     "import acme-roster: its roster isn't the one that event 17 names",
     "postern ledger verify; restore the ledger from a copy."},
    {code::kImportWaits, "other changes must be applied first",
     "An import carries out what its file says and nothing else: what the tree or drift asks for "
     "has its own\n"
     "plan and reviewers.",
     "import acme-roster: 3 changes don't come from its file", "postern plan; postern apply"},
    {code::kRosterLookalike, "letters of several scripts in one word",
     "A name with a Cyrillic or Greek letter among Latin ones looks like another name and is not.",
     "line 17, NAME: P\xD0\xB0ul mixes Latin and Cyrillic", "Ask the sender whether it is meant."},
};

}  // namespace

std::span<const CodePage> ImportCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
