#include "tests/live/proftpd_product/campaign/generate.h"

#include <fmt/format.h>
#include <unistd.h>

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

  struct Theme {
    const char* name;
    void (Generator::*make)();
    bool needs_root = false;
  };

  World Run() {
    std::vector<Theme> themes = {{"limits", &Generator::Limits},
                                 {"patterns", &Generator::Patterns},
                                 {"servers", &Generator::Servers},
                                 {"overwrite", &Generator::Overwrite},
                                 {"deny all", &Generator::DenyAlls},
                                 {"sessions", &Generator::Sessions},
                                 {"logins", &Generator::Logins},
                                 {"conditions", &Generator::Conditions},
                                 {"personal", &Generator::PersonalBlocks},
                                 {"roots", &Generator::Roots, true},
                                 {"anonymous", &Generator::Anonymous, true},
                                 {"not computable", &Generator::NotComputable}};
    // As an ordinary user no session can be confined.
    if (geteuid() != 0) std::erase_if(themes, [](const Theme& t) { return t.needs_root; });
    Use(themes[world_.seed % themes.size()]);
    // Every third configuration mixes two.
    if (OneIn(3)) Use(themes[Below(themes.size())]);
    Put(&world_.main, std::move(sessions_));
    Put(&world_.main, std::move(own_));
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

  void Use(const Theme& theme) {
    // Where a DenyAll holds a session has no data connection: it must be able to stand elsewhere.
    const bool confined = used_.contains("roots") || used_.contains("anonymous");
    const bool clash = (theme.make == &Generator::DenyAlls && confined) ||
                       (theme.needs_root && (used_.contains("deny all") || confined)) ||
                       // Sections for some sessions in an anonymous one aren't read.
                       (theme.make == &Generator::Sessions && used_.contains("anonymous")) ||
                       (theme.make == &Generator::Anonymous &&
                        (used_.contains("sessions") || used_.contains("logins"))) ||
                       (theme.make == &Generator::Logins && used_.contains("anonymous"));
    if (clash || !used_.insert(theme.name).second) return;
    world_.themes.emplace_back(theme.name);
    (this->*theme.make)();
  }

  // Blocks of the main server or of <Global>, each name once however many themes ask.
  void AddBlocks(std::vector<Part>* to, std::set<std::string>* seen, std::vector<Part> blocks) {
    for (Part& block : blocks) {
      if (seen->insert(block.text).second) to->push_back(std::move(block));
    }
  }
  void AddGlobal(std::vector<Part> blocks) {
    AddBlocks(&world_.global, &in_global_, std::move(blocks));
  }
  void AddOwn(std::vector<Part> blocks) { AddBlocks(&own_, &in_own_, std::move(blocks)); }

  void Put(std::vector<Part>* to, std::vector<Part> parts) {
    for (Part& part : parts) to->push_back(std::move(part));
  }

  void Limits() {
    if (OneIn(2)) world_.global.push_back(Line("AllowOverwrite on"));
    AddGlobal(Blocks(2 + Below(3), kBlockNames));
    const size_t limits = Below(3);
    for (size_t i = 0; i < limits; ++i) world_.global.push_back(Limit());
  }

  void Patterns() {
    Words names = kBlockNames;
    names.insert(names.end(), kPatterns.begin(), kPatterns.end());
    AddGlobal(Blocks(3 + Below(4), names));
    if (OneIn(2)) AddOwn(Blocks(1 + Below(3), names));
    if (OneIn(3)) AddOwn({Section("Directory " + root_ + "/" + Pick({"a", "z", "a/b"}), {})});
  }

  void Servers() {
    AddGlobal(Blocks(2 + Below(2), kBlockNames));
    AddOwn(Blocks(1 + Below(3), kBlockNames));
    for (std::vector<Part>* server : {&own_, &world_.sftp, &world_.global}) {
      const size_t limits = Below(3);
      for (size_t i = 0; i < limits; ++i) server->push_back(Limit());
      if (OneIn(2)) server->push_back(Line(OneIn(2) ? "AllowOverwrite on" : "AllowOverwrite off"));
    }
    if (OneIn(2)) Put(&world_.sftp, Blocks(1 + Below(2), kBlockNames));
  }

  std::string OnOff() { return OneIn(2) ? " on" : " off"; }

  void Overwrite() {
    AddGlobal(Blocks(2 + Below(3), kBlockNames));
    for (std::vector<Part>* server : {&own_, &world_.sftp, &world_.global}) {
      for (const char* word : {"AllowOverwrite", "AllowStoreRestart"}) {
        if (OneIn(2)) server->push_back(Line(word + OnOff()));
      }
    }
    if (OneIn(2)) {
      world_.global.push_back(Line("AllowStoreRestart on"));
      world_.global.push_back(Section("Limit STOR SETSTAT", {Line("DenyUser " + Pick(kUsers))}));
    }
    for (Part& block : world_.global) {
      if (!block.text.starts_with("Directory")) continue;
      if (OneIn(2)) block.children.push_back(Line("AllowStoreRestart" + OnOff()));
      if (OneIn(3)) block.children.push_back(Line("AllowOverwrite" + OnOff()));
    }
  }

  void DenyAlls() {
    AddGlobal(Blocks(3 + Below(3), kBlockNames));
    world_.global.push_back(Line("AllowOverwrite on"));
    for (Part& block : world_.global) {
      if (!block.text.starts_with("Directory") || OneIn(2)) continue;
      block.children.push_back(Line("DenyAll"));
      if (OneIn(3)) block.children.push_back(Line("AllowAll"));
    }
  }

  void Sessions() {
    AddGlobal(Blocks(2 + Below(3), kBlockNames));
    if (OneIn(2)) world_.global.push_back(Section("Limit WRITE", {Rule()}));
    // Chance hardly lets a user's section and a group's disagree about one account.
    if (world_.seed % 60 == 5) {
      sessions_.push_back(Section("IfUser u1", {Section("Limit DELE", {Line("AllowAll")})}));
      sessions_.push_back(Section("IfGroup g1", {Section("Limit DELE", {Line("DenyAll")})}));
    }
    const size_t count = 1 + Below(3);
    for (size_t i = 0; i < count; ++i) {
      const bool group = OneIn(2);
      Part some =
          Section(group ? "IfGroup " + List(kGroups, true) : "IfUser " + List(kUsers, false), {});
      if (OneIn(2)) some.children.push_back(Limit());
      if (OneIn(3)) some.children.push_back(Section("Limit WRITE", {Line("DenyAll")}));
      if (OneIn(3)) some.children.push_back(Line("AllowOverwrite" + OnOff()));
      if (OneIn(2) || some.children.empty()) {
        Put(&some.children, Blocks(1 + Below(2), kBlockNames));
      }
      // <Global> comes first in the file, where the same block would stop the daemon.
      std::erase_if(some.children,
                    [&](const Part& part) { return in_global_.contains(part.text); });
      if (some.children.empty()) continue;
      sessions_.push_back(some);
      world_.sftp.insert(world_.sftp.begin(), std::move(some));
    }
  }

  void Logins() {
    AddGlobal(Blocks(2 + Below(2), kBlockNames));
    const size_t limits = Below(4);
    for (size_t i = 0; i < limits; ++i) {
      Part limit = Limit();
      limit.text = OneIn(3) ? "Limit LOGIN STOR" : "Limit LOGIN";
      (OneIn(2) ? &world_.global : &own_)->push_back(std::move(limit));
    }
    if (OneIn(3)) {
      world_.global.push_back(Section("Limit LOGIN", {Line("DenyUser " + Pick(kUsers))}));
      world_.global.push_back(Section("Limit LOGIN", {Line("AllowAll")}));
    }
    if (OneIn(2)) {
      world_.logins.emplace_back("al");
      world_.global.push_back(Line("UserAlias al " + Pick(kUsers)));
      world_.global.push_back(Section("Limit " + Pick(kGroupWords), {Line("DenyUser al")}));
    }
    if (OneIn(4)) world_.global.push_back(Line("AuthAliasOnly on"));
    if (OneIn(4)) world_.global.push_back(Line("UserAlias u2 u3"));
    if (OneIn(6)) world_.global.push_back(Line("UserAlias * u1"));
  }

  void Conditions() {
    std::vector<Part> lines;
    if (OneIn(2)) lines.push_back(Line("Define HERE"));
    const Words tests = {"IfDefine HERE",       "IfDefine !HERE",       "IfDefine ELSEWHERE",
                         "IfModule mod_sftp.c", "IfModule !mod_sftp.c", "IfModule mod_none.c",
                         "IfModule mod_ls.c",   "IfModule !mod_none.c"};
    std::vector<Part> blocks = Blocks(3 + Below(3), kBlockNames);
    for (Part& block : blocks) {
      std::vector<Part> inner;
      if (OneIn(2)) inner.push_back(Section(Pick(tests), {Limit()}));
      Put(&block.children, std::move(inner));
    }
    for (const Words& names : {Words{"10-one.conf", "20-two.conf"}, Words{"alone.conf"}}) {
      for (const std::string& name : names) {
        std::vector<Part>& file = world_.included[name];
        file.push_back(Section(Pick(tests), {Limit()}));
        // Of two files that answer the same, which is asked first?
        file.push_back(Section("Limit " + Pick({"DELE", "WRITE", "READ"}), {Rule()}));
        if (!blocks.empty()) {
          file.push_back(std::move(blocks.back()));
          in_global_.insert(file.back().text);
          blocks.pop_back();
        }
      }
    }
    lines.push_back(Line(fmt::format("Include {}/*-*.conf", files_)));
    lines.push_back(Line(fmt::format("Include {}/alone.conf", files_)));
    lines.push_back(Line(fmt::format("Include {}/missing.conf", files_)));
    Put(&world_.global, std::move(lines));
    AddGlobal(std::move(blocks));
  }

  void PersonalBlocks() {
    const Words homes = {"/a", "/z", "", "/a/b"};
    for (RaiseAccount& account : world_.accounts) account.home = root_ + Pick(homes);
    AddGlobal(Blocks(2 + Below(2), kBlockNames));
    const Words names = {"~", "~/b", "~/*", "~u1", "~u1/y", root_ + "/a/%u", root_ + "/%u"};
    const size_t count = 1 + Below(2);
    for (size_t i = 0; i < count; ++i) {
      AddGlobal({Section("Directory " + Pick(names), BlockLines())});
    }
    world_.folders = {"a", "a/b", "a/b/c", "z", "z/y", "u1", "a/u2"};
  }

  void Roots() {
    AddGlobal(Blocks(2 + Below(3), kBlockNames));
    const Words homes = {"/a", "/z", "", "/a/b"};
    for (RaiseAccount& account : world_.accounts) account.home = root_ + Pick(homes);
    const Words roots = {"~", root_, root_ + "/a", root_ + "/z"};
    for (const std::string& home : homes) world_.roots.push_back(root_ + home);
    const size_t count = 1 + Below(2);
    for (size_t i = 0; i < count; ++i) {
      std::string who = OneIn(2) ? "" : " " + List(kGroups, true);
      if (OneIn(4)) who = " OR " + Pick(kGroups);
      world_.global.push_back(Line("DefaultRoot " + Pick(roots) + who));
    }
    if (OneIn(2)) world_.global.push_back(Line("DefaultChdir " + root_ + "/a"));
    if (OneIn(2)) world_.global.push_back(Line("Umask 077"));
  }

  void Anonymous() {
    AddGlobal(Blocks(1 + Below(3), kBlockNames));
    for (size_t i = Below(3); i > 0; --i) (OneIn(2) ? &world_.global : &own_)->push_back(Limit());
    const std::string root = root_ + Pick({"/a", "/z"});
    world_.roots.push_back(root);
    world_.logins.emplace_back("anonymous");
    Part section = Section("Anonymous " + root,
                           {Line("User u4"), Line("Group g4"), Line("UserAlias anonymous u4")});
    std::set<std::string> seen;
    for (size_t i = Below(3); i > 0; --i) section.children.push_back(Limit());
    if (OneIn(3)) section.children.push_back(Line("AllowOverwrite on"));
    if (OneIn(4)) section.children.push_back(Section("Limit LOGIN", {Rule()}));
    if (OneIn(4)) own_.push_back(Section("Limit LOGIN", {Line("DenyUser u4")}));
    for (size_t i = Below(3); i > 0; --i) {
      const std::string name = Pick({"b", "y", "b/c", root + "/b", "*"});
      if (!seen.insert(name.substr(name.rfind('/') + 1)).second) continue;
      section.children.push_back(Section("Directory " + name, BlockLines()));
    }
    own_.push_back(std::move(section));
  }

  // What the files alone don't settle; it has to be said so, and never a guess.
  void NotComputable() {
    AddGlobal(Blocks(2 + Below(2), kBlockNames));
    Part block = Section("Directory " + root_ + "/a/b/c", {Limit()});
    switch (Below(6)) {
      case 0:
        block.children.push_back(Line("PathDenyFilter \"\\.new$\""));
        break;
      case 1:
        block.children.push_back(Line("HideFiles \"file$\""));
        break;
      case 2:
        block.children.push_back(
            Section("Limit WRITE", {Line("Order deny,allow"), Line("Allow from 127.0.0.1")}));
        break;
      case 3:
        world_.main.push_back(Section("Class near", {Line("From 127.0.0.1")}));
        block.children.push_back(Section("Limit STOR", {Line("AllowClass near"), Line("DenyAll")}));
        break;
      case 4:
        block.children.push_back(Section("Limit DELE", {Line("DenyFilter \"file$\"")}));
        break;
      default:
        world_.ftpaccess["a/b/c"] = {Section("Limit WRITE", {Line("DenyAll")})};
        if (OneIn(2)) world_.global.push_back(Line("AllowOverride off"));
    }
    AddGlobal({std::move(block)});
    if (OneIn(2)) world_.global.push_back(Line("DeleteAbortedStores on"));
  }

  std::mt19937 random_;
  std::string root_, files_;
  std::vector<Part> sessions_, own_;  // of the main server, sections for some sessions first
  std::set<std::string> in_global_, in_own_, used_;
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
