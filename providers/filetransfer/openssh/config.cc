#include "providers/filetransfer/openssh/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {
namespace {

constexpr int kDepth = 16;  // SERVCONF_MAX_DEPTH
constexpr std::string_view kFolder = "/etc/ssh/";
constexpr std::string_view kKnownCriteria[] = {"user",         "group",     "host", "address",
                                               "localaddress", "localport", "all"};

// Words of one line: double quotes group, `#` at the start of a word ends the line, one `=` may
// follow the keyword.
std::vector<std::string> LineWords(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const size_t start = text.find_first_not_of(" \t\r\f");
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    if (text.front() == '#') return words;
    if (words.size() == 1 && text.front() == '=') {
      text.remove_prefix(1);
      continue;
    }
    std::string word;
    bool quoted = false;
    size_t i = 0;
    for (; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\f')) {
        break;
      } else if (!quoted && c == '=' && words.empty()) {
        break;
      } else {
        word += c;
      }
    }
    words.push_back(std::move(word));
    text.remove_prefix(i);
  }
}

std::string RestOf(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return "";
  text.remove_prefix(start);
  const size_t end = text.find_first_of(" \t=");
  if (end == std::string_view::npos) return "";
  text.remove_prefix(end);
  const size_t value = text.find_first_not_of(" \t=");
  if (value == std::string_view::npos) return "";
  return std::string(text.substr(value, text.find_last_not_of(" \t\r") - value + 1));
}

class Reader {
 public:
  Reader(const FileSource& files, SshdConfig* config) : files_(files), config_(config) {}

  Result<void> ReadFile(const std::string& path, std::vector<size_t> within, int depth) {
    if (depth > kDepth) return Fail(ErrorCode::kInvalid, "includes are nested too deep");
    const Result<std::string> text = files_.Read(path);
    if (!text) return base::Wrap("read " + path, text.error());
    config_->files.push_back(path);
    const std::vector<size_t> outer = within;
    std::string_view rest = *text;
    for (uint32_t number = 1; !rest.empty(); ++number) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::vector<std::string> words = LineWords(line);
      if (words.empty()) continue;
      const std::string keyword = Lowercase(words[0]);
      if (keyword == "match") {
        within = outer;
        within.push_back(AddBlock(path, number, words));
      } else if (keyword == "include") {
        for (size_t i = 1; i < words.size(); ++i) {
          if (Result<void> read = Include(words[i], within, depth); !read) return read;
        }
      } else {
        config_->lines.push_back({path, number, keyword, RestOf(line), within});
      }
    }
    return {};
  }

 private:
  Result<void> Include(const std::string& pattern, const std::vector<size_t>& within, int depth) {
    const std::string full = pattern.starts_with('/') ? pattern : std::string(kFolder) + pattern;
    for (const std::string& path : files_.Glob(full)) {
      if (Result<void> read = ReadFile(path, within, depth + 1); !read) {
        return Fail(ErrorCode::kIncomplete, read.error().message);
      }
    }
    return {};
  }

  size_t AddBlock(const std::string& path, uint32_t number, const std::vector<std::string>& words) {
    MatchBlock block{.file = path, .line = number};
    for (size_t i = 1; i < words.size();) {
      const std::string name = Lowercase(words[i]);
      const bool all = name == "all";
      if (!all && i + 1 >= words.size()) {
        block.problem = "a criterion without a value";
      } else {
        block.criteria.push_back({name, all ? "" : words[i + 1]});
      }
      if (std::find(std::begin(kKnownCriteria), std::end(kKnownCriteria), name) ==
          std::end(kKnownCriteria)) {
        block.problem = "the criterion " + name + " isn't decided here";
      }
      i += all ? 1 : 2;
    }
    if (!block.problem.empty()) {
      config_->problems.push_back(fmt::format("{}:{}: {}", path, number, block.problem));
    }
    config_->blocks.push_back(std::move(block));
    return config_->blocks.size() - 1;
  }

  const FileSource& files_;
  SshdConfig* config_;
};

bool Matches(const Criterion& criterion, const Connection& who) {
  if (criterion.name == "all") return true;
  if (criterion.name == "user") return MatchList(who.user, criterion.value) == ListMatch::kMatch;
  if (criterion.name == "group") return MatchGroups(who.groups, criterion.value);
  if (criterion.name == "host") return MatchList(who.host, criterion.value) == ListMatch::kMatch;
  if (criterion.name == "address") {
    return MatchAddresses(who.address, criterion.value) == ListMatch::kMatch;
  }
  if (criterion.name == "localaddress") {
    return MatchAddresses(who.local_address, criterion.value) == ListMatch::kMatch;
  }
  if (criterion.name == "localport") return criterion.value == std::to_string(who.local_port);
  return false;
}

// Keywords whose lines add up instead of the first counting.
bool AddsUp(std::string_view keyword) {
  constexpr std::string_view kLists[] = {"allowusers", "denyusers", "allowgroups",
                                         "denygroups", "acceptenv", "setenv"};
  return std::find(std::begin(kLists), std::end(kLists), keyword) != std::end(kLists);
}

}  // namespace

Result<SshdConfig> ReadConfig(const FileSource& files, const std::string& main_file) {
  SshdConfig config;
  if (Result<void> read = Reader(files, &config).ReadFile(main_file, {}, 0); !read) {
    return tl::unexpected<Error>(read.error());
  }
  return config;
}

bool Matches(const MatchBlock& block, const Connection& connection) {
  return std::all_of(block.criteria.begin(), block.criteria.end(),
                     [&](const Criterion& criterion) { return Matches(criterion, connection); });
}

bool Applies(const SshdConfig& config, const ConfigLine& line, const Connection& connection) {
  return std::all_of(line.within.begin(), line.within.end(),
                     [&](size_t block) { return Matches(config.blocks[block], connection); });
}

std::vector<std::vector<size_t>> OutcomeGroups(const SshdConfig& config,
                                               const std::vector<Connection>& connections) {
  std::vector<std::vector<size_t>> groups;
  std::map<std::vector<bool>, size_t> known;
  // A block that can't be decided here is asked for each account by itself.
  const bool unsure = std::any_of(config.blocks.begin(), config.blocks.end(),
                                  [](const MatchBlock& block) { return !block.problem.empty(); });
  for (size_t i = 0; i < connections.size(); ++i) {
    std::vector<bool> outcome;
    for (const MatchBlock& block : config.blocks) {
      outcome.push_back(Matches(block, connections[i]));
    }
    const auto [at, fresh] = known.emplace(std::move(outcome), groups.size());
    if (fresh || unsure) {
      groups.push_back({i});
    } else {
      groups[at->second].push_back(i);
    }
  }
  return groups;
}

std::string SpecOf(const Connection& connection) {
  return fmt::format("user={},host={},addr={},laddr={},lport={}", connection.user, connection.host,
                     connection.address, connection.local_address, connection.local_port);
}

std::vector<Shadow> ShadowsOf(const SshdConfig& config, const std::string& our_file,
                              const Connection& connection) {
  std::map<std::string, const ConfigLine*> first;
  std::vector<Shadow> shadows;
  std::set<std::string> told;
  for (const ConfigLine& line : config.lines) {
    // Global lines never beat a Match block.
    if (line.within.empty() || !Applies(config, line, connection) || AddsUp(line.keyword)) {
      continue;
    }
    const auto [at, fresh] = first.emplace(line.keyword, &line);
    if (fresh || line.file != our_file || at->second->file == our_file) continue;
    if (told.insert(line.keyword).second) shadows.push_back({line.keyword, *at->second});
  }
  return shadows;
}

std::vector<std::string> AddressesToAsk(const SshdConfig& config, const std::string& fallback) {
  std::vector<std::string> addresses = {fallback};
  const auto add = [&](std::string_view list) {
    for (std::string pattern : SplitList(list, ',')) {
      if (pattern.starts_with('!')) pattern.erase(0, 1);
      pattern = pattern.substr(0, pattern.find('/'));
      // A pattern of letters and stars names no address by itself.
      const bool address =
          pattern.find_first_not_of("0123456789abcdefABCDEF.:") == std::string::npos &&
          pattern.find_first_of(".:") != std::string::npos;
      if (!address) continue;
      if (std::find(addresses.begin(), addresses.end(), pattern) == addresses.end()) {
        addresses.push_back(pattern);
      }
    }
  };
  for (const MatchBlock& block : config.blocks) {
    for (const Criterion& criterion : block.criteria) {
      if (criterion.name == "address" || criterion.name == "host") add(criterion.value);
    }
  }
  for (const ConfigLine& line : config.lines) {
    if (line.keyword != "allowusers" && line.keyword != "denyusers") continue;
    for (const std::string& user : SplitWords(line.value)) {
      if (const size_t at = user.find('@'); at != std::string::npos) add(user.substr(at + 1));
    }
  }
  return addresses;
}

}  // namespace postern::openssh
