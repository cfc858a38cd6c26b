#include "cmd/postern/shell.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cstdlib>
#include <cstring>

#include "core/diag/codes.h"
#include "core/diag/render.h"
#include "core/diag/text.h"
#include "core/jobs/files.h"

namespace postern::cmd {
namespace {

constexpr unsigned kNarrowest = 60, kWidest = 160, kPipe = 100;
constexpr uid_t kNoSession = 4294967295;  // audit_session(7): not set

// Before there is another thread: the environment and the locale are looked at here alone.
// NOLINTBEGIN(concurrency-mt-unsafe)
unsigned WidthOf(int descriptor, bool terminal) {
  winsize size{};
  if (terminal && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return std::clamp<unsigned>(size.ws_col, kNarrowest, kWidest);
  }
  const char* columns = std::getenv("COLUMNS");
  const long asked = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
  return asked > 0 ? std::clamp<unsigned>(static_cast<unsigned>(std::min(asked, 1000L)), kNarrowest,
                                          kWidest)
                   : kPipe;
}

bool WantsColour(bool terminal, const Globals& globals) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (!terminal || globals.no_color) return false;
  if (no_color != nullptr && *no_color != '\0') return false;
  return term != nullptr && std::strcmp(term, "dumb") != 0;
}
// NOLINTEND(concurrency-mt-unsafe)

}  // namespace

void Shell::Begin() {
  std::setlocale(LC_CTYPE, "");  // NOLINT(concurrency-mt-unsafe): as above
  const bool unicode =
      std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;  // NOLINT(concurrency-mt-unsafe): as above
  in_terminal_ = isatty(STDIN_FILENO) == 1;
  out_terminal_ = isatty(STDOUT_FILENO) == 1;
  err_terminal_ = isatty(STDERR_FILENO) == 1;
  style_ = {WantsColour(out_terminal_, globals), unicode, WidthOf(STDOUT_FILENO, out_terminal_)};
  err_style_ = {WantsColour(err_terminal_, globals), unicode,
                WidthOf(STDERR_FILENO, err_terminal_)};
}

void Shell::Say(std::string_view text) {
  if (!json()) out() << text << std::flush;
}

void Shell::Note(std::string_view text) {
  if (!globals.quiet) err() << text << std::flush;
}

void Shell::Print(const diag::Diagnostics& diagnostics, const diag::Sources& sources, size_t most) {
  Keep(diagnostics, sources);
  diag::Diagnostics shown;
  size_t others = 0;
  for (const diag::Diagnostic& diagnostic : diagnostics.all()) {
    const bool error = diagnostic.severity == diag::Severity::kError;
    if (!error && (globals.quiet || others++ >= most)) continue;
    shown.Add(diagnostic);
  }
  if (shown.empty()) return;
  err() << diag::Render(shown, sources, {err_style_.colour, err_style_.width}) << "\n";
  if (!globals.quiet && most > 0 && others > most) {
    err() << fmt::format("... and {} more warnings and notes: postern validate\n\n", others - most);
  }
}

void Shell::Keep(const diag::Diagnostics& diagnostics, const diag::Sources& sources) {
  for (diag::Diagnostic one : diagnostics.all()) {
    if (one.span.known() && one.subject.empty()) one.subject = sources.Place(one.span);
    one.span = {};
    one.also.clear();
    told_.Add(std::move(one));
  }
}

int Shell::Fail(diag::Diagnostic diagnostic) {
  const diag::Sources none;
  diag::Diagnostics all;
  all.Add(std::move(diagnostic));
  Keep(all, none);
  if (json()) {
    out() << diag::RenderJson(all, none) << std::flush;
  } else {
    err() << diag::Render(all, none, {err_style_.colour, err_style_.width});
  }
  return 1;
}

int Shell::Usage(std::string summary, std::string way_out) {
  return Fail(
      {.code = diag::code::kUsage, .summary = std::move(summary), .notes = {std::move(way_out)}});
}

int Shell::Fail(const char* code, const Error& error, std::string subject) {
  return Fail({.code = code, .summary = error.message, .subject = std::move(subject)});
}

bool Shell::Ask(std::string_view question) {
  err() << question << " " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) {
    err() << "\n";  // the cursor still stands behind the question
    return false;
  }
  return answer == "yes" || answer == "y";
}

namespace {

std::string OfThisMachine(const std::string& user) {
  char machine[256] = "";
  if (gethostname(machine, sizeof machine - 1) != 0) std::strcpy(machine, "unknown");
  return fmt::format("{}@{}", user, machine);
}

// NOLINTBEGIN(concurrency-mt-unsafe): main thread
std::string NameOf(uid_t uid) {
  const passwd* user = getpwuid(uid);
  return user != nullptr ? user->pw_name : std::to_string(uid);
}

// Whose session this is; empty: nobody's, such as a timer's, or the kernel keeps no such record.
std::string SessionUser() {
  const auto text = jobs::ReadSmallFile("/proc/self/loginuid");
  uid_t uid = kNoSession;
  if (text) std::from_chars(text->data(), text->data() + text->size(), uid);
  return uid == kNoSession ? "" : NameOf(uid);
}

std::string SudoUser() {
  constexpr size_t kLongest = 256;
  const char* name = std::getenv("SUDO_USER");
  if (name == nullptr || std::strlen(name) > kLongest) return "";
  return diag::Printable(name) == name ? name : "";
}
// NOLINTEND(concurrency-mt-unsafe)

}  // namespace

std::string WhoAmI() {
  return OfThisMachine(NameOf(geteuid()));
}

std::vector<std::string> WhoIsBehind() {
  std::vector<std::string> out;
  const std::string self = NameOf(geteuid());
  for (const std::string& user : {SessionUser(), SudoUser()}) {
    if (user.empty() || user == self) continue;
    const std::string who = OfThisMachine(user);
    if (std::find(out.begin(), out.end(), who) == out.end()) out.push_back(who);
  }
  return out;
}

}  // namespace postern::cmd
