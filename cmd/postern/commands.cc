// The command table.
#include "cmd/postern/command.h"

namespace postern::cmd {
namespace {

constexpr Command kCommands[] = {
    {"init", "write a commented first tree",
     "Writes operator/postern.toml and access/*.toml, commented, into a folder.\n"
     "Nothing that exists is overwritten.\n\n"
     "  postern init\n  postern init ~/access-as-code",
     &DefineInit},
    {"validate", "check what is declared, without any target",
     "Reads all declarations and reports every mistake with file, line and a way out.\n"
     "Talks to no target.\n\n"
     "  postern validate",
     &DefineValidate},
    {"plan", "say who would gain or lose what, where; change nothing",
     "Compares the declarations with what is live. Nothing is changed.\n\n"
     "  postern plan\n"
     "  postern plan --out change.postern          then: postern apply change.postern\n"
     "  postern plan --as-of 2027-01-01            what ends by then",
     &DefinePlan},
    {"show", "show a plan again",
     "Shows a saved plan, or the last one made here.\n\n"
     "  postern show --detail\n  postern show change.postern --json",
     &DefineShow},
    {"apply", "carry a plan out, revocations first",
     "Plans, asks and carries it out; or applies a saved plan, if it still stands.\n"
     "Interrupted, it is simply started again: the next apply finds what was left.\n\n"
     "  postern apply\n  postern apply change.postern --yes         in CI",
     &DefineApply},
    {"drift", "say what has changed behind our back",
     "Compares what is live with what was applied last. Exit code 2 when something drifted.\n\n"
     "  postern drift",
     &DefineDrift},
    {"access who", "who reaches a folder",
     "Names everybody who reaches a folder, and by which account, group and grant.\n\n"
     "  postern access who acme-inbound\n  postern access who acme-inbound --live",
     &DefineAccessWho},
    {"access what", "what an identity reaches",
     "Names all that a person, partner or login reaches, and by which path.\n\n"
     "  postern access what partner:acme\n  postern access what li.wong --live",
     &DefineAccessWhat},
    {"access expiring", "which grants end soon, and who closes them",
     "Lists grants that end soon.\n\n  postern access expiring --within 90d",
     &DefineAccessExpiring},
    {"explain", "explain a code, or all that is known of one thing",
     "Explains a diagnostic's code, or says what is declared, recorded and live of one thing.\n\n"
     "  postern explain E0204\n  postern explain account:edge-ftp/acme-in\n"
     "  postern explain folder:acme-inbound",
     &DefineExplain},
    {"ledger", "what has been applied, by whom", "", &DefineLedgerList},
    {"ledger list", "what has been applied, newest first",
     "Lists applies, newest first.\n\n  postern ledger list", &DefineLedgerList},
    {"ledger show", "one apply with its plan and outcomes",
     "Shows one apply: who, when, which plan, what came of each step.\n\n"
     "  postern ledger show 12\n  postern ledger show            the last one",
     &DefineLedgerShow},
    {"ledger verify", "check the event log's chain",
     "Recomputes the hash chain over all events and the recorded state from them.\n\n"
     "  postern ledger verify",
     &DefineLedgerVerify},
    {"providers", "which provider serves which target", "", &DefineProvidersList},
    {"providers list", "which provider serves which target",
     "Lists targets with the provider that serves them. Talks to none.\n\n"
     "  postern providers list",
     &DefineProvidersList},
    {"providers doctor", "what the targets still need, with the lines to add",
     "Asks every target whether it is ready to be managed.\n\n  postern providers doctor",
     &DefineProvidersDoctor},
    {"schema", "JSON Schema of the declarations, for editors",
     "Prints the JSON Schema that editors complete and check with.\n\n"
     "  postern schema > .postern/access.schema.json\n"
     "  postern schema --operator > .postern/operator.schema.json",
     &DefineSchema},
    {"version", "which version this is", "  postern version", &DefineVersion},
    {"completion", "completion script for bash, zsh or fish",
     "Prints a completion script.\n\n  source <(postern completion bash)", &DefineCompletion},
};

}  // namespace

std::span<const Command> AllCommands() {
  return kCommands;
}

}  // namespace postern::cmd
