// The command table.
#include "cmd/postern/command.h"

namespace postern::cmd {
namespace {

// Of commands that ask no target, that ask some, and of those with answers of their own.
constexpr std::initializer_list<Exit> kWork = {kOk, kError};
constexpr std::initializer_list<Exit> kAsks = {kOk, kError, kIncomplete};
constexpr std::initializer_list<Exit> kPlan = {kOk, kError, kPending, kRefused, kIncomplete};
constexpr std::initializer_list<Exit> kApply = {kOk,    kError,  kRefused,
                                                kStale, kPartly, kIncomplete};
constexpr std::initializer_list<Exit> kJob = {kOk, kError, kRefused, kPartly, kIncomplete};
constexpr std::initializer_list<Exit> kDrift = {kOk, kError, kPending, kIncomplete};

constexpr Command kCommands[] = {
    {"init", "write a commented first tree",
     "Writes operator/postern.toml and access/*.toml, commented, into a folder.\n"
     "Nothing that exists is overwritten.\n\n"
     "  postern init\n  postern init ~/access-as-code",
     kWork, &DefineInit},
    {"validate", "check what is declared, without any target",
     "Reads all declarations and reports every mistake with file, line and a way out.\n"
     "Talks to no target.\n\n"
     "  postern validate",
     kWork, &DefineValidate},
    {"plan", "say who would gain or lose what, where; change nothing",
     "Compares the declarations with what is live. Nothing is changed.\n\n"
     "  postern plan\n"
     "  postern plan --out change.postern          then: postern apply change.postern\n"
     "  postern plan --as-of 2027-01-01            what ends by then",
     kPlan, &DefinePlan},
    {"show", "show a plan again",
     "Shows a saved plan, or the last one made here.\n\n"
     "  postern show --detail\n  postern show change.postern --json",
     kWork, &DefineShow},
    {"apply", "carry a plan out, revocations first",
     "Plans, asks and carries it out; or applies a saved plan, if it still stands.\n"
     "Interrupted, it is simply started again: the next apply finds what was left.\n\n"
     "  postern apply\n  postern apply change.postern --yes         in CI",
     kApply, &DefineApply},
    {"snapshot", "write all that is live into one file",
     "Reads every managed scope as a whole and writes it into a file that `postern restore` "
     "takes:\n"
     "entries, users, groups, accounts, keys, rows of access. Passwords and contents of files\n"
     "aren't in it.\n\n"
     "  postern snapshot --out corp.snapshot",
     kAsks, &DefineSnapshot},
    {"restore", "give back what is gone since a snapshot",
     "Makes what a snapshot holds live again where it is gone or changed; takes nothing away.\n"
     "Shows the plan and asks, as apply does. What passwords were isn't known: those that are\n"
     "declared are set anew.\n\n"
     "  postern restore --plan corp.snapshot      what it would do\n"
     "  postern restore corp.snapshot",
     kApply, &DefineRestore},
    {"drift", "say what has changed behind our back",
     "Compares what is live with what was applied last. Exit code 2 when something drifted.\n\n"
     "  postern drift",
     kDrift, &DefineDrift},
    {"access", "who may do what",
     "Answers from the declarations, or with --live from what the servers have.\n\n"
     "  postern access who acme-inbound\n  postern access what partner:acme --live\n"
     "  postern access expiring --within 90d",
     kAsks, nullptr},
    {"access who", "who reaches a folder",
     "Names everybody who reaches a folder, and by which account, group and grant.\n\n"
     "  postern access who acme-inbound\n  postern access who acme-inbound --live",
     kAsks, &DefineAccessWho},
    {"access what", "what an identity reaches",
     "Names all that a person, partner or login reaches, and by which path.\n\n"
     "  postern access what partner:acme\n  postern access what li.wong --live",
     kAsks, &DefineAccessWhat},
    {"access expiring", "which grants end soon, and who closes them",
     "Lists grants that end soon.\n\n  postern access expiring --within 90d", kWork,
     &DefineAccessExpiring},
    {"explain", "explain a code, or all that is known of one thing",
     "Explains a diagnostic's code, or says what is declared, recorded and live of one thing.\n\n"
     "  postern explain E0204\n  postern explain account:edge-ftp/acme-in\n"
     "  postern explain folder:acme-inbound",
     kAsks, &DefineExplain},
    {"ledger", "what has been applied, by whom",
     "Lists applies, newest first; with a further word it says more of one, or checks the log.\n\n"
     "  postern ledger\n  postern ledger show 12\n  postern ledger verify",
     kWork, &DefineLedgerList},
    {"ledger list", "what has been applied, newest first",
     "Lists applies, newest first.\n\n  postern ledger list", kWork, &DefineLedgerList},
    {"ledger show", "one apply with its plan and outcomes",
     "Shows one apply: who, when, which plan, what came of each step.\n\n"
     "  postern ledger show 12\n  postern ledger show            the last one",
     kWork, &DefineLedgerShow},
    {"ledger verify", "check the event log's chain",
     "Recomputes the hash chain over all events and the recorded state from them.\n\n"
     "  postern ledger verify",
     kWork, &DefineLedgerVerify},
    {"providers", "which provider serves which target",
     "Lists targets with the provider that serves them; doctor asks them what they still need.\n\n"
     "  postern providers\n  postern providers doctor",
     kWork, &DefineProvidersList},
    {"providers list", "which provider serves which target",
     "Lists targets with the provider that serves them. Talks to none.\n\n"
     "  postern providers list",
     kWork, &DefineProvidersList},
    {"providers doctor", "what the targets still need, with the lines to add",
     "Asks every target whether it is ready to be managed.\n\n  postern providers doctor", kAsks,
     &DefineProvidersDoctor},
    {"job", "exports and imports that run by themselves",
     "Says when jobs run and how they stand; runs one that is installed here, and tells what it\n"
     "has done. An export needs no tree: it goes by the sealed specification of the applied\n"
     "generation. An import plans and applies by the tree and the ledger.\n\n"
     "  postern job next\n  postern job status\n  postern job history export.users",
     kAsks, nullptr},
    {"job next", "when jobs run next",
     "Says when jobs run next, by their zone and in UTC. Talks to no target. A time that a change\n"
     "of clocks skips runs at the first moment after it; one that comes twice runs once.\n\n"
     "  postern job next\n  postern job next export.people --count 20",
     kWork, &DefineJobNext},
    {"job status", "how jobs stand on their runners",
     "Asks the runners: what is installed, running, and how the last run ended.\n\n"
     "  postern job status\n  postern job status export.people --json\n  postern job status "
     "--metrics",
     kAsks, &DefineJobStatus},
    {"job run", "wake a job: make and deliver what is due",
     "Delivers what an earlier run left, then makes and delivers a file for each slot that is\n"
     "due. Killed anywhere and started again it ends with the same names and bytes, once.\n\n"
     "  postern job run export.users\n"
     "  postern job run export.users --slot now      whether it is due or not\n"
     "  postern job run export.users --full          instead of a delta",
     kJob, &DefineJobRun},
    {"job history", "what a job has done, newest first",
     "Lists runs, and slots that gave no file, newest first; of an import its files, and under "
     "each\n"
     "who held, released, accepted and applied it, why, and whether the releaser's signature "
     "holds.\n\n"
     "  postern job history export.users\n  postern job history import.acme-roster",
     kWork, &DefineJobHistory},
    {"job schema", "what an export's XML file looks like, for its receiver",
     "Prints a W3C XML Schema of exactly what the export writes. Talks to no target.\n\n"
     "  postern job schema export.people > people.xsd",
     kWork, &DefineJobSchema},
    {"job verify", "check the evidence of a run",
     "Holds file, manifest, history and specification against each other; of an import the kept\n"
     "file, its state, the ledger and each release's signature. Talks to nothing.\n\n"
     "  postern job verify export.users 41\n  postern job verify import.acme-roster 4f2c81",
     kWork, &DefineJobVerify},
    {"job release", "let a held import go on, by a second person's signature",
     "A file that would do more than its import's thresholds allow is held. Prints the text that "
     "says which\nplan of which file, and why; with a releaser's signature over it the next run "
     "applies it. Never of\nwho ran it, himself or by sudo.\n\n"
     "  why='the night shift ended'\n"
     "  postern job release acme-roster 4f2c81 --reason \"$why\" > text\n"
     "  ssh-keygen -Y sign -n postern-release -f ~/.ssh/id_ed25519 text\n"
     "  postern job release acme-roster 4f2c81 --reason \"$why\" --signature text.sig",
     kWork, &DefineJobRelease},
    {"schema", "JSON Schema of the declarations, of plans and of events",
     "Prints the JSON Schema that editors complete and check with, or that of a plan as\n"
     "plan --json prints it, or of the events that ledger show --json prints.\n\n"
     "  postern schema > .postern/access.schema.json\n"
     "  postern schema operator > .postern/operator.schema.json\n"
     "  postern schema plan > plan.schema.json",
     kWork, &DefineSchema},
    {"version", "which version this is",
     "Says which version this is, and of which formats.\n\n  postern version", kWork,
     &DefineVersion},
    {"completion", "completion script for bash, zsh or fish",
     "Prints a completion script, made from the commands that this version has.\n\n"
     "  postern completion bash > ~/.local/share/bash-completion/completions/postern\n"
     "  postern completion fish > ~/.config/fish/completions/postern.fish",
     kWork, &DefineCompletion},
};

}  // namespace

std::span<const Command> AllCommands() {
  return kCommands;
}

}  // namespace postern::cmd
