// cmd/postern/command.h: how a command says its options. A new command is one file plus one row in
// commands.cc; only cli.cc knows the library that reads the command line.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cmd/postern/exit_code.h"
#include "cmd/postern/shell.h"

namespace postern::cmd {

// One option or positional of a command. Exactly one of the three places is set.
struct Argument {
  std::string name;   // "--out" or, positional, "PLANFILE"
  std::string value;  // what stands for the value in help: "FILE"
  std::string help;
  bool* flag = nullptr;
  std::string* text = nullptr;
  std::vector<std::string>* many = nullptr;
  std::vector<std::string> choices;
  bool required = false;
  bool positional() const { return !name.starts_with("-"); }
};

using Arguments = std::vector<Argument>;
using Run = std::function<int(Shell&)>;

struct Command {
  const char* name;  // "plan", "ledger list"; a parent alone: what runs without a further word
  const char* summary;
  const char* help;  // what it does and an example, for --help
  std::initializer_list<Exit> exits;
  // Fills the arguments and answers what to run once they are read. Null: a word must follow.
  Run (*define)(Arguments& arguments);
};

std::span<const Command> AllCommands();

// Parses and runs. Never throws.
int RunCommandLine(int argc, char** argv);

// The script that `postern completion SHELL` prints, made from the command table.
std::string CompletionScript(const std::string& shell);

Run DefineInit(Arguments& arguments);
Run DefineValidate(Arguments& arguments);
Run DefinePlan(Arguments& arguments);
Run DefineShow(Arguments& arguments);
Run DefineApply(Arguments& arguments);
Run DefineDrift(Arguments& arguments);
Run DefineSnapshot(Arguments& arguments);
Run DefineRestore(Arguments& arguments);
Run DefineAccessWho(Arguments& arguments);
Run DefineAccessWhat(Arguments& arguments);
Run DefineAccessExpiring(Arguments& arguments);
Run DefineExplain(Arguments& arguments);
Run DefineLedgerList(Arguments& arguments);
Run DefineLedgerShow(Arguments& arguments);
Run DefineLedgerVerify(Arguments& arguments);
Run DefineProvidersList(Arguments& arguments);
Run DefineProvidersDoctor(Arguments& arguments);
Run DefineJobRun(Arguments& arguments);
Run DefineJobHistory(Arguments& arguments);
Run DefineJobVerify(Arguments& arguments);
Run DefineSchema(Arguments& arguments);
Run DefineJobNext(Arguments& arguments);
Run DefineJobStatus(Arguments& arguments);
Run DefineJobSchema(Arguments& arguments);
Run DefineJobRelease(Arguments& arguments);
Run DefineVersion(Arguments& arguments);
Run DefineCompletion(Arguments& arguments);

}  // namespace postern::cmd
