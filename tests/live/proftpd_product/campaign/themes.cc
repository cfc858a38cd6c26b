// Themes of generated configurations: blocks, Limits, switches, conditions, files.
#include "tests/live/proftpd_product/campaign/generator.h"

namespace postern::proftpd::campaign {

void Generator::Limits() {
  if (OneIn(2)) world_.global.push_back(Line("AllowOverwrite on"));
  AddGlobal(Blocks(2 + Below(3), kBlockNames));
  const size_t limits = Below(3);
  for (size_t i = 0; i < limits; ++i) world_.global.push_back(Limit());
}

void Generator::Patterns() {
  Words names = kBlockNames;
  names.insert(names.end(), kPatterns.begin(), kPatterns.end());
  AddGlobal(Blocks(3 + Below(4), names));
  if (OneIn(2)) AddOwn(Blocks(1 + Below(3), names));
  if (OneIn(3)) AddOwn({Section("Directory " + root_ + "/" + Pick({"a", "z", "a/b"}), {})});
}

void Generator::Servers() {
  AddGlobal(Blocks(2 + Below(2), kBlockNames));
  AddOwn(Blocks(1 + Below(3), kBlockNames));
  for (std::vector<Part>* server : {&own_, &world_.sftp, &world_.global}) {
    const size_t limits = Below(3);
    for (size_t i = 0; i < limits; ++i) server->push_back(Limit());
    if (OneIn(2)) server->push_back(Line(OneIn(2) ? "AllowOverwrite on" : "AllowOverwrite off"));
  }
  if (OneIn(2)) Put(&world_.sftp, Blocks(1 + Below(2), kBlockNames));
}

void Generator::Overwrite() {
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

void Generator::DenyAlls() {
  AddGlobal(Blocks(3 + Below(3), kBlockNames));
  world_.global.push_back(Line("AllowOverwrite on"));
  for (Part& block : world_.global) {
    if (!block.text.starts_with("Directory") || OneIn(2)) continue;
    block.children.push_back(Line("DenyAll"));
    if (OneIn(3)) block.children.push_back(Line("AllowAll"));
  }
}

void Generator::Conditions() {
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

// What depends on names that clients choose.
void Generator::Filters() {
  AddGlobal(Blocks(2 + Below(2), kBlockNames));
  world_.global.push_back(Line("AllowOverwrite on"));
  const Words paths = {"\\.new$", "file$", "(new|dir)$", "^/tmp/", "moved", "/b/.*y", "[xy]$"};
  const Words names = {"file$", "!file$", "^[.]", "none", "!zzz", "[ef]$"};
  const auto path = [&] {
    return Line((OneIn(3) ? "PathAllowFilter \"" : "PathDenyFilter \"") + Pick(paths) + "\"");
  };
  if (OneIn(2)) world_.global.push_back(path());
  for (Part& block : world_.global) {
    if (!block.text.starts_with("Directory")) continue;
    if (OneIn(2)) block.children.push_back(path());
    if (OneIn(2)) block.children.push_back(Line("HideFiles \"" + Pick(names) + "\""));
  }
  // Chance hardly lets `none` end what hides everything.
  if (world_.seed % 490 == 12) {
    world_.global = {
        Section("Directory " + root_ + "/a", {Line("HideFiles \"!zzz\"")}),
        Section("Directory " + root_ + "/a/b", {Line("HideFiles none"), Line("Umask 022")})};
    return;
  }
  // Over FTP alone: sessions of mod_sftp die of it.
  if (OneIn(3)) AddOwn({Section("Directory " + root_ + "/a/b/c", {Line("HideNoAccess on")})});
}

// What the files alone don't settle; it has to be said so, and never a guess.
void Generator::NotComputable() {
  AddGlobal(Blocks(2 + Below(2), kBlockNames));
  Part block = Section("Directory " + root_ + "/a/b/c", {Limit()});
  switch (Below(4)) {
    case 0:
      block.children.push_back(Line("HideUser root"));
      break;
    case 1:
      block.children.push_back(
          Section("Limit WRITE", {Line("Order deny,allow"), Line("Allow from .example.com")}));
      break;
    case 2:
      block.children.push_back(Section("Limit DELE", {Line("DenyFilter \"file$\"")}));
      break;
    default:
      world_.ftpaccess["a/b/c"] = {Section("Limit WRITE", {Line("DenyAll")})};
      if (OneIn(2)) world_.global.push_back(Line("AllowOverride off"));
  }
  AddGlobal({std::move(block)});
  if (OneIn(2)) world_.global.push_back(Line("DeleteAbortedStores on"));
}

}  // namespace postern::proftpd::campaign
