// A place in memory that fails or "dies" at a chosen call, before or after its effect, or within a
// transfer. One thread.
#pragma once
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "core/jobs/place.h"

namespace postern::jobs {

// Thrown through the code under test where a kill would end its process.
struct Killed {};

class FakePlace final : public Place {
 public:
  enum class End { kNone, kKill, kTransient, kDenied };

  // What happens at call number `at` (1, 2, ...). `after`: its effect is done first. A Put that is
  // broken off has written half of its bytes.
  End end = End::kNone;
  int at = 0;
  bool after = false;
  int calls = 0;
  bool replaces_in_one_step = false, continues = true;
  bool refuses_offset = false;  // although it says that it continues
  // Alters what is written under names with this ending, the given number of times.
  std::string alters;
  int alterations = 0;
  std::map<std::string, std::string> files;
  std::string keeps;  // files with this ending may not be removed
  // Runs after each effect: a consumer that polls at every moment.
  std::function<void(FakePlace&)> watch;
  std::vector<std::string> log;

  using Place::Get;
  using Place::Put;
  Result<void> Put(const std::string& path, const Source& bytes,
                   const PutOptions& options) override {
    return Act("put " + path, [&](bool half) -> Result<void> {
      if (refuses_offset && options.offset > 0) return Fail(ErrorCode::kDenied, "no");
      std::string all;
      char buffer[1000];
      for (;;) {
        auto got = bytes(buffer, sizeof buffer);
        if (!got) return tl::unexpected(got.error());
        if (*got == 0) break;
        all.append(buffer, *got);
        if (options.progress) options.progress(all.size());
      }
      sent += all.size();
      if (half) all.resize(all.size() / 2);
      std::string& file = files[path];
      file.resize(std::min<size_t>(file.size(), options.offset));
      file += all;
      if (!alters.empty() && path.ends_with(alters) && alterations > 0 && !file.empty()) {
        --alterations;
        file[0] ^= 1;
      }
      return {};
    });
  }
  Result<void> Get(const std::string& path, const Sink& bytes, uint64_t limit) override {
    return Act("get " + path, [&](bool) -> Result<void> {
      if (!files.contains(path)) return Fail(ErrorCode::kNotFound, path);
      return bytes(std::string_view(files[path]).substr(0, limit));
    });
  }
  Result<std::optional<PlaceFile>> Stat(const std::string& path) override {
    std::optional<PlaceFile> found;
    auto done = Act("stat " + path, [&](bool) -> Result<void> {
      if (files.contains(path)) found = PlaceFile{path, files[path].size(), 0, false};
      return {};
    });
    if (!done) return tl::unexpected(done.error());
    return found;
  }
  Result<std::vector<PlaceFile>> List(const std::string& folder) override {
    std::vector<PlaceFile> found;
    for (const auto& [path, text] : files) {
      if (path.starts_with(folder + "/")) {
        found.push_back({path.substr(folder.size() + 1), text.size(), 0, false});
      }
    }
    return found;
  }
  Result<void> Rename(const std::string& from, const std::string& to, bool replace) override {
    return Act("rename " + from, [&](bool half) -> Result<void> {
      if (!files.contains(from)) return Fail(ErrorCode::kNotFound, from);
      if (files.contains(to)) {
        if (!replace) return Fail(ErrorCode::kConflict, to);
        if (!replaces_in_one_step) {
          files.erase(to);
          if (half) return {};
        }
      }
      if (half) return {};
      files[to] = files[from];
      files.erase(from);
      return {};
    });
  }
  Result<void> Remove(const std::string& path) override {
    return Act("remove " + path, [&](bool) -> Result<void> {
      if (!keeps.empty() && path.ends_with(keeps)) return Fail(ErrorCode::kDenied, path);
      if (files.erase(path) == 0) return Fail(ErrorCode::kNotFound, path);
      return {};
    });
  }
  PlaceFeatures features() const override { return {"sftp", replaces_in_one_step, continues}; }

  uint64_t sent = 0;

 private:
  template <class Effect>
  Result<void> Act(const std::string& what, Effect effect) {
    log.push_back(what);
    const bool ends = ++calls == at && end != End::kNone;
    const bool begins = what.starts_with("put") || what.starts_with("rename");
    Result<void> done;
    // Before its effect a transfer has moved a part.
    if (!ends || after || begins) done = effect(ends && !after);
    if (watch) watch(*this);
    if (!ends) return done;
    if (end == End::kKill) throw Killed();
    return Fail(end == End::kTransient ? ErrorCode::kUnavailable : ErrorCode::kDenied, "fake");
  }
};

}  // namespace postern::jobs
