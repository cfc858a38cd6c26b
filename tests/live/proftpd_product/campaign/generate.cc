#include "tests/live/proftpd_product/campaign/generate.h"

#include <fmt/format.h>

#include <functional>
#include <random>
#include <set>

namespace postern::proftpd::campaign {
namespace {

using Words = std::vector<std::string>;

const Words kFolders = {"a", "a/b", "a/b/c", "ab", "z", "z/y"};
const Words kUsers = {"u1", "u2", "u3", "u4"};
const Words kGroups = {"g1", "g2", "g3", "g4"};
const Words kBlockNames = {"a", "a/b", "a/b/c", "ab", "z", "z/y", ""};
const Words kPatterns = {"*",   "a*",  "a/*",   "?",     "*/b",  "z*",     "[az]",
                         "?/*", "z/?", "a/b/*", "[[]z]", "a/b*", "*.file", "a/b/c/*"};
const Words kCommands = {"LIST",    "NLST",       "MLSD",    "STAT", "RETR",  "STOR",
                         "APPE",    "DELE",       "RNFR",    "RNTO", "MKD",   "XMKD",
                         "RMD",     "XRMD",       "CWD",     "MFF",  "STORX", "OPENDIR",
                         "READDIR", "SITE_CHMOD", "SETSTAT", "STOU", "SIZE"};
const Words kGroupWords = {"READ", "WRITE", "DIRS", "ALL"};

Part Line(std::string text) {
  return {std::move(text), false, {}};
}
Part Section(std::string text, std::vector<Part> children) {
  return {std::move(text), true, std::move(children)};
}

class Generator {
 public:
  Generator(uint32_t seed, std::string root, std::string files)
      : random_(seed), root_(std::move(root)), files_(std::move(files)) {
    world_.seed = seed;
    world_.accounts = {{"u1", {"g1", "g2"}, root_},
                       {"u2", {"g2"}, root_},
                       {"u3", {"g3", "g1", "g2"}, root_},
                       {"u4", {"g4"}, root_}};
    world_.logins = kUsers;
    world_.folders = kFolders;
  }

  World Run() {
    static const std::vector<std::pair<const char*, void (Generator::*)()>> kThemes = {
        {"limits", &Generator::Limits},
        {"patterns", &Generator::Patterns},
    };
    const auto& theme = kThemes[world_.seed % kThemes.size()];
    world_.themes.push_back(theme.first);
    (this->*theme.second)();
    return std::move(world_);
  }

 private:
  size_t Below(size_t n) { return static_cast<size_t>(random_() % n); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  const std::string& Pick(const Words& words) { return words[Below(words.size())]; }

  std::string List(const Words& from, bool group) {
    std::string out;
    if (OneIn(group ? 3 : 8)) out = OneIn(4) ? "AND " : "OR ";
    const size_t count = 1 + Below(2);
    for (size_t i = 0; i < count; ++i) {
      out += fmt::format("{}{}{}", i == 0 ? "" : ",", OneIn(6) ? "!" : "", Pick(from));
    }
    return out;
  }

  Part Rule() {
    switch (Below(9)) {
      case 0:
        return Line("AllowAll");
      case 1:
      case 2:
      case 8:
        return Line("DenyAll");
      case 3:
        return Line("DenyUser " + List(kUsers, false));
      case 4:
        return Line("AllowGroup " + List(kGroups, true));
      case 5:
        return Line("DenyGroup " + List(kGroups, true));
      default:
        return Line("AllowUser " + List(kUsers, false));
    }
  }

  Part Limit() {
    std::string words = "Limit";
    const size_t count = 1 + Below(3);
    for (size_t i = 0; i < count; ++i) words += " " + Pick(OneIn(2) ? kGroupWords : kCommands);
    Part limit = Section(words, {});
    if (OneIn(4))
      limit.children.push_back(Line(OneIn(2) ? "Order deny,allow" : "Order allow,deny"));
    const size_t rules = 1 + Below(3);
    // Most people write who may, and refuse the rest.
    if (OneIn(3)) limit.children.push_back(Line("DenyAll"));
    for (size_t i = 0; i < rules; ++i) limit.children.push_back(Rule());
    return limit;
  }

  std::vector<Part> BlockLines() {
    std::vector<Part> lines;
    const size_t limits = 1 + Below(3);
    for (size_t i = 0; i < limits; ++i) lines.push_back(Limit());
    if (OneIn(2)) lines.push_back(Line(OneIn(3) ? "AllowOverwrite off" : "AllowOverwrite on"));
    return lines;
  }

  // Blocks of one server; the same name once, as the daemon wants it.
  std::vector<Part> Blocks(size_t count, const Words& names) {
    std::vector<Part> out;
    std::set<std::string> seen;
    for (size_t i = 0; i < count; ++i) {
      const std::string name = Pick(names);
      if (!seen.insert(name).second) continue;
      out.push_back(Section("Directory " + root_ + (name.empty() ? "" : "/" + name), BlockLines()));
    }
    return out;
  }

  // Rules for both ways in come through <Global>.
  void Put(std::vector<Part>* to, std::vector<Part> parts) {
    for (Part& part : parts) to->push_back(std::move(part));
  }

  void Limits() {
    if (OneIn(2)) world_.global.push_back(Line("AllowOverwrite on"));
    Put(&world_.global, Blocks(2 + Below(3), kBlockNames));
    const size_t limits = Below(3);
    for (size_t i = 0; i < limits; ++i) world_.global.push_back(Limit());
  }

  void Patterns() {
    Words names = kBlockNames;
    names.insert(names.end(), kPatterns.begin(), kPatterns.end());
    Put(&world_.global, Blocks(3 + Below(4), names));
    if (OneIn(2)) Put(&world_.main, Blocks(1 + Below(3), names));
  }

  std::mt19937 random_;
  std::string root_, files_;
  World world_;
};

}  // namespace

std::string Render(const std::vector<Part>& parts, int indent) {
  std::string out;
  const std::string margin(static_cast<size_t>(indent) * 2, ' ');
  for (const Part& part : parts) {
    if (!part.section) {
      out += margin + part.text + "\n";
      continue;
    }
    const std::string name = part.text.substr(0, part.text.find(' '));
    out += fmt::format("{0}<{1}>\n{2}{0}</{3}>\n", margin, part.text,
                       Render(part.children, indent + 1), name);
  }
  return out;
}

World Generate(uint32_t seed, const std::string& root, const std::string& files) {
  return Generator(seed, root, files).Run();
}

}  // namespace postern::proftpd::campaign
