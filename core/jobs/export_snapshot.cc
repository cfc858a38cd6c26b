// An export of a snapshot: the sealed file of all that is live, as the file of a run.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "core/diag/codes.h"
#include "core/jobs/export_file.h"
#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;

// A hash over the objects alone: the first line says when it was taken, the last one seals it all.
class Census {
 public:
  void Add(std::string_view piece) {
    for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;) {
      line_ += piece.substr(0, end);
      piece.remove_prefix(end + 1);
      // An object's line is one that isn't the first and that another follows.
      if (lines_++ > 1) hasher_.AddField(held_);
      held_.swap(line_);
      line_.clear();
    }
    line_ += piece;
  }
  std::string Finish() { return base::Hex(hasher_.Finish()); }

 private:
  base::Hasher hasher_;
  std::string line_, held_;
  uint64_t lines_ = 0;
};

}  // namespace

// Nothing: it stands at `path`, and `manifest` has its counts and hashes.
Result<std::optional<Made>> ExportFile::TakeSnapshot(base::Instant taken, const std::string& path,
                                                     Manifest* manifest) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) {
    return Fail(ErrorCode::kUnavailable,
                "write " + path + ": " + std::generic_category().message(errno));
  }
  base::Hasher whole;
  Census census;
  const auto sink = [&](std::string_view piece) {
    whole.Add(piece);
    census.Add(piece);
    manifest->bytes += piece.size();
    return WriteAll(file, piece, path);
  };
  auto objects = ports_.snapshot(taken, sink, diagnostics_);
  const bool kept = fsync(file) == 0;
  close(file);
  if (!objects && objects.error().code == ErrorCode::kIncomplete) {
    return Made{.why = objects.error().message};
  }
  if (!objects) return tl::unexpected<Error>(objects.error());
  if (!kept) return Fail(ErrorCode::kUnavailable, path + " didn't reach the disk");
  report_ = {.seen = *objects, .as_of = taken};
  manifest->rows = *objects;
  manifest->sha256 = base::Hex(whole.Finish());
  manifest->census = census.Finish();
  return std::nullopt;
}

// Gives it its run's folder and its final name.
Result<void> ExportFile::MoveSnapshot(const std::string& from, Manifest* manifest) {
  const std::string folder = FolderOfRun(folder_, manifest->run);
  if (auto made = MakeFolder(folder); !made) return made;
  if (rename(from.c_str(), (folder + "/rows").c_str()) != 0) {
    return Fail(ErrorCode::kUnavailable,
                "rename " + from + ": " + std::generic_category().message(errno));
  }
  return Encrypt(manifest);
}

Result<Made> ExportFile::MakeSnapshot(base::Instant slot) {
  const base::Instant began = ports_.clock.now();
  Made made;
  const std::string path = folder_ + "/out/snapshot";
  if (auto ready = MakeFolder(folder_ + "/out"); !ready) return tl::unexpected(ready.error());
  Progress("Reading what is live", 0);
  auto ended = TakeSnapshot(began, path, &made.manifest);
  if (!ended) return tl::unexpected(ended.error());
  if (*ended) return **ended;
  base::KillPoint("job-census");
  made.rows = made.manifest.rows;
  auto base = FindBase(true);
  if (!base) return tl::unexpected(base.error());
  if (auto few = CheckCount(made.rows, *base)) return *few;
  auto run = FutureRun(slot, made.manifest.census, began);
  if (!run) return tl::unexpected(run.error());
  run->mode = ToString(Mode::kFull);
  run->rows = made.rows;
  Describe(*base, *run, &made.manifest);
  auto name = NameOf(made.manifest);
  if (!name) return tl::unexpected(name.error());
  made.manifest.file = *name;
  if (auto moved = MoveSnapshot(path, &made.manifest); !moved) {
    std::error_code ignored;
    fs::remove_all(FolderOfRun(folder_, run->id), ignored);
    return tl::unexpected(moved.error());
  }
  base::KillPoint("job-written");
  if (auto ready = Prepare(*run, made.manifest); !ready) return tl::unexpected(ready.error());
  made.end = Made::End::kPrepared;
  return made;
}

}  // namespace postern::jobs
