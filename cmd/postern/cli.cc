// The command line, read by CLI11. Nothing else in Postern knows that library.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cmd/postern/command.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"

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
    app_.footer("First steps: postern init, postern validate, postern plan, postern apply.\n\n" +
                ExitCodes({kOk, kError, kPending, kRefused, kStale, kPartly, kIncomplete}));
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
      if (error.get_exit_code() == 0) return app_.exit(error, std::cout, std::cerr);
      for (int i = 1; i < argc; ++i) shell_.globals.json |= std::string_view(argv[i]) == "--json";
      shell_.Begin();
      return Misused(error);
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

  static std::string ExitCodes(std::initializer_list<Exit> codes) {
    std::string text = "Exit codes:";
    for (const Exit code : codes) {
      text += "\n  " + std::to_string(code) + "  " + MeaningOf(code);
    }
    return text;
  }

  // The library's words, but for names: there it says what is near.
  int Misused(const CLI::ParseError& error) {
    CLI::App* app = &app_;
    std::string path = "postern";
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      path += " " + app->get_name();
    }
    const std::vector<std::string> extras = app_.remaining(true);
    std::string summary = error.what();
    std::vector<std::string> notes;
    if (!extras.empty() && error.get_name() != "ValidationError") {
      std::string word = extras.front();
      for (const std::string& extra : extras) {
        if (extra.starts_with("-")) word = extra;
      }
      const bool option = word.starts_with("-");
      const bool command = !option && !app->get_subcommands({}).empty();
      summary = fmt::format("{} has no {} \"{}\"", path,
                            option    ? "option"
                            : command ? "command"
                                      : "place for",
                            word);
      if (const std::string near = NearestTo(word, *app); !near.empty()) {
        notes.push_back("did you mean " + near + "?");
      }
    } else if (error.get_name() == "ArgumentMismatch" && summary.ends_with(" missing")) {
      summary = fmt::format("{}: {} needs a value", path, summary.substr(0, summary.find(':')));
    } else if (error.get_name() == "RequiredError" && !app->get_subcommands({}).empty()) {
      summary = path + ": a command is missing";
    }
    notes.push_back(path + " --help");
    return shell_.Fail({.code = diag::code::kUsage, .summary = summary, .notes = notes});
  }

  std::string NearestTo(const std::string& word, const CLI::App& app) const {
    std::vector<std::string> names;
    for (const CLI::App* scope : {&app, static_cast<const CLI::App*>(&app_)}) {
      for (const CLI::App* command : scope->get_subcommands({}))
        names.push_back(command->get_name());
      for (const CLI::Option* option : scope->get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    return std::string(diag::Nearest(word, views).value_or(""));
  }

  // "ledger" of "ledger list" is a row of its own, before its children's.
  bool IsParent(const std::string& name) const {
    for (const Command& other : AllCommands()) {
      if (std::string_view(other.name).starts_with(name + " ")) return true;
    }
    return false;
  }

  void Add(const Command& command) {
    const std::string name = command.name;
    const size_t blank = name.find(' ');
    auto parsed = std::make_shared<Parsed>();
    if (command.define != nullptr) parsed->run = command.define(parsed->arguments);
    kept_.push_back(parsed);
    CLI::App* owner =
        blank == std::string::npos ? &app_ : app_.get_subcommand(name.substr(0, blank));
    CLI::App* app = owner->add_subcommand(
        blank == std::string::npos ? name : name.substr(blank + 1), command.summary);
    app->fallthrough();
    app->footer(std::string(command.help) +
                "\n\nEvery command takes --operator, --tree, --json, --quiet and --no-color "
                "(postern --help).\n\n" +
                ExitCodes(command.exits));
    if (IsParent(name)) app->require_subcommand(command.define == nullptr ? 1 : 0, 1);
    for (const Argument& argument : parsed->arguments) AddArgument(app, argument);
    // A parent's runs before a further word's, which then takes its place.
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
