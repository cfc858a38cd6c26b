// The command line, read by CLI11. Nothing else in Postern knows that library.
#include <CLI/CLI.hpp>
#include <map>

#include "cmd/postern/command.h"
#include "core/diag/codes.h"

namespace postern::cmd {
namespace {

// Option values live as long as the parse and the run.
struct Parsed {
  Arguments arguments;
  Run run;
};

class Line {
 public:
  explicit Line(Shell& shell) : shell_(shell), app_("Postern: file-transfer access as code.") {
    app_.name("postern");
    app_.fallthrough();
    app_.require_subcommand(1);
    app_.footer(
        "First steps: postern init, postern validate, postern plan, postern apply.\n"
        "Exit codes: 0 done or nothing to do, 1 error, 2 changes pending or drift, 3 refused by a\n"
        "limit, 4 the plan is stale, 5 applied in part, 6 a target was not observed.");
    AddGlobals();
    for (const Command& command : AllCommands()) Add(command);
  }

  int Run(int argc, char** argv) {
    if (argc <= 1) {
      std::cout << app_.help() << std::flush;
      return kOk;
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      const int code = app_.exit(error, std::cout, std::cerr);
      return code == 0 ? kOk : kError;
    }
    shell_.Begin();
    if (!chosen_) return kError;
    return chosen_(shell_);
  }

 private:
  void AddGlobals() {
    Globals& globals = shell_.globals;
    app_.add_option("--operator", globals.operator_file, "the operator's file")
        ->envname("POSTERN_OPERATOR")
        ->type_name("FILE")
        ->capture_default_str();
    app_.add_option("--tree", globals.tree,
                    "the reviewed tree (default: what the operator's file says)")
        ->type_name("DIR");
    app_.add_flag("--json", globals.json, "JSON on stdout, for machines");
    app_.add_flag("--no-color,--no-colour", globals.no_color, "no colour (also: NO_COLOR=1)");
    app_.add_flag("--quiet,-q", globals.quiet, "no progress, warnings or notes");
  }

  CLI::App* Parent(const std::string& name) {
    auto [at, fresh] = parents_.try_emplace(name, nullptr);
    if (fresh) {
      at->second = app_.add_subcommand(name, name == "access" ? "who may do what" : "");
      at->second->fallthrough();
      at->second->require_subcommand(name == "access" ? 1 : 0, 1);
    }
    return at->second;
  }

  void Add(const Command& command) {
    const std::string name = command.name;
    const size_t blank = name.find(' ');
    auto parsed = std::make_shared<Parsed>();
    parsed->run = command.define(parsed->arguments);
    kept_.push_back(parsed);
    if (blank == std::string::npos && (name == "ledger" || name == "providers")) {
      CLI::App* parent = Parent(name);
      parent->description(command.summary);
      // Runs before a further word's callback, which then takes its place.
      parent->preparse_callback([this, parsed](size_t) { chosen_ = parsed->run; });
      return;
    }
    CLI::App* owner = blank == std::string::npos ? &app_ : Parent(name.substr(0, blank));
    CLI::App* app = owner->add_subcommand(
        blank == std::string::npos ? name : name.substr(blank + 1), command.summary);
    app->fallthrough();
    app->footer(command.help);
    for (const Argument& argument : parsed->arguments) AddArgument(app, argument);
    app->preparse_callback([this, parsed](size_t) { chosen_ = parsed->run; });
  }

  static void AddArgument(CLI::App* app, const Argument& argument) {
    CLI::Option* option = nullptr;
    if (argument.flag != nullptr) {
      option = app->add_flag(argument.name, *argument.flag, argument.help);
    } else if (argument.many != nullptr) {
      option = app->add_option(argument.name, *argument.many, argument.help);
    } else {
      option = app->add_option(argument.name, *argument.text, argument.help);
    }
    if (!argument.value.empty()) option->type_name(argument.value);
    if (!argument.choices.empty()) option->check(CLI::IsMember(argument.choices));
    option->required(argument.required);
  }

  Shell& shell_;
  CLI::App app_;
  std::map<std::string, CLI::App*> parents_;
  std::vector<std::shared_ptr<Parsed>> kept_;
  cmd::Run chosen_;
};

}  // namespace

int RunCommandLine(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  Shell shell;
  try {
    return Line(shell).Run(argc, argv);
  } catch (const std::exception& error) {
    // Only libraries throw (memory, streams); a bug of ours aborts instead.
    std::cerr << "postern: " << error.what() << "\n";
    return kError;
  }
}

}  // namespace postern::cmd
