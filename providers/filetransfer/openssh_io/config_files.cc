#include "providers/filetransfer/openssh_io/config_files.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "providers/filetransfer/openssh/words.h"

namespace postern::filetransfer {
namespace {

// SERVCONF_MAX_DEPTH of sshd.
constexpr int kDepth = 17;

// Arguments: patterns. Prints each pattern, then the files that it matches, then an empty name.
// Only names are expanded: without separators a pattern stays one word.
constexpr std::string_view kGlobScript = R"sh(
IFS=
for p do
  printf '%s\0' "$p"
  for f in $p; do if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\0' "$f"; fi; done
  printf '\0'
done
)sh";

// Notes what it is asked for and doesn't have.
class Collector final : public openssh::FileSource {
 public:
  Collector(const openssh::FileSource& known, const std::map<std::string, FileState>& files,
            const std::map<std::string, std::vector<std::string>>& globs)
      : known_(known), files_(files), globs_(globs) {}

  Result<std::string> Read(const std::string& path) const override {
    if (files_.contains(path)) return known_.Read(path);
    missing_files.insert(path);
    return std::string();
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    if (globs_.contains(pattern)) return known_.Glob(pattern);
    missing_globs.insert(pattern);
    return {};
  }

  mutable std::set<std::string> missing_files, missing_globs;

 private:
  const openssh::FileSource& known_;
  const std::map<std::string, FileState>& files_;
  const std::map<std::string, std::vector<std::string>>& globs_;
};

std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

Result<void> ReadGlobs(Transport& transport, const std::set<std::string>& patterns,
                       std::map<std::string, std::vector<std::string>>* globs) {
  if (patterns.empty()) return {};
  auto out = RunBatch(
      transport,
      {.script = kGlobScript, .args = std::vector<std::string>(patterns.begin(), patterns.end())});
  if (!out) return tl::unexpected(out.error());
  std::vector<std::string>* into = nullptr;
  for (std::string& name : SplitNames(*out)) {
    if (into == nullptr) {
      into = &(*globs)[name];
    } else if (name.empty()) {
      std::sort(into->begin(), into->end());
      into = nullptr;
    } else {
      into->push_back(std::move(name));
    }
  }
  for (const std::string& pattern : patterns) {
    if (!globs->contains(pattern)) return Fail(ErrorCode::kIncomplete, "patterns went unanswered");
  }
  return {};
}

// The words of an Include line as the reader takes them.
std::string WithoutQuotes(std::string word) {
  std::erase(word, '"');
  return word;
}

}  // namespace

Result<ConfigFiles> ConfigFiles::Load(FileReader& reader, const std::string& main,
                                      const std::string& generated) {
  ConfigFiles out;
  out.main_ = main;
  out.generated_ = generated;
  for (int round = 0; round < kDepth; ++round) {
    const Collector collector(out, out.files_, out.globs_);
    // What it says is asked again once everything is there.
    (void)openssh::ReadConfig(collector, main);
    if (round == 0) collector.missing_files.insert(generated);
    if (collector.missing_files.empty() && collector.missing_globs.empty()) break;
    if (auto read = ReadGlobs(reader.transport(), collector.missing_globs, &out.globs_); !read) {
      return tl::unexpected(read.error());
    }
    if (collector.missing_files.empty()) continue;
    auto read = reader.Read(
        std::vector<std::string>(collector.missing_files.begin(), collector.missing_files.end()));
    if (!read) return tl::unexpected(read.error());
    out.files_.merge(*read);
  }
  return out;
}

Result<std::string> ConfigFiles::Read(const std::string& path) const {
  if (path == generated_ && candidate_ != nullptr) return *candidate_;
  const auto found = files_.find(path);
  if (found == files_.end()) return Fail(ErrorCode::kIncomplete, path + " was not read");
  const FileState& state = found->second;
  if (state.presence == Presence::kPresent && state.regular) return state.content;
  if (state.presence == Presence::kAbsent) {
    // Matched by a pattern, or named: sshd passes over an include that isn't there.
    if (path == generated_) return std::string();
    return Fail(ErrorCode::kNotFound, path + " doesn't exist");
  }
  return Fail(ErrorCode::kDenied,
              fmt::format("{}: {}", path, state.reason.empty() ? "not a file" : state.reason));
}

std::vector<std::string> ConfigFiles::Glob(const std::string& pattern) const {
  const auto found = globs_.find(pattern);
  std::vector<std::string> out = found == globs_.end() ? std::vector<std::string>() : found->second;
  const bool fits = ::fnmatch(pattern.c_str(), generated_.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
  if (fits && std::find(out.begin(), out.end(), generated_) == out.end()) {
    out.insert(std::upper_bound(out.begin(), out.end(), generated_), generated_);
  }
  return out;
}

Result<openssh::SshdConfig> ConfigFiles::With(const std::string& text) const {
  ConfigFiles other = *this;
  other.candidate_ = &text;
  return openssh::ReadConfig(other, main_);
}

std::string ConfigFiles::WhyNotReached() const {
  const auto config = With("Match User postern\n    ForceCommand internal-sftp\n");
  if (!config) return config.error().message;
  const openssh::ConfigLine* ours = nullptr;
  for (const openssh::ConfigLine& line : config->lines) {
    if (line.file != generated_) continue;
    if (ours != nullptr) return fmt::format("{} is included more than once", generated_);
    ours = &line;
  }
  if (ours == nullptr) return fmt::format("{} is not included", generated_);
  for (size_t i = 0; i + 1 < ours->within.size(); ++i) {
    const openssh::MatchBlock& block = config->blocks[ours->within[i]];
    const bool all = std::all_of(block.criteria.begin(), block.criteria.end(),
                                 [](const auto& criterion) { return criterion.name == "all"; });
    if (all && block.problem.empty()) continue;
    return fmt::format("{} is included within the Match block of {}:{}", generated_, block.file,
                       block.line);
  }
  return "";
}

Result<std::vector<CandidateFile>> ConfigFiles::CopyWith(const std::string& text,
                                                         const std::string& folder) const {
  auto config = With(text);
  if (!config) return tl::unexpected(config.error());
  std::map<std::string, std::string> names;
  for (const std::string& file : config->files) {
    names.try_emplace(file, fmt::format("{}/{}.conf", folder, names.size()));
  }
  std::vector<CandidateFile> out;
  std::set<std::string> done;
  for (const std::string& file : config->files) {
    if (!done.insert(file).second) continue;
    const auto content = file == generated_ ? Result<std::string>(text) : Read(file);
    if (!content) return tl::unexpected(content.error());
    std::string copy;
    std::string_view rest = *content;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const auto words = openssh::SplitWords(line);
      if (words.empty() || openssh::Lowercase(words[0]) != "include") {
        copy += std::string(line) + "\n";
        continue;
      }
      std::string files;
      for (size_t i = 1; i < words.size() && !words[i].starts_with('#'); ++i) {
        const std::string word = WithoutQuotes(words[i]);
        for (const std::string& path : Glob(word.starts_with('/') ? word : "/etc/ssh/" + word)) {
          if (names.contains(path)) files += " " + names.at(path);
        }
      }
      copy += files.empty() ? "#\n" : "Include" + files + "\n";
    }
    out.push_back({.path = names.at(file), .content = std::move(copy), .of = file});
  }
  return out;
}

}  // namespace postern::filetransfer
