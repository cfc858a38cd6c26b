// tests/unit/jobs/export_bench.h: one export with a source and a place that a test changes, woken
// when it says so.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/jobs/export_run.h"
#include "core/jobs/files.h"
#include "core/jobs/spec.h"
#include "schemas/kinds.pb.h"
#include "tests/support/scratch.h"
#include "tests/unit/jobs/files.h"

namespace postern::jobs::test {

inline constexpr base::Instant kStart = 1772323200;  // 2026-03-01T00:00:00Z
inline constexpr base::Instant kDay = 86400;

// A source whose people a test changes.
class Staff final : public object::Target {
 public:
  Result<object::Probe> ProbeTarget() override { return object::Probe{}; }
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind>,
                                                     object::ObjectSink& sink) override {
    for (const auto& [uid, name] : people) {
      kinds::User user;
      user.set_dn(fmt::format("uid={},ou=people,dc=x", uid));
      user.set_uid(uid);
      user.set_common_name(name);
      user.set_enabled(true);
      sink.Add(object::Encode(user).view());
    }
    object::ScopeStatus scope{.kind = object::Kind::kUser, .complete = true, .at = kStart};
    scope.unstable = unstable;
    return std::vector{scope};
  }
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey>) override {
    return Fail(ErrorCode::kUnsupported, "not asked for");
  }
  Result<void> Apply(std::span<const object::OperationGroup>, const object::Secrets&,
                     object::OutcomeSink&) override {
    return Fail(ErrorCode::kUnsupported, "not asked for");
  }
  std::map<std::string, std::string> people;
  std::string unstable;
};

// A place that is a folder, and can be away.
class FolderPlace final : public Place {
 public:
  FolderPlace(std::string root, int* calls_left) : root_(std::move(root)), left_(calls_left) {}

  Result<void> Put(const std::string& path, const object::ByteSource& bytes,
                   const object::PutOptions& options) override {
    if (auto there = There(); !there) return there;
    std::ofstream file(root_ + path,
                       std::ios::binary | (options.offset > 0 ? std::ios::app : std::ios::trunc));
    char buffer[4096];
    for (;;) {
      auto got = bytes(buffer, sizeof buffer);
      if (!got) return tl::unexpected<Error>(got.error());
      if (*got == 0) break;
      file.write(buffer, static_cast<std::streamsize>(*got));
    }
    return {};
  }
  Result<void> Get(const std::string& path, const object::ByteSink& bytes,
                   uint64_t limit) override {
    if (auto there = There(); !there) return there;
    auto text = ReadSmallFile(root_ + path);
    if (!text) return tl::unexpected<Error>(text.error());
    return bytes(std::string_view(*text).substr(0, limit));
  }
  Result<std::optional<PlaceFile>> Stat(const std::string& path) override {
    if (auto there = There(); !there) return tl::unexpected<Error>(there.error());
    std::error_code failed;
    const auto size = std::filesystem::file_size(root_ + path, failed);
    if (failed) return std::optional<PlaceFile>();
    return std::optional(
        PlaceFile{std::filesystem::path(path).filename().string(), size, 0, false});
  }
  Result<std::vector<PlaceFile>> List(const std::string& folder) override {
    std::vector<PlaceFile> files;
    for (const auto& entry : std::filesystem::directory_iterator(root_ + folder)) {
      files.push_back({entry.path().filename().string(), entry.file_size(), 0, false});
    }
    std::sort(files.begin(), files.end(),
              [](const PlaceFile& a, const PlaceFile& b) { return a.name < b.name; });
    return files;
  }
  Result<void> Rename(const std::string& from, const std::string& to, bool replace) override {
    if (auto there = There(); !there) return there;
    if (!replace && std::filesystem::exists(root_ + to))
      return Fail(ErrorCode::kConflict, "exists");
    std::error_code failed;
    std::filesystem::rename(root_ + from, root_ + to, failed);
    if (failed) return Fail(ErrorCode::kNotFound, failed.message());
    return {};
  }
  Result<void> Remove(const std::string& path) override {
    return std::filesystem::remove(root_ + path) ? Result<void>()
                                                 : Fail(ErrorCode::kNotFound, "not there");
  }
  object::PlaceFeatures features() const override { return {"folder", true, false}; }

 private:
  // Breaks off after so many calls.
  Result<void> There() {
    if (*left_ == 0) return Fail(ErrorCode::kUnavailable, "the connection broke");
    if (*left_ > 0) --*left_;
    return {};
  }
  const std::string root_;
  int* const left_;
};

class Job {
 public:
  Job() {
    spec.set_name("export.users");
    spec.set_sealed_at(kStart);
    spec.set_commit("c0ffee");
    decl::Export& declared = *spec.mutable_export_();
    declared.set_name("users");
    declared.set_what("users");
    declared.mutable_from()->add_values("directory:corp");
    declared.mutable_format()->set_type("json");
    AddColumn("uid", "UID")->set_key(true);
    AddColumn("common_name", "NAME");
    declared.mutable_deliver()->set_folder("/in");
    declared.mutable_deliver()->set_name("users_{seq:04}_{mode}.json");
    spec.mutable_endpoint()->set_receiver("unique");
    scratch_.Folder("place/in");
    folder = scratch_.Folder("job", 0700);
    for (int i = 0; i < 10; ++i) source.people[fmt::format("u{}", i)] = fmt::format("Name {}", i);
  }
  decl::ExportColumn* AddColumn(const std::string& from, const std::string& name) {
    auto* column = spec.mutable_export_()->mutable_columns()->add_values();
    column->set_from(from);
    column->set_name(name);
    return column;
  }
  void Daily(const std::string& catch_up) {
    auto* schedule = spec.mutable_export_()->mutable_schedule();
    schedule->set_cron("30 2 * * *");
    if (!catch_up.empty()) schedule->set_catch_up(catch_up);
  }

  Result<RunReport> Run(Asked asked = {}) {
    Ports ports;
    ports.source = [this](const std::string&) -> Result<object::Target*> { return &source; };
    ports.place = [this]() -> Result<Ports::OpenedAt> {
      if (calls_left == 0) return Fail(ErrorCode::kUnavailable, "connection refused");
      return Ports::OpenedAt{std::make_unique<FolderPlace>(scratch_.File("place"), &calls_left),
                             "SHA256:next", left_out};
    };
    ports.secret = [](const std::string&) -> Result<std::string> {
      return Fail(ErrorCode::kNotFound, "no secrets here");
    };
    ports.clock = {[this] { return now; },
                   [this](std::chrono::seconds span) {
                     now += span.count();
                     return true;
                   }};
    diagnostics = {};
    asked.digest = "sha256:feed";
    return ExportRun(spec, asked, folder, ports, &diagnostics).Run();
  }
  // "outcome why" of each slot.
  std::vector<std::string> Outcomes(Asked asked = {}) {
    const auto report = Run(std::move(asked));
    if (!report) return {"error " + report.error().message};
    std::vector<std::string> out;
    for (const SlotReport& slot : report->slots) out.push_back(slot.outcome);
    return out;
  }
  // Final names at the place, without checksums and manifests.
  std::vector<std::string> Arrived() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.File("place/in"))) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".json") && !name.ends_with(".manifest.json")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string At(const std::string& name) const {
    return support::ReadFile(scratch_.File("place/in/" + name));
  }
  std::string Complaint() const {
    if (diagnostics.empty()) return "";
    const diag::Diagnostic& first = diagnostics.all().front();
    return first.code + " " + first.summary + (first.label.empty() ? "" : ": " + first.label);
  }

  support::Scratch scratch_;
  job::JobSpec spec;
  std::string folder;
  Staff source;
  base::Instant now = kStart + 100;
  int calls_left = -1;                // of the place; below 0: any number
  std::vector<std::string> left_out;  // credentials
  diag::Diagnostics diagnostics;
};

}  // namespace postern::jobs::test
