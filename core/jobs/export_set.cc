// The files of a distribution: copied while they are hashed, and kept with their run.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/jobs/encrypt.h"
#include "core/jobs/export_file.h"
#include "core/jobs/files.h"
#include "core/jobs/place.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFiles = 10'000;  // each is a line of the manifest, which is held as a whole
constexpr size_t kLongestPath = 1'000;

std::string CopiesOf(const std::string& folder) {
  return folder + "/out/set";
}

// Empty: a place can have a file of this path.
std::string FaultOf(std::string_view path) {
  if (path.size() > kLongestPath) return fmt::format("is longer than {} bytes", kLongestPath);
  for (std::string_view rest = path; !rest.empty();) {
    const int32_t point = diag::TakeCodePoint(&rest);
    if (point < 0) return "isn't UTF-8";
    if (point < 0x20 || point == 0x7f) return "has a control character";
  }
  return {};
}

}  // namespace

Result<void> ExportFile::TakeSetFile(const SourceRow& row, RowStore* store) {
  ManifestFile file;
  file.file = row.cells[0].text;
  const std::string_view size = row.cells[1].text;
  std::from_chars(size.data(), size.data() + size.size(), file.bytes);
  file.sha256 = row.cells[3].text;
  set_.push_back(std::move(file));
  Progress("Reading files", set_.size());
  return mapping_->Map(
      row,
      [this, store](std::string_view key, std::string_view record) {
        return KeepRow(store, key, record);
      },
      &report_, diagnostics_);
}

std::optional<Made> ExportFile::ReadSet(RowStore* store, Error* failed) {
  const decl::FileSet& set = declared_.files();
  const auto chosen = ChooseMapping(What::kDistribution, SourceType::kFiles, set.folder());
  if (!chosen) *failed = chosen.error();
  if (!chosen || !*chosen) return Made{.why = "the declaration can't be carried out"};
  const std::string copies = CopiesOf(folder_);
  std::error_code ignored;
  fs::remove_all(copies, ignored);  // of a run that was killed
  set_.clear();
  report_.as_of = ports_.clock.now();
  auto read = MakeFolder(copies);
  if (read) {
    read = ReadFiles(
        set.folder(), set.pattern(), set.below(),
        [&](const SourceRow& row) { return TakeSetFile(row, store); }, &report_, copies);
  }
  if (read) return std::nullopt;
  *failed = read.error();
  return Made{};
}

// Whether every file can have its name at the place, beside the list and what comes with it.
bool ExportFile::SetCanGo(const Manifest& manifest) {
  const auto refuse = [&](std::string summary, std::string way_out) {
    diagnostics_->Add({.code = diag::code::kSetFile,
                       .summary = std::move(summary),
                       .subject = subject_,
                       .notes = {std::move(way_out)}});
    return false;
  };
  if (set_.size() > kMostFiles) {
    return refuse(fmt::format("{} files, at most {}", set_.size(), kMostFiles),
                  "narrow `pattern`, or give folders exports of their own");
  }
  const auto& deliver = declared_.deliver();
  std::set<std::string> taken = {manifest.file, manifest.file + ".sha256",
                                 manifest.file + ".manifest.json"};
  for (const std::string* ending : {&deliver.trigger(), &deliver.ack(), &deliver.reject()}) {
    taken.insert(manifest.file + *ending);
  }
  const std::string ending(EndingOf(declared_.encrypt()));
  bool fine = true;
  for (const ManifestFile& file : set_) {
    const std::string fault = FaultOf(file.file);
    if (!fault.empty()) {
      fine = refuse(fmt::format("the path {:?} {}", file.file, fault), "rename the file");
    } else if (taken.contains(file.file + ending)) {
      fine = refuse(fmt::format("{} is a file of the set, and the list or what comes with it is "
                                "called so",
                                file.file + ending),
                    "rename the file, or choose another name for the list (deliver.name)");
    }
  }
  return fine;
}

// Moves the copies to their run; where files are encrypted, nothing in the clear stays.
Result<void> ExportFile::KeepSet(Manifest* manifest) {
  if (declared_.what() != "distribution") return {};
  const std::string from = CopiesOf(folder_), to = FolderOfRun(folder_, manifest->run) + "/set";
  std::error_code failed;
  fs::remove_all(to, failed);
  manifest->files = std::move(set_);
  std::sort(manifest->files.begin(), manifest->files.end(),
            [](const ManifestFile& a, const ManifestFile& b) { return a.file < b.file; });
  if (!declared_.has_encrypt()) {
    if (rename(from.c_str(), to.c_str()) == 0) return {};
    return Fail(ErrorCode::kUnavailable,
                "rename " + from + ": " + std::generic_category().message(errno));
  }
  for (ManifestFile& file : manifest->files) {
    const std::string plain = from + "/" + file.file;
    file.file += EndingOf(declared_.encrypt());
    const std::string final = to + "/" + file.file;
    if (auto made = MakeFolder(fs::path(final).parent_path()); !made) return made;
    if (auto encrypted = EncryptTo(plain, final); !encrypted) return encrypted;
    auto hash = HashFile(final);
    if (!hash) return tl::unexpected<Error>(hash.error());
    file.plain_sha256 = std::exchange(file.sha256, *hash);
    file.bytes = fs::file_size(final, failed);
  }
  return {};
}

}  // namespace postern::jobs
