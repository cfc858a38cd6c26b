// Load(): files in, declarations and diagnostics out.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>

#include "core/config/check.h"
#include "core/config/declarations.h"
#include "core/config/job_checks.h"
#include "core/config/reader.h"
#include "core/config/roster.h"
#include "core/config/service_accounts.h"
#include "core/config/tables.h"
#include "core/config/visit.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;
namespace fs = std::filesystem;

constexpr off_t kLargest = 16 << 20;

struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) close(fd);
  }
};

class Loader {
 public:
  explicit Loader(const LoadOptions& options) : options_(options) {}

  Loaded Run() {
    out_.operator_path = options_.operator_file;
    if (const uint32_t file = Take(options_.operator_file, true)) Read(file, true);
    out_.tree_path = TreePath();
    std::vector<uint32_t> files;
    for (const std::string& path : TreeFiles(out_.tree_path)) {
      if (const uint32_t file = Take(path, false)) files.push_back(file);
    }
    ReserveFor(files);
    for (const uint32_t file : files) Read(file, false);
    WriteOutServiceAccounts(&out_.declarations);
    if (options_.rosters) TakeRosters();
    const Index index(out_.declarations);
    const CheckInput input{out_.declarations, index, lost_, &out_.sources, files_missing_};
    CheckReferences(input, &out_.diagnostics);
    CheckDuplicates(input, &out_.diagnostics);
    CheckGroups(input, &out_.diagnostics);
    CheckRanges(input, &out_.diagnostics);
    CheckSources(input, &out_.diagnostics);
    CheckOperator(input, &out_.diagnostics);
    CheckIam(input, &out_.diagnostics);
    CheckRoleForms(input, &out_.diagnostics);
    CheckEndpoints(input, &out_.diagnostics);
    CheckExports(input, &out_.diagnostics);
    CheckImports(input, &out_.diagnostics);
    CheckServiceAccounts(input, &out_.diagnostics);
    if (!out_.diagnostics.has_errors()) NoteUnused(input, &out_.diagnostics);
    out_.diagnostics.Sort();
    return std::move(out_);
  }

 private:
  void TakeRosters() {
    const auto rosters = options_.rosters(out_, &out_.diagnostics);
    base::Hasher hasher;
    for (const decl::AcceptedRoster& roster : rosters) {
      hasher.AddField(roster.SerializeAsString());
    }
    if (!rosters.empty()) out_.rosters = base::Hex(hasher.Finish());
    AddRosters(rosters, &out_.sources, &out_.declarations, &out_.diagnostics);
  }

  std::string TreePath() const {
    if (!options_.tree.empty()) return options_.tree;
    const fs::path beside = fs::path(options_.operator_file).parent_path();
    const auto& top = out_.declarations.operator_file.message;
    const fs::path tree = top.has_tree() ? fs::path(top.tree()) : fs::path("../access");
    return (beside / tree).lexically_normal().string();
  }

  void Unreadable(const std::string& path, const std::string& why) {
    files_missing_ = true;
    const bool operators = path == options_.operator_file;
    out_.diagnostics.Add(
        {.code = code::kFileUnreadable,
         .summary = fmt::format("can't read {}: {}", path, why),
         .subject = path,
         .notes = {operators ? "name it with --operator, or begin one: postern init"
                             : "`tree` of the operator's file or --tree names it"}});
  }

  // Every *.toml below the tree, in name order; hidden files and links aren't followed.
  std::vector<std::string> TreeFiles(const std::string& tree) {
    std::vector<std::string> files;
    std::error_code error;
    fs::recursive_directory_iterator at(tree, error);
    if (error) {
      Unreadable(tree, error.message());
      return files;
    }
    for (const fs::recursive_directory_iterator end; at != end; at.increment(error)) {
      const std::string name = at->path().filename().string();
      std::error_code ignored;
      if (name[0] == '.') {
        at.disable_recursion_pending();
      } else if (at->is_symlink(ignored) && IsRelevantLink(at->path())) {
        Link(at->path().string());
      } else if (name.ends_with(".toml") && at->is_regular_file(ignored)) {
        files.push_back(at->path().string());
      }
    }
    if (error) Unreadable(tree, error.message());
    if (files.empty() && !error) {
      auto& d = out_.diagnostics.Add({.severity = diag::Severity::kWarning,
                                      .code = code::kEmptyTree,
                                      .summary = fmt::format("no *.toml file below {}", tree),
                                      .subject = tree});
      d.notes.push_back("`tree` in the operator's file says where the reviewed tree is");
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static bool IsRelevantLink(const fs::path& path) {
    std::error_code error;
    return path.extension() == ".toml" || fs::is_directory(path, error);
  }

  void Link(const std::string& path) {
    files_missing_ = true;
    out_.diagnostics
        .Add({.code = code::kSymbolicLink,
              .summary = fmt::format("{} is a symbolic link", path),
              .subject = path})
        .notes = {"links in the reviewed tree aren't followed: put the file itself there"};
  }

  // Reads the bytes of a file; 0 when that isn't possible.
  uint32_t Take(const std::string& path, bool operator_file) {
    std::string text;
    if (!ReadBytes(path, operator_file, &text)) return 0;
    ++out_.files;
    return out_.sources.Add(path, std::move(text));
  }

  void Read(uint32_t file, bool operator_file) {
    ReadFile(file, operator_file, &out_.sources, &out_.declarations, &lost_, &out_.diagnostics);
  }

  // Room for what the headings announce: vectors that grow by doubling would move every message and
  // touch twice the memory.
  void ReserveFor(const std::vector<uint32_t>& files) {
    std::map<std::string_view, size_t> counts;
    for (const uint32_t file : files) CountHeadings(out_.sources.text(file), &counts);
    ForEachTable(out_.declarations, [&]<class M>(std::vector<Declared<M>>& all) {
      for (const Table* table : AllTables()) {
        if (table->descriptor == M::descriptor()) all.reserve(all.size() + counts[table->name]);
      }
    });
  }

  static void CountHeadings(std::string_view text, std::map<std::string_view, size_t>* counts) {
    for (size_t at = text.find('['); at != std::string_view::npos; at = text.find("\n[", at)) {
      at = text.find_first_not_of("\n[", at);
      if (at == std::string_view::npos) return;
      ++(*counts)[text.substr(at, text.find_first_of(".]\n", at) - at)];
    }
  }

  bool ReadBytes(const std::string& path, bool operator_file, std::string* text) {
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (operator_file ? 0 : O_NOFOLLOW);
    const FileDescriptor file{open(path.c_str(), flags)};
    struct stat info {};
    if (file.fd < 0 || fstat(file.fd, &info) != 0) {
      Unreadable(path, std::generic_category().message(errno));
      return false;
    }
    if (!S_ISREG(info.st_mode)) {
      Unreadable(path, "not a regular file");
      return false;
    }
    if (info.st_size > kLargest) {
      files_missing_ = true;
      out_.diagnostics
          .Add({.code = code::kFileTooLarge,
                .summary = fmt::format("{} is larger than 16 MiB", path),
                .subject = path})
          .notes = {"split it: files are read in name order and their number doesn't matter"};
      return false;
    }
    text->resize(static_cast<size_t>(info.st_size));
    size_t have = 0;
    while (have < text->size()) {
      const ssize_t got = read(file.fd, text->data() + have, text->size() - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        Unreadable(path, std::generic_category().message(errno));
        return false;
      }
      if (got == 0) break;
      have += static_cast<size_t>(got);
    }
    text->resize(have);
    return true;
  }

  const LoadOptions& options_;
  Loaded out_;
  LostNames lost_;
  bool files_missing_ = false;
};

}  // namespace

diag::Span FindPlace(const FieldPlaces& places, int field, int element, const diag::Span& header) {
  const auto find = [&](uint32_t key) -> const diag::Span* {
    const auto at = std::lower_bound(places.begin(), places.end(), key,
                                     [](const auto& p, uint32_t k) { return p.first < k; });
    return at != places.end() && at->first == key ? &at->second : nullptr;
  };
  const uint32_t whole = static_cast<uint32_t>(field) << 16;
  if (element >= 0) {
    if (const auto* span = find(whole | static_cast<uint32_t>(element + 1))) return *span;
  }
  if (const auto* span = find(whole)) return *span;
  if (const auto* span = find(static_cast<uint32_t>(field >> 8) << 16); span && field > 0xff) {
    return *span;
  }
  return header;
}

Loaded Load(const LoadOptions& options) {
  return Loader(options).Run();
}

base::Digest DigestOf(const Loaded& loaded) {
  base::Hasher hasher;
  for (uint32_t file = 1; file <= loaded.files; ++file) {
    hasher.AddField(loaded.sources.text(file));
  }
  if (!loaded.rosters.empty()) hasher.AddField(loaded.rosters);
  return hasher.Finish();
}

}  // namespace postern::config
