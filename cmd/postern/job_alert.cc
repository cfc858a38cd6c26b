#include "cmd/postern/job_alert.h"

#include <fmt/format.h>
#include <sys/mman.h>
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
    if (last->has_file()) json.TimeField("file", last->file());
    json.End();
  }
  view::WriteDiagnostics(json, shell.told(), {});
  json.End();
  return OnOneLine(text.str());
}

// A file in memory: a full disk is one of the things to be told.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_(memfd_create("alert", MFD_CLOEXEC)) {
    if (fd_ < 0 || !jobs::WriteAll(fd_, text, "alert")) return;
    lseek(fd_, 0, SEEK_SET);
  }
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  int fd() const { return fd_; }

  std::string FirstLine() const {
    char text[512];
    const ssize_t got = pread(fd_, text, sizeof text, 0);
    const std::string_view line(text, got < 0 ? 0 : static_cast<size_t>(got));
    return std::string(line.substr(0, line.find('\n')));
  }

 private:
  int fd_;
};

// Why the program could not tell; empty: it did. What it leaves behind holds no pipe of ours, so
// the run isn't kept waiting for that.
std::string WhyNotTold(const decl::Strings& alert, const std::string& text) {
  const MemoryFile input(text), said("");
  if (input.fd() < 0 || said.fd() < 0) return "there is no memory for it";
  std::vector<std::string> words = {"-c",      "exec \"$@\" 2>&1 3>&-", "sh",
                                    "timeout", "--kill-after=5",        kSeconds};
  words.insert(words.end(), alert.values().begin(), alert.values().end());
  const auto done = jobs::RunChild("sh", words, input.fd(), said.fd());
  if (!done) return done.error().message;
  if (done->exit == 0) return "";
  if (done->exit == 124) return fmt::format("{} took more than {} s", alert.values(0), kSeconds);
  const std::string line = said.FirstLine();
  return line.empty() ? fmt::format("{} ended with {}", alert.values(0), done->exit) : line;
}

// A look that found nothing to do says nothing about what was wrong.
bool DidGood(const EndedRun& run) {
  if (run.exit != kOk || run.missed) return false;
  const auto last = jobs::ReadLast(run.folder + "/last.json");
  if (!last || last->ended() < run.at || !jobs::IsGood(last->outcome())) return false;
  return run.spec.has_export_() || last->outcome() != jobs::kNothing;
}

}  // namespace

void AlertOf(Shell& shell, const EndedRun& run) {
  const decl::Strings& alert = run.spec.runner().alert();
  if (alert.values().empty() || run.overlapped) return;
  const std::string path = run.folder + "/alert.json";
  const bool bad = run.exit != kOk || run.missed;
  std::error_code failed;
  if (!bad && (!DidGood(run) || !std::filesystem::exists(path, failed))) return;
  const std::string text = AlertJson(shell, run);
  const auto kept = jobs::ReplaceFile(path, text);
  const std::string why = WhyNotTold(alert, text);
  if (why.empty() && !bad) std::filesystem::remove(path, failed);
  if (why.empty()) return;
  diag::Diagnostics all;
  auto& one = all.Add({.severity = diag::Severity::kWarning,
                       .code = diag::code::kAlertFailed,
                       .summary = fmt::format("nobody was told of this run: {}", why),
                       .subject = run.spec.name()});
  one.notes.push_back(
      fmt::format("alert of runner \"{}\" names the program", run.spec.runner().name()));
  one.notes.push_back(kept ? path + " is what it would have got" : kept.error().message);
  shell.Print(all, {});
}

}  // namespace postern::cmd
