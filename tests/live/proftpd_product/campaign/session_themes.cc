// Themes of generated configurations: who logs in, from where, to what.
#include "tests/live/proftpd_product/campaign/generator.h"

namespace postern::proftpd::campaign {

void Generator::Sessions() {
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
      Words names = kBlockNames;
      if (OneIn(3)) names.insert(names.end(), kPatterns.begin(), kPatterns.end());
      Put(&some.children, Blocks(1 + Below(2), names));
    }
    ForSome(std::move(some));
  }
}

// <Global> comes first in the file, where the same block would stop the daemon.
void Generator::ForSome(Part some) {
  std::erase_if(some.children, [&](const Part& part) { return in_global_.contains(part.text); });
  if (some.children.empty()) return;
  sessions_.push_back(some);
  world_.sftp.insert(world_.sftp.begin(), std::move(some));
}

// Who may, by where the client is.
void Generator::Addresses() {
  // Of each kind that these blocks tell apart, one; only 127.0.0.0/8 can be tried.
  world_.addresses = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.9.9.9", "127.77.7.7"};
  const Words from = {"127.0.0.1",        "127.0.0.0/30", "127.9.",
                      "127.0.0.2,127.9.", "!127.0.0.1",   "127.9. !127.0.0.2"};
  const Words lists = {"near", "far", "near,far", "!near", "far,!near", "regex ^n", "AND near"};
  AddGlobal(Blocks(1 + Below(3), kBlockNames));
  for (const char* name : {"near", "far"}) {
    Part one = Section(std::string("Class ") + name, {Line("From " + Pick(from))});
    if (OneIn(2)) one.children.push_back(Line("From " + Pick(from)));
    if (OneIn(3)) one.children.push_back(Line("Satisfy all"));
    world_.main.push_back(std::move(one));
  }
  // Chance hardly lets a negated class alone decide.
  if (world_.seed % 490 == 7) {
    world_.main = {Section("Class near", {Line("From 127.0.0.1")})};
    world_.global = {Section("Limit DELE", {Line("AllowClass !near"), Line("DenyAll")})};
    return;
  }
  const size_t limits = 1 + Below(3);
  for (size_t i = 0; i < limits; ++i) {
    Part limit = Limit();
    if (OneIn(5)) limit.text = "Limit LOGIN";
    const size_t lines = 1 + Below(2);
    for (size_t n = 0; n < lines; ++n) {
      const std::string side = OneIn(3) ? "Deny" : "Allow";
      limit.children.push_back(
          Line(OneIn(2) ? side + " from " + Pick(from) : side + "Class " + Pick(lists)));
    }
    if (OneIn(2)) limit.children.push_back(Line("DenyAll"));
    Part block = Section("Directory " + root_ + "/" + Pick({"a", "z", "a/b"}), {limit});
    if (OneIn(2) && limit.text != "Limit LOGIN")
      AddGlobal({std::move(block)});
    else
      world_.global.push_back(std::move(limit));
  }
  if (!OneIn(3)) return;
  const Words heads = {"IfClass near", "IfClass !near", "IfClass far", "IfUser u1", "IfGroup g2"};
  const size_t count = 1 + Below(3);
  for (size_t i = 0; i < count; ++i) {
    Part some = Section(Pick(heads), {Section("Limit " + Pick({"DELE", "WRITE"}), {Rule()})});
    if (OneIn(2)) Put(&some.children, Blocks(1, kBlockNames));
    ForSome(std::move(some));
  }
}

void Generator::Logins() {
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

void Generator::PersonalBlocks() {
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

void Generator::Roots() {
  AddGlobal(Blocks(2 + Below(3), kBlockNames));
  const Words homes = {"/a", "/z", "", "/a/b"};
  for (RaiseAccount& account : world_.accounts) account.home = root_ + Pick(homes);
  const Words roots = {"~", root_, root_ + "/a", root_ + "/z"};
  for (const std::string& home : homes) world_.roots.push_back(root_ + home);
  const size_t count = 1 + Below(2);
  for (size_t i = 0; i < count; ++i) {
    std::string who = OneIn(2) ? "" : " " + Names(kGroups, true);
    if (OneIn(4)) who = " OR " + Pick(kGroups);
    world_.global.push_back(Line("DefaultRoot " + Pick(roots) + who));
  }
  if (OneIn(2)) world_.global.push_back(Line("DefaultChdir " + root_ + "/a"));
  if (OneIn(2)) world_.global.push_back(Line("Umask 077"));
}

void Generator::Anonymous() {
  AddGlobal(Blocks(1 + Below(3), kBlockNames));
  for (size_t i = Below(3); i > 0; --i) (OneIn(2) ? &world_.global : &own_)->push_back(Limit());
  const std::string root = root_ + Pick({"/a", "/z"});
  world_.roots.push_back(root);
  world_.logins.emplace_back("anonymous");
  Part section = Section("Anonymous " + root, {Line("UserAlias anonymous u4")});
  if (!OneIn(5)) Put(&section.children, {Line("User u4"), Line("Group g4")});
  std::set<std::string> seen;
  for (size_t i = Below(3); i > 0; --i) section.children.push_back(Limit());
  if (OneIn(3)) section.children.push_back(Line("AllowOverwrite on"));
  if (OneIn(4)) section.children.push_back(Section("Limit LOGIN", {Rule()}));
  if (OneIn(4)) own_.push_back(Section("Limit LOGIN", {Line("DenyUser u4")}));
  for (size_t i = Below(3); i > 0; --i) {
    const std::string name = Pick({"b", "y", "b/c", root + "/b", "*"});
    if (!seen.insert(name.substr(name.rfind('/') + 1)).second) continue;
    section.children.push_back(Section("Directory " + name, BlockLines()));
    if (name != "*" || OneIn(2)) continue;
    Put(&section.children, {Section("Limit DELE", {Rule()})});
    Put(&section.children.end()[-2].children,
        {Section("Limit DELE", {Rule()}), Section("Limit DELE", {Rule()})});
  }
  // Sections for its account, which chance seldom brings along.
  if (world_.seed % 28 == 11) {
    sessions_.push_back(Section(
        "IfUser u4", {Section("Limit MKD LOGIN", {Line("DenyAll")}), Line("AllowOverwrite on")}));
  }
  // In <Global> it is there over SFTP too.
  (OneIn(3) ? &world_.global : &own_)->push_back(std::move(section));
}

}  // namespace postern::proftpd::campaign
