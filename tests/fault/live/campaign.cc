#include "tests/fault/live/campaign.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace postern::fault {
namespace {

constexpr int kEndless = 60;  // passes after which a place is thought to be in a loop

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::trunc) << text;
}

char Other(char state) {
  return state == 'A' ? 'B' : 'A';
}

unsigned Seed() {
  const char* seed = std::getenv("POSTERN_FAULT_SEED");  // NOLINT(concurrency-mt-unsafe)
  return seed == nullptr ? 1 : static_cast<unsigned>(std::strtoul(seed, nullptr, 10));
}

}  // namespace

bool FullCampaign() {
  const char* full = std::getenv("POSTERN_FAULT_FULL");  // NOLINT(concurrency-mt-unsafe)
  return full != nullptr && *full != '\0';
}

Campaign::Campaign(World* world, std::string folder) : world_(world), folder_(std::move(folder)) {
  Write(folder_ + "/operator/postern.toml", world_->OperatorFile());
}

support::RunResult Campaign::Postern(std::vector<std::string> words,
                                     const support::Env& env) const {
  words.insert(words.begin(), POSTERN);
  support::RunOptions options{.env = env, .cwd = folder_, .limit = support::seconds(120)};
  options.env["NO_COLOR"] = "1";
  return support::RunCommand(words, options);
}

void Campaign::Declare(char state) {
  Write(folder_ + "/access/world.toml", world_->Declarations(state));
  state_ = state;
}

void Campaign::Finish(char state, const std::string& when) {
  const support::RunResult apply = Postern({"apply", "--yes"});
  ASSERT_EQ(apply.exit, 0) << when << "\n" << apply.out << apply.err << world_->Logs();
  const support::RunResult plan = Postern({"plan", "--detailed-exitcode"});
  ASSERT_EQ(plan.exit, 0) << when << ": the second plan is not empty\n" << plan.out << plan.err;
  world_->TryClients(state);
}

bool Campaign::Prepare(std::string_view journey) {
  for (const char state : journey) {
    Declare(state);
    Finish(state, "undisturbed");
    if (testing::Test::HasFatalFailure()) return false;
    references_[state] = world_->Dump();
  }
  return references_['A'] != references_['B'];
}

bool Campaign::Kill(const Place& place, int pass) {
  const char state = Other(state_);
  Declare(state);
  const std::string when =
      fmt::format("{} at pass {} of {}, on the way to {}", place.provider ? "provider" : "program",
                  pass, place.name, state);
  const support::RunResult killed = Postern(
      {"apply", "--yes"}, {{place.provider ? "POSTERN_PROVIDER_KILL_POINT" : "POSTERN_KILL_POINT",
                            fmt::format("{}:{}", place.name, pass)}});
  const bool fired = place.provider ? killed.exit != 0 : killed.signal == SIGKILL;
  std::printf("%s: %s\n", fired ? "killed" : "not reached", when.c_str());
  std::fflush(stdout);
  // Not reached: all was done. Never a program that isn't there, or a crash.
  EXPECT_TRUE(killed.exit == 0 || (fired && (killed.exit < 100 || killed.signal == SIGKILL)))
      << when << "\n"
      << killed.out << killed.err;
  Finish(state, when);
  if (testing::Test::HasFatalFailure()) return fired;
  EXPECT_EQ(world_->Dump(), references_[state]) << when << "\n" << killed.out << killed.err;
  return fired;
}

void Campaign::GoOn() {
  Declare(Other(state_));
  ASSERT_NO_FATAL_FAILURE(Finish(state_, "undisturbed, after the kills"));
  EXPECT_EQ(world_->Dump(), references_[state_]);
}

int Campaign::Run(const std::vector<Place>& places,
                  const std::vector<std::pair<Place, int>>& always, int few) {
  int kills = 0;
  const auto failed = [] { return testing::Test::HasFailure(); };
  if (FullCampaign()) {
    for (const Place& place : places) {
      for (int pass = 1; pass < kEndless && !failed(); ++pass) {
        const bool first = Kill(place, pass);
        const bool second = Kill(place, pass);  // the way back
        kills += static_cast<int>(first) + static_cast<int>(second);
        EXPECT_TRUE(pass > 1 || first || second) << place.name << " is never passed";
        if (!first && !second) break;
      }
    }
    return kills;
  }
  std::vector<std::pair<Place, int>> drawn;
  for (const Place& place : places) {
    for (int pass = 1; pass <= 2; ++pass) drawn.emplace_back(place, pass);
  }
  std::mt19937 random(Seed());
  std::shuffle(drawn.begin(), drawn.end(), random);
  drawn.insert(drawn.begin(), always.begin(), always.end());
  for (const auto& [place, pass] : drawn) {
    if (kills == few || failed()) break;
    if (Kill(place, pass)) ++kills;
  }
  return kills;
}

}  // namespace postern::fault
