#include "tests/live/proftpd_product/campaign/generate.h"

#include <unistd.h>

#include "tests/live/proftpd_product/campaign/generator.h"

namespace postern::proftpd::campaign {

Generator::Generator(uint32_t seed, std::string root, std::string files)
    : random_(seed), root_(std::move(root)), files_(std::move(files)) {
  world_.seed = seed;
  world_.accounts = {{"u1", {"g1", "g2"}, root_},
                     {"u2", {"g2"}, root_},
                     {"u3", {"g3", "g1", "g2"}, root_},
                     {"u4", {"g4"}, root_}};
  world_.logins = kUsers;
  world_.folders = kFolders;
}

World Generator::Run() {
  std::vector<Theme> themes = {
      {"limits", &Generator::Limits},         {"patterns", &Generator::Patterns},
      {"servers", &Generator::Servers},       {"overwrite", &Generator::Overwrite},
      {"deny all", &Generator::DenyAlls},     {"sessions", &Generator::Sessions},
      {"logins", &Generator::Logins},         {"addresses", &Generator::Addresses},
      {"conditions", &Generator::Conditions}, {"personal", &Generator::PersonalBlocks},
      {"roots", &Generator::Roots, true},     {"anonymous", &Generator::Anonymous, true},
      {"filters", &Generator::Filters},       {"not computable", &Generator::NotComputable}};
  // As an ordinary user no session can be confined.
  if (geteuid() != 0) std::erase_if(themes, [](const Theme& t) { return t.needs_root; });
  Use(themes[world_.seed % themes.size()]);
  // Every third configuration mixes two.
  if (OneIn(3)) Use(themes[Below(themes.size())]);
  Put(&world_.main, std::move(sessions_));
  Put(&world_.main, std::move(own_));
  return std::move(world_);
}

size_t Generator::Below(size_t n) {
  return static_cast<size_t>(random_() % n);
}

bool Generator::OneIn(size_t n) {
  return Below(n) == 0;
}

const std::string& Generator::Pick(const Words& words) {
  return words[Below(words.size())];
}

std::string Generator::OnOff() {
  return OneIn(2) ? " on" : " off";
}

std::string Generator::Names(const Words& from, bool group) {
  std::string out;
  if (OneIn(group ? 3 : 8)) out = OneIn(4) ? "AND " : "OR ";
  const size_t count = 1 + Below(2);
  for (size_t i = 0; i < count; ++i) {
    out += fmt::format("{}{}{}", i == 0 ? "" : ",", OneIn(6) ? "!" : "", Pick(from));
  }
  return out;
}

std::string Generator::List(const Words& from, bool group) {
  if (!OneIn(14)) return Names(from, group);
  return group ? "regex " + Pick({"^g[13]$", "g2", "G1"}) : "regex " + Pick({"^u[12]$", "3", "^U"});
}

Part Generator::Rule() {
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

Part Generator::Limit() {
  std::string words = "Limit";
  const size_t count = 1 + Below(3);
  for (size_t i = 0; i < count; ++i) words += " " + Pick(OneIn(2) ? kGroupWords : kCommands);
  Part limit = Section(words, {});
  if (OneIn(4)) limit.children.push_back(Line(OneIn(2) ? "Order deny,allow" : "Order allow,deny"));
  const size_t rules = 1 + Below(3);
  // Most people write who may, and refuse the rest.
  if (OneIn(3)) limit.children.push_back(Line("DenyAll"));
  for (size_t i = 0; i < rules; ++i) limit.children.push_back(Rule());
  return limit;
}

std::vector<Part> Generator::BlockLines() {
  std::vector<Part> lines;
  const size_t limits = 1 + Below(3);
  for (size_t i = 0; i < limits; ++i) lines.push_back(Limit());
  if (OneIn(2)) lines.push_back(Line(OneIn(3) ? "AllowOverwrite off" : "AllowOverwrite on"));
  return lines;
}

// Blocks of one server; the same name once, as the daemon wants it.
std::vector<Part> Generator::Blocks(size_t count, const Words& names) {
  std::vector<Part> out;
  std::set<std::string> seen;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = Pick(names);
    if (!seen.insert(name).second) continue;
    out.push_back(Section("Directory " + root_ + (name.empty() ? "" : "/" + name), BlockLines()));
  }
  return out;
}

void Generator::Use(const Theme& theme) {
  // Where a DenyAll holds a session has no data connection: it must be able to stand elsewhere.
  const bool confined = used_.contains("roots") || used_.contains("anonymous");
  const bool clash = (theme.make == &Generator::DenyAlls && confined) ||
                     (theme.needs_root && (used_.contains("deny all") || confined)) ||
                     (theme.make == &Generator::Anonymous && used_.contains("logins")) ||
                     (theme.make == &Generator::Logins && used_.contains("anonymous"));
  if (clash || !used_.insert(theme.name).second) return;
  world_.themes.emplace_back(theme.name);
  (this->*theme.make)();
}

// Blocks of the main server or of <Global>, each name once however many themes ask.
void Generator::AddBlocks(std::vector<Part>* to, std::set<std::string>* seen,
                          std::vector<Part> blocks) {
  for (Part& block : blocks) {
    if (seen->insert(block.text).second) to->push_back(std::move(block));
  }
}

void Generator::AddGlobal(std::vector<Part> blocks) {
  AddBlocks(&world_.global, &in_global_, std::move(blocks));
}

void Generator::AddOwn(std::vector<Part> blocks) {
  AddBlocks(&own_, &in_own_, std::move(blocks));
}

void Generator::Put(std::vector<Part>* to, std::vector<Part> parts) {
  for (Part& part : parts) to->push_back(std::move(part));
}

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
