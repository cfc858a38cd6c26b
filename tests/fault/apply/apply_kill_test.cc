// Apply dies at every place that has a name, and the next one finishes its work (README.md).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "tests/fault/apply/campaign.h"

namespace postern::fault {
namespace {

namespace fs = std::filesystem;

constexpr int kEndless = 200;  // passes after which a place is thought to be in a loop

// NOLINTBEGIN(concurrency-mt-unsafe)
bool Full() {
  const char* full = std::getenv("POSTERN_FAULT_FULL");  // NOLINT(concurrency-mt-unsafe)
  return full != nullptr && *full != '\0';
}

unsigned Seed() {
  const char* seed = std::getenv("POSTERN_FAULT_SEED");  // NOLINT(concurrency-mt-unsafe)
  return seed == nullptr ? 1 : static_cast<unsigned>(std::strtoul(seed, nullptr, 10));
}
// NOLINTEND(concurrency-mt-unsafe)

const std::vector<Place> kCreation = {
    {"ledger.create"}, {"ledger.before-rename"}, {"ledger.after-create"}};
const std::vector<Place> kProgram = {{"ledger.after-lock"},      {"ledger.after-begin-apply"},
                                     {"ledger.before-commit"},   {"ledger.in-commit"},
                                     {"ledger.after-commit"},    {"ledger.before-finish"},
                                     {"ledger.after-finish"},    {"apply.begun"},
                                     {"apply.before-intents"},   {"apply.after-intents"},
                                     {"apply.after-call"},       {"apply.before-outcomes"},
                                     {"apply.after-outcomes"},   {"apply.before-finish"},
                                     {"apply.finished"},         {"apply.record-intents"},
                                     {"apply.before-close-left"}};
const std::vector<Place> kProvider = {{"provider.apply.received", true},
                                      {"provider.apply.answered", true},
                                      {"memory.apply.before", true},
                                      {"memory.apply.after", true}};
const Place kRecovery = {"recover.before-commit"};
// In a listing of megabytes; nothing is written there.
const std::set<std::string> kElsewhere = {"provider.enumerate.batch"};

// All passes in the full campaign; else the first and, for `more`, a later one by the seed.
void KillAt(Campaign* campaign, const Place& place, bool more) {
  EXPECT_TRUE(campaign->Kill(place, 1)) << place.name << " is never passed";
  if (Full()) {
    int pass = 2;
    while (pass < kEndless && campaign->Kill(place, pass)) ++pass;
    EXPECT_LT(pass, kEndless) << place.name;
  } else if (more) {
    std::mt19937 random(Seed() + static_cast<unsigned>(std::hash<std::string>()(place.name)));
    campaign->Kill(place, std::uniform_int_distribution<int>(2, 6)(random));
  }
}

TEST(ApplyKilled, AtItsFirstRun) {
  Campaign campaign(Scenario::kFirst);
  for (const Place& place : kCreation) KillAt(&campaign, place, false);
  for (const Place& place : kProgram) {
    // Nothing is there that only the ledger could forget.
    if (place.name == "apply.record-intents") continue;
    if (Full() || place.name.starts_with("apply.")) KillAt(&campaign, place, false);
  }
}

TEST(ApplyKilled, InTheProgram) {
  Campaign campaign(Scenario::kChange);
  for (const Place& place : kProgram) KillAt(&campaign, place, true);
}

TEST(ApplyKilled, InTheProvider) {
  Campaign campaign(Scenario::kChange);
  for (const Place& place : kProvider) KillAt(&campaign, place, true);
}

TEST(ApplyKilled, WithASavedPlan) {
  Campaign campaign(Scenario::kSaved);
  for (const Place& place : kProgram) {
    if (Full() || place.name.starts_with("apply.")) KillAt(&campaign, place, true);
  }
  for (const Place& place : kProvider) {
    if (Full() || place.name == "memory.apply.after") KillAt(&campaign, place, true);
  }
}

// The one that finishes the work dies, too.
TEST(ApplyKilled, AndItsRecovery) {
  Campaign campaign(Scenario::kChange);
  EXPECT_TRUE(campaign.Kill({"apply.after-intents"}, 2, &kRecovery));
  EXPECT_TRUE(campaign.Kill({"memory.apply.after", true}, 3, &kRecovery));
}

// Killed when access is gone and its sessions are still open: the one after ends them, and what it
// has to close in the ledger for the first one survives its own death.
TEST(ApplyKilled, BetweenARevocationAndTheEndOfItsSessions) {
  Campaign campaign(Scenario::kChange);
  // Batches of the revoke phase, corp's and edge's; sessions are the last of them.
  const Place end{"apply.before-close-left"};
  for (const int pass : {1, 2, 3, 4}) EXPECT_TRUE(campaign.Kill(end, pass, &end)) << pass;
}

// A new place must be listed above: the sources are asked.
TEST(ApplyKilled, KnowsEveryPlace) {
  std::set<std::string> listed = kElsewhere;
  listed.insert(kRecovery.name);
  for (const auto* places : {&kCreation, &kProgram, &kProvider}) {
    for (const Place& place : *places) listed.insert(place.name);
  }
  const fs::path root = POSTERN_SOURCE_DIR;
  std::set<std::string> named;
  const std::regex call("base::KillPoint\\(\"([^\"]+)\"\\)");
  for (const char* folder : {"core", "providers/sdk", "providers/memory"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() != ".cc") continue;
      // Jobs run by themselves, and have campaigns of their own (tests/live/{delivery,jobs}).
      const std::string path = entry.path().string();
      if (path.find("/core/jobs/") != std::string::npos) continue;
      if (path.ends_with("/serve_place.cc")) continue;
      std::stringstream text;
      text << std::ifstream(path).rdbuf();
      const std::string source = text.str();
      for (std::sregex_iterator at(source.begin(), source.end(), call), end; at != end; ++at) {
        named.insert((*at)[1]);
      }
    }
  }
  EXPECT_EQ(named, listed);
}

TEST(Evaluator, SeesWhatTheWorldGives) {
  const std::string dump =
      "account s/a  enabled: true home: \"/srv/a\"  id=m-1 by=x at=y\n"
      "account s/b  enabled: false home: \"/srv\"  id=m-2 by=x at=y\n"
      "grant account:a on /srv/a/in (subtree) at s  rights: 5  id=- by=x at=y\n"
      "grant account:a on /other (subtree) at s  rights: 5  id=- by=x at=y\n"
      "grant group:g on /srv/a (this) at s  rights: 1  id=- by=x at=y\n"
      "server membership of a in s/g   id=- by=x at=y\n"
      "server membership of b in s/g   id=- by=x at=y\n"
      "ssh key K1 of s/a  public_key: \"k\"  id=- by=x at=y\n"
      "ssh key K1 of s/b  public_key: \"k\"  id=- by=x at=y\n"
      "user uid=a  enabled: false  id=m-3 by=x at=y\n"
      "membership of uid=a in cn=g   id=- by=x at=y\n"
      "iam user a@p  active: true  id=m-4 by=x at=y\n"
      "iam user b@p  active: false  id=m-5 by=x at=y\n"
      "membership of a@p in group d@p   id=- by=x at=y\n"
      "membership of b@p in group d@p   id=- by=x at=y\n"
      "membership of group d@p in role r   id=- by=x at=y\n";
  const Access expected = {"s/a by K1 from /srv/a: right 0 on /srv/a/in (subtree)",
                           "s/a by K1 from /srv/a: right 2 on /srv/a/in (subtree)",
                           "s/a by K1 from /srv/a: right 0 on /srv/a (this)",
                           "a@p logs in",
                           "a@p in group d@p",
                           "a@p in role r"};
  EXPECT_EQ(AccessIn(dump), expected);
}

}  // namespace
}  // namespace postern::fault
