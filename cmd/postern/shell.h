// cmd/postern/shell.h: the terminal or pipe that a command talks to, and the global options.
//
// Results go to stdout, all else (diagnostics, progress, questions) to stderr; with --json stdout
// carries the JSON and nothing else. One Shell a process; main thread only unless said.
#pragma once
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/diag/diagnostic.h"
#include "core/view/style.h"

namespace postern::cmd {

inline constexpr char kTwoForms[] = "--json and --markdown are two forms of one answer";

struct Globals {
  std::string operator_file = "operator/postern.toml";
  std::string tree;
  bool json = false, no_color = false, quiet = false;
};

class Shell {
 public:
  Globals globals;

  // Looks at the terminal, the locale and the environment; call once, after the options are known.
  void Begin();

  std::ostream& out() { return std::cout; }
  std::ostream& err() { return std::cerr; }
  bool json() const { return globals.json; }
  const view::Style& style() const { return style_; }
  const view::Style& err_style() const { return err_style_; }
  bool out_terminal() const { return out_terminal_; }
  bool err_terminal() const { return err_terminal_; }
  // Somebody is there to answer a question.
  bool interactive() const { return in_terminal_ && err_terminal_; }

  // Result text; nothing with --json.
  void Say(std::string_view text);
  // Side remark on stderr; nothing with --quiet.
  void Note(std::string_view text);
  // Errors always, warnings and notes unless --quiet; more than `most` of those are
  // counted (0: not even that).
  void Print(const diag::Diagnostics& diagnostics, const diag::Sources& sources,
             size_t most = SIZE_MAX);
  // One error without a place in a file; answers the exit code 1. JSON when that was asked for.
  int Fail(diag::Diagnostic diagnostic);
  // Kept among what was told, and printed by nobody: it stands elsewhere in the output.
  void Keep(diag::Diagnostic diagnostic) { told_.Add(std::move(diagnostic)); }
  // Likewise; places in files become text, as the files may be gone when it is told.
  void Keep(const diag::Diagnostics& diagnostics, const diag::Sources& sources);
  // All that Print and Fail were given, for who must tell it once more.
  const diag::Diagnostics& told() const { return told_; }
  // A command line that can't be meant.
  int Usage(std::string summary, std::string way_out);
  int Fail(const char* code, const Error& error, std::string subject = {});
  // Prints the question, reads a line; only "yes" or "y" is yes.
  bool Ask(std::string_view question);

 private:
  view::Style style_, err_style_;
  diag::Diagnostics told_;
  bool in_terminal_ = false, out_terminal_ = false, err_terminal_ = false;
};

// user@machine, for the ledger.
std::string WhoAmI();
// Who may have had this user run the program, as user@machine, none twice: whose session it is
// (audit's loginuid, which stays through su and sudo) and who called sudo. The environment is only
// ever believed against somebody: a SUDO_USER that was made up adds one who may not release.
std::vector<std::string> WhoIsBehind();

}  // namespace postern::cmd
