#include "cmd/postern/job_alert.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <vector>

#include "cmd/postern/command.h"
#include "core/diag/codes.h"
#include "core/jobs/child.h"
#include "core/jobs/files.h"
#include "core/jobs/history.h"
#include "core/view/json_writer.h"
#include "core/view/plan_json.h"

namespace postern::cmd {
namespace {

constexpr char kSeconds[] = "60";

std::string_view WordOf(const EndedRun& run) {
  switch (run.exit) {
    case kOk:
      return run.missed ? "missed" : "recovered";
    case kRefused:
      return "refused";
    case kPartly:
      return "partly";
    case kIncomplete:
      return "incomplete";
    default:
      return "failed";
  }
}

// On one line, so that a line of a log holds it. Text has no line feed of its own in JSON.
std::string OnOneLine(const std::string& json) {
  std::string out;
  for (size_t at = 0; at < json.size(); ++at) {
    if (json[at] != '\n') {
      out += json[at];
      continue;
    }
    while (at + 1 < json.size() && json[at + 1] == ' ') ++at;
  }
  return out + "\n";
}

std::string AlertJson(const Shell& shell, const EndedRun& run) {
  std::ostringstream text;
  view::JsonWriter json(text);
  const bool exports = run.spec.has_export_();
  json.Object().Field("format", 1).Field("job", run.spec.name());
  json.Field("runner", run.spec.runner().name()).Field("who", WhoAmI());
  json.Optional("owner", exports ? run.spec.export_().owner() : run.spec.import().owner());
  json.Field("outcome", WordOf(run)).Field("exit", run.exit).TimeField("at", run.at);
  if (const auto last = jobs::ReadLast(run.folder + "/last.json")) {
    json.Key("last").Object().Optional("run", last->run()).Field("outcome", last->outcome());
    json.Field("rows", last->rows()).TimeField("ended", last->ended());
    if (last->has_good()) json.TimeField("good", last->good());
    json.End();
  }
  view::WriteDiagnostics(json, shell.told(), {});
  json.End();
  return OnOneLine(text.str());
}

// Why the program could not tell; empty: it did.
std::string WhyNotTold(const decl::Strings& alert, const std::string& path) {
  std::vector<std::string> words = {"--kill-after=5", kSeconds};
  words.insert(words.end(), alert.values().begin(), alert.values().end());
  const int input = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (input < 0) return path + " can't be read";
  const auto done = jobs::RunChild("timeout", words, input);
  close(input);
  if (!done) return done.error().message;
  if (done->exit == 0) return "";
  if (done->exit == 124) return fmt::format("{} took more than {} s", alert.values(0), kSeconds);
  const std::string said = done->messages.substr(0, done->messages.find('\n'));
  return said.empty() ? fmt::format("{} ended with {}", alert.values(0), done->exit) : said;
}

}  // namespace

void AlertOf(Shell& shell, const EndedRun& run) {
  const decl::Strings& alert = run.spec.runner().alert();
  if (alert.values().empty()) return;
  const std::string path = run.folder + "/alert.json";
  const bool bad = run.exit != kOk || run.missed;
  std::error_code failed;
  if (!bad && !std::filesystem::exists(path, failed)) return;
  std::string why;
  if (auto kept = jobs::ReplaceFile(path, AlertJson(shell, run)); !kept) {
    why = kept.error().message;
  } else {
    why = WhyNotTold(alert, path);
  }
  if (why.empty() && !bad) std::filesystem::remove(path, failed);
  if (why.empty()) return;
  diag::Diagnostics all;
  all.Add({.severity = diag::Severity::kWarning,
           .code = diag::code::kAlertFailed,
           .summary = fmt::format("nobody was told of this run: {}", why),
           .subject = run.spec.name(),
           .notes = {fmt::format("alert of runner \"{}\" names the program; {} is what it would "
                                 "have got",
                                 run.spec.runner().name(), path)}});
  shell.Print(all, {});
}

}  // namespace postern::cmd
