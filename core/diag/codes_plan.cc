// Pages for plan and limits (E06), apply and ledger (E07), and the warnings.
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    {code::kLimitPeople, "too many people would lose access",
     "A plan that takes access from more than the larger of 5 people and 5 % of a target's people "
     "is refused\n"
     "as a whole; the operator can set both. A partner counts as one. Ends that were declared "
     "don't count.",
     "41 of 180 people of edge lose access; the limit is 9 (max(5, 5 %), the default)",
     "If it is meant, do it in steps, or let the operator raise lose_people for this target."},
    {code::kLimitRemoved, "too many objects would be removed or disabled",
     "More than the larger of 5 and 10 % of one kind on one target. Often a file was moved or a "
     "list emptied.",
     "host:edge: 60 of 214 accounts would be disabled",
     "Look for what isn't declared any more; else let the operator raise\n"
     "remove_objects or remove_percent."},
    {code::kLimitChanged, "too large a share would change",
     "More than 30 % of a kind on one target would be changed by one plan.",
     "host:edge: 112 of 214 accounts would be changed",
     "Do it in steps, or let the operator raise change_percent."},
    {code::kFloor, "no administrator would be left",
     "At least one of the operator's administrators keeps access, whatever is declared.",
     "administrators = [\"person:li.wong\"]      # and li.wong's last grant ends",
     "Keep one of the grants, or let the operator name another administrator."},
    {code::kBreakGlass, "an account that no plan touches",
     "The change would touch a break-glass account, or the account by which Postern itself works.",
     "break_glass = [\"account:edge-ftp/rescue\"]", "Leave the account as it is."},
    {code::kInvariant, "the plan breaks an invariant",
     "An independent check found that some prefix of the steps would give an access that neither "
     "the state\n"
     "before nor the one after has. This is a bug of Postern; nothing was done.",
     "after step 12 partner:acme could delete in /srv/exchange/acme/in",
     "Please report it with the output of `postern plan --json`."},
    {code::kHeld, "held: a fact is missing",
     "The decision needs something that couldn't be read. Nothing is granted or revoked on a "
     "guess. What is\n"
     "declared removed or expired isn't held by missing facts about others.",
     "grant to group:ops on edge: members in corp weren't read",
     "Make the target readable (see the first diagnostic about it) and plan again."},
    {code::kReplaced, "another object under an old name",
     "An object with the same key but another id of its own stands where ours was: somebody "
     "removed and made it\n"
     "anew. It must not inherit grants that were given to the old one.",
     "account edge-ftp/acme-in: uid 30007 was 30002",
     "Look who made it; then remove it, or declare it anew."},
    {code::kAsOf, "not possible in a plan for another moment",
     "A plan saved with --as-of may only take access away; one for a past moment can't be applied.",
     "postern plan --as-of 2027-01-01 --out plan.postern      # and a grant starts on that day",
     "Plan without --as-of, or apply on the day itself."},
    {code::kNoSuchTarget, "no such target",
     "--target names something that the operator's file doesn't declare.",
     "postern plan --target host:egde",
     "Use host:NAME or directory:NAME from the operator's file."},
    {code::kStale, "the plan is stale",
     "Something that the plan read or writes isn't as it was when it was made. Nothing was done.",
     "account edge-ftp/acme-in: expected enabled = true, found false",
     "Plan again and look at the difference."},
    {code::kLedgerLocked, "another apply is at work",
     "One apply at a time works on a ledger. The message names host, process and start.",
     "held by deploy@runner-7, process 4112, since 18:44Z",
     "Wait for it; a dead holder is noticed by itself."},
    {code::kPlanDamaged, "the plan file isn't what was saved",
     "Its digest doesn't match, or it isn't a plan file at all.", "postern apply notes.txt",
     "Make the plan again with --out."},
    {code::kLedgerDamaged, "the event log's chain is broken",
     "Events are chained by digests; one of them isn't what was written. Postern goes no further, "
     "since\n"
     "decisions would rest on it.",
     ".postern/ledger.db: event 4,118 doesn't follow event 4,117",
     "Restore the ledger from its backup. Don't delete it: without it our own objects\nlook "
     "foreign."},
    {code::kReadBack, "the read-back isn't what was written",
     "The target took the change and shows something else. Either the server normalises in a way "
     "that Postern\n"
     "doesn't know, or another tool writes as well.",
     "user corp/jo: mail is Jo@corp, written jo@corp",
     "Plan again; if it stays, report the product and its version."},
    {code::kOtherWorld, "a plan for another ledger",
     "The plan was made against another ledger than the one that is open.",
     "postern --operator staging.toml apply production.postern",
     "Apply it with the operator's file that it was made with."},
    {code::kNeedsYes, "nobody can be asked",
     "Apply asks before it changes anything, and there is no terminal here.",
     "postern apply < /dev/null", "In a pipeline say --yes, best with a saved plan."},
    {code::kNewerFormat, "made by a newer Postern",
     "The file has a format that this version doesn't know.",
     "plan.postern: format 3, known up to 2", "Use the newer Postern."},
    {code::kLedgerUnreadable, "the ledger can't be opened or written",
     "Without the ledger nothing is applied: intents must be on disk first.",
     ".postern/ledger.db: No space left on device", "Mend the cause that the message names."},
    {code::kUsage, "the command line can't be meant like this",
     "A command, an option or its value is missing, misspelt, or contradicts another one. Nothing "
     "was done.",
     "postern plna", "`postern --help` lists the commands, `postern COMMAND --help` the options."},
    {code::kEmptyTree, "no file in the reviewed tree",
     "The tree has no *.toml file. If a ledger owns something, a plan from here would remove all "
     "of it.",
     "tree = \"../acces\"", "Check the tree's path in the operator's file."},
    {code::kRepeated, "an element stands twice in a list",
     "It counts once; often another one was meant.", "rights = [\"list\", \"read\", \"list\"]",
     "Delete one of them."},
    {code::kWithoutAccount, "nobody can come in by this",
     "A person or partner has no account, so grants to it open nothing. That is normal for "
     "sponsors.",
     "[partner.acme]      # and no account is for it", "Declare an account for it, or leave it."},
    {code::kUnusedFolder, "a folder that no grant names",
     "In a managed root nobody can enter it through the servers. That is normal for folders made "
     "ready early.",
     "[folder.archive]", "Grant something on it, or leave it."},
    {code::kUnusedPlace, "an endpoint or a runner that no job names",
     "Nothing is delivered there or fetched from there, and nothing runs there.",
     "endpoint \"acme-drop\" is named by no job", "Name it in a job, or take it out."},
    {code::kSharedKey, "one public key for two identities",
     "Whoever holds the private key can be either; the log can't tell them apart.",
     "the same ssh-ed25519 line in two accounts", "Ask for a key of its own for each."},
    {code::kWiderAccepted, "wider, and accepted",
     "The server gives more than the rights that were named; the author accepted it.",
     "accept_wider = [\"rename\"]", "Nothing to do; the plan shows it to reviewers."},
    {code::kOpensNothing, "a grant that opens nothing",
     "None of the identities has an enabled account on the folder's host (or through `via`).",
     "who = [\"person:jo\"]      # jo has no account on edge",
     "Declare an account, or drop the grant."},
    {code::kMemberWithout, "a member without an account here",
     "The group is granted something on this host, but this member has no account there.",
     "group:ops on edge: person:jo", "Declare an account for the member, or leave it."},
    {code::kExpired, "its time is over",
     "Time is state, not an error: the plan takes the access away.", "expires = 2025-12-31",
     "Extend it, or delete the block."},
    {code::kEndRounded, "an end that the server keeps by whole days",
     "The server ends logins by itself, but knows days only (UTC). The last full day counts, so "
     "that\n"
     "nobody is let in too long.",
     "expires = 2026-12-31T12:00:00Z     # sshd: 2026-12-30T23:59:59Z",
     "Write a date without a time, which is kept exactly, or give the keys their own expires."},
    {code::kForeign, "live, and declared nowhere",
     "Something stands in our managed scope that no declaration names. The operator's\n"
     "manage.foreign says what becomes of it: ignore, report (the default), remove, or "
     "quarantine:\n"
     "  account         locked for every way in, its sessions ended; never deleted\n"
     "  key             of an account that declares its keys: its lines stay in the file of keys "
     "as\n"
     "                  comments (\"# postern-quarantine: ...\") and open nothing; never deleted\n"
     "  rule, entry, directory group: reported only; a rule by other hands is never written\n"
     "What is declared as a whole (keys, members, grants) wins over ignore and report: a key or a\n"
     "member that is added by hand is removed. Keys of an account that declares none are nobody's "
     "here.",
     "account tmpuser on edge-ftp",
     "Declare it, remove it by hand, or let the operator set foreign = \"remove\". What was put "
     "in\n"
     "quarantine comes back when it is declared."},
    {code::kSourceDiffers, "an account of a directory isn't as it is declared",
     "The host doesn't have it from the directory as its declaration says: it isn't there, one of "
     "the "
     "host's\n"
     "own stands before it, or its login folder is another one. Its entry is never written at the "
     "host, so\n"
     "that is left to people; what would open it is held until then.",
     "the host doesn't know bea from directory:corp",
     "`getent passwd LOGIN` on the host says what it knows. Mend the entry, the host's group or "
     "the "
     "declaration."},
    {code::kUnstable, "a reading that can't be relied on",
     "The total of a listing moved while its pages were read, so somebody may be missing in it or\n"
     "stand in it twice. Nothing follows from what it lacks or shows too much: what would is held\n"
     "and counted. What the declarations take away goes on; absence is asked for by name.",
     "warning[W0505]: the iam user objects of iam:corp can't be relied on: the total moved\n"
     "from 1,000 to 950",
     "Plan again when the system is at rest."},
};

}  // namespace

std::span<const CodePage> PlanCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
