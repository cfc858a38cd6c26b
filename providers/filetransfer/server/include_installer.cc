#include "providers/filetransfer/server/include_installer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/base/kill_point.h"

namespace postern::filetransfer {
namespace {

constexpr std::string_view kPendingMark = "# postern-pending ";

}  // namespace

std::string PendingPathOf(const std::string& include) {
  const size_t slash = include.rfind('/');
  return fmt::format("{}/.postern-pending-{}", include.substr(0, slash), include.substr(slash + 1));
}

std::string PendingHeader(const DaemonState& daemon) {
  std::string out =
      fmt::format("{}pid={} start={} sockets=", kPendingMark, daemon.pid, daemon.start);
  for (const uint64_t socket : daemon.sockets) out += fmt::format("{},", socket);
  return out + "\n";
}

std::string PendingText(const FileState& pending) {
  return pending.content.substr(std::min(pending.content.find('\n') + 1, pending.content.size()));
}

bool IsStillLoaded(const FileState& pending, const DaemonState& daemon) {
  return daemon.alive() && pending.content.starts_with(PendingHeader(daemon));
}

// What the daemon had loaded when it was last seen alive: the note of an interrupted run, which
// holds as long as no other generation runs, or the include.
std::string IncludeInstaller::LoadedText() const {
  const bool holds = include_.pending.presence == Presence::kPresent &&
                     (!include_.daemon.alive() || IsStillLoaded(include_.pending, include_.daemon));
  return holds ? PendingText(include_.pending) : include_.file.content;
}

// A daemon ran when an include was swapped, and none runs now: the run that swapped it was killed
// between stopping and starting it, or the daemon died of it. Nobody else's stop is undone.
bool IncludeInstaller::OwesAStart() const {
  return !include_.daemon.alive() && include_.pending.presence == Presence::kPresent &&
         !include_.pending.content.starts_with(PendingHeader(DaemonState{}));
}

Result<void> IncludeInstaller::Load(std::string_view text) {
  const LoadRule rule = rule_(text, include_.control.patience);
  return Daemon(transport_, include_.control).Reload(rule.restart, rule.limit);
}

Result<void> IncludeInstaller::SwapIn(const std::string& text) {
  const FileState& file = include_.file;
  const FileState& pending = include_.pending;
  const bool there = file.presence == Presence::kPresent;
  std::vector<FileChange> changes;
  const std::string note = (OwesAStart() ? pending.content.substr(0, pending.content.find('\n') + 1)
                                         : PendingHeader(include_.daemon)) +
                           LoadedText();
  // A note of an interrupted run that still holds stays.
  if (pending.presence != Presence::kPresent || pending.content != note) {
    changes.push_back(
        {.path = pending.path, .expect = pending.digest, .content = note, .mode = 0600});
  }
  if (!there || file.content != text) {
    changes.push_back({.path = file.path,
                       .expect = there ? file.digest : std::string(kAbsent),
                       .content = text,
                       .mode = there ? file.mode : 0644,
                       .uid = file.uid,
                       .gid = file.gid,
                       .own = there});
  }
  auto staged = Stage(transport_, std::move(changes));
  if (!staged) return tl::unexpected(staged.error());
  base::KillPoint("filetransfer.before-rename");
  auto swapped = Swap(transport_, *staged);
  base::KillPoint("filetransfer.after-rename");
  return swapped;
}

Result<void> IncludeInstaller::Install(const std::string& text) {
  if (auto swapped = SwapIn(text); !swapped) return swapped;
  if (include_.daemon.alive() || OwesAStart()) {
    base::KillPoint("filetransfer.before-reload");
    auto loaded = Load(text);
    base::KillPoint("filetransfer.after-reload");
    if (!loaded) return PutBack(text, loaded.error());
  }
  DropPending();
  return {};
}

Result<void> IncludeInstaller::PutBack(const std::string& written, const Error& why) {
  const FileState& file = include_.file;
  const std::string before = LoadedText();
  const bool there = file.presence == Presence::kPresent;
  FileChange change{.path = file.path,
                    .expect = base::Hex(base::Sha256(written)),
                    .content = before,
                    .mode = there ? file.mode : 0644,
                    .uid = file.uid,
                    .gid = file.gid,
                    .own = there};
  if (!there && before.empty()) change.action = Action::kDrop;
  auto staged = Stage(transport_, {std::move(change)});
  auto swapped = staged ? Swap(transport_, *staged) : tl::unexpected(staged.error());
  if (!swapped) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{}; and putting the include back failed: {}",
                                                     why.message, swapped.error().message));
  }
  // A daemon that could not be told anything has loaded nothing.
  if (why.code != ErrorCode::kDenied) {
    if (auto loaded = Load(before); !loaded) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{}; the include before is in its place again, but: {}", why.message,
                              loaded.error().message));
    }
  }
  DropPending();
  return Fail(ErrorCode::kDenied, why.message + "; the include before is in force again");
}

void IncludeInstaller::DropPending() {
  const std::string& path = include_.pending.path;
  auto now = ReadFiles(transport_, std::vector<std::string>{path});
  if (!now || now->at(path).presence != Presence::kPresent) return;
  // A leftover says nothing wrong: it names a generation of the daemon that is gone.
  auto staged =
      Stage(transport_, {{.action = Action::kDrop, .path = path, .expect = now->at(path).digest}});
  if (staged) (void)Swap(transport_, *staged);
}

}  // namespace postern::filetransfer
