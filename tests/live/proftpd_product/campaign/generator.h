// tests/live/proftpd_product/campaign/generator.h: what makes a world from a seed: chance, parts of
// configurations, and one method for each theme. Internal to generate.h.
#pragma once
#include <fmt/format.h>

#include <random>
#include <set>

#include "tests/live/proftpd_product/campaign/generate.h"

namespace postern::proftpd::campaign {

using Words = std::vector<std::string>;

inline const Words kFolders = {"a", "a/b", "a/b/c", "ab", "z", "z/y"};
inline const Words kUsers = {"u1", "u2", "u3", "u4"};
inline const Words kGroups = {"g1", "g2", "g3", "g4"};
inline const Words kBlockNames = {"a", "a/b", "a/b/c", "ab", "z", "z/y", ""};
inline const Words kPatterns = {"*",   "a*",  "a/*",   "?",     "*/b",  "z*",     "[az]",
                                "?/*", "z/?", "a/b/*", "[[]z]", "a/b*", "*.file", "a/b/c/*"};
inline const Words kCommands = {"LIST",    "NLST",       "MLSD",    "STAT", "RETR",  "STOR",
                                "APPE",    "DELE",       "RNFR",    "RNTO", "MKD",   "XMKD",
                                "RMD",     "XRMD",       "CWD",     "MFF",  "STORX", "OPENDIR",
                                "READDIR", "SITE_CHMOD", "SETSTAT", "STOU", "SIZE"};
inline const Words kGroupWords = {"READ", "WRITE", "DIRS", "ALL"};

inline Part Line(std::string text) {
  return {std::move(text), false, {}};
}
inline Part Section(std::string text, std::vector<Part> children) {
  return {std::move(text), true, std::move(children)};
}

class Generator {
 public:
  Generator(uint32_t seed, std::string root, std::string files);

  struct Theme {
    const char* name;
    void (Generator::*make)();
    bool needs_root = false;
  };

  World Run();

 private:
  size_t Below(size_t n);
  bool OneIn(size_t n);
  const std::string& Pick(const Words& words);
  std::string OnOff();
  std::string Names(const Words& from, bool group);
  std::string List(const Words& from, bool group);
  Part Rule();
  Part Limit();
  std::vector<Part> BlockLines();
  // Blocks of one server; the same name once, as the daemon wants it.
  std::vector<Part> Blocks(size_t count, const Words& names);
  void Use(const Theme& theme);
  // Blocks of the main server or of <Global>, each name once however many themes ask.
  void AddBlocks(std::vector<Part>* to, std::set<std::string>* seen, std::vector<Part> blocks);
  void AddGlobal(std::vector<Part> blocks);
  void AddOwn(std::vector<Part> blocks);
  void Put(std::vector<Part>* to, std::vector<Part> parts);

  // Themes on blocks and Limits: themes.cc.
  void Limits();
  void Patterns();
  void Servers();
  void Overwrite();
  void DenyAlls();
  void Conditions();
  // What the files alone don't settle; it has to be said so, and never a guess.
  void Filters();
  void NotComputable();

  // Themes on logins and sessions: session_themes.cc.
  void Sessions();
  void ForSome(Part some);
  void Addresses();
  void Logins();
  void PersonalBlocks();
  void Roots();
  void Anonymous();

  std::mt19937 random_;
  std::string root_, files_;
  std::vector<Part> sessions_, own_;  // of the main server, sections for some sessions first
  std::set<std::string> in_global_, in_own_, used_;
  World world_;
};

}  // namespace postern::proftpd::campaign
