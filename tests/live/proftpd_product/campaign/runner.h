// tests/live/proftpd_product/campaign/runner.h: a world on a real daemon, tried by real clients,
// and the raiser's answers beside it.
#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/live/proftpd_product/campaign/generate.h"
#include "tests/support/proftpd.h"

namespace postern::proftpd::campaign {

// What was tried: login, way, folder on the host, right.
struct Try {
  std::string login;
  Way way = Way::kFtp;
  std::string folder;
  access::Right right = access::Right::kList;
  auto operator<=>(const Try&) const = default;
};
std::string Format(const Try& what);

using Found = std::map<Try, bool>;  // whether the daemon let it be done

struct Compared {
  size_t decisions = 0, allowed = 0, unknown = 0;
  std::vector<std::pair<Try, Ruling>> differences;
  std::set<std::string> unknown_because;
};

class Runner {
 public:
  Runner();

  const std::string& root() const { return server_.data(); }
  std::string files() const { return scratch_.File("proftpd/included"); }
  // Writes the world's files.
  void Write(const World& world);
  // Starts the daemon on the written files, tries everything, stops it. Failures fail the test.
  Found Probe(const World& world, const std::vector<std::string>& logins);
  // The raiser on the same files.
  Raiser Raise(const World& world, const RaiseRules& rules = {}) const;
  // Without lines that a difference doesn't need: the world that is left.
  World Minimise(World world, const Try& what, bool daemon_allows);

  std::string ConfigOf(const World& world) const;

 private:
  void WriteAccounts(const World& world);
  bool StillDiffers(const World& world, const Try& what, bool daemon_allows);

  support::Scratch scratch_;
  support::Proftpd server_;
  std::string key_, daemon_user_;  // daemon_user_: the lines User and Group
  std::set<std::string> written_;
};

Ruling RulingOf(const Raiser& raiser, const Try& what);
Compared Compare(const Raiser& raiser, const Found& found);

}  // namespace postern::proftpd::campaign
