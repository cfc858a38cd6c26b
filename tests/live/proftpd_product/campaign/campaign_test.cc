// The campaign: random configurations on the live daemon, every (account, folder, right, way) tried
// by real clients and compared with the raiser; then the raiser's rules turned off one by one.
// README.md says how to run more of it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <numeric>

#include "tests/live/proftpd_product/campaign/runner.h"

namespace postern::proftpd::campaign {
namespace {

constexpr uint32_t kFull = 500;
// Of the full run, those that together need every rule of the raiser.
constexpr uint32_t kShort[] = {1,   2,   3,   4,   5,   6,   7,   8,   9,   11,  12,  15,
                               22,  24,  25,  26,  29,  35,  36,  38,  47,  75,  82,  103,
                               104, 109, 131, 147, 155, 165, 207, 257, 290, 337, 385, 409};
constexpr size_t kShownDifferences = 3;

uint32_t Number(const char* variable, uint32_t otherwise) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

std::vector<uint32_t> Seeds(bool full) {
  std::vector<uint32_t> seeds(std::begin(kShort), std::end(kShort));
  const uint32_t first = Number("POSTERN_SEED", 1);
  const uint32_t count = Number("POSTERN_ROUNDS", full ? kFull : 0);
  if (count != 0) seeds.resize(count);
  if (count != 0) std::iota(seeds.begin(), seeds.end(), first);
  return seeds;
}

std::string Explain(const World& world, Runner* runner, const Try& what, bool daemon_allows) {
  return fmt::format("seed {} ({}): {}: the daemon says {}, the raiser {}\n{}", world.seed,
                     fmt::join(world.themes, ", "), Format(what), daemon_allows ? "yes" : "no",
                     daemon_allows ? "no" : "yes", runner->ConfigOf(world));
}

// The rules of the raiser that no world so far needed.
class Mutants {
 public:
  Mutants() {
    for (const RaiseRule& rule : AllRaiseRules()) alive_.push_back(rule);
  }
  // Turns each off and keeps those that make no difference to this world: neither a wrong answer
  // nor one that isn't computable any more, or suddenly is.
  void Try(const Runner& runner, const World& world, const Found& found, size_t unknown) {
    std::erase_if(alive_, [&](const RaiseRule& rule) {
      RaiseRules rules;
      rules.*rule.on = false;
      const Compared other = Compare(runner.Raise(world, rules), found);
      if (other.differences.empty() && other.unknown == unknown) return false;
      std::printf("seed %u needs %s\n", world.seed, std::string(rule.name).c_str());
      return true;
    });
  }
  size_t alive() const { return alive_.size(); }
  std::string Alive() const {
    std::string out;
    for (const RaiseRule& rule : alive_) out += fmt::format(" {}", rule.name);
    return out;
  }

 private:
  std::vector<RaiseRule> alive_;
};

TEST(ProftpdCampaign, TheRaiserSaysWhatTheDaemonDoes) {
  Runner runner;
  const bool full = std::getenv("POSTERN_CAMPAIGN_FULL") != nullptr;  // NOLINT: as above
  const std::vector<uint32_t> seeds = Seeds(full);
  size_t decisions = 0, allowed = 0, unknown = 0, different = 0, shown = 0;
  std::set<std::string> because;
  Mutants mutants;
  for (const uint32_t seed : seeds) {
    const World world = Generate(seed, runner.root(), runner.files());
    runner.Write(world);
    const Raiser raiser = runner.Raise(world);
    const Found found = runner.Probe(world, world.logins);
    const Compared compared = Compare(raiser, found);
    if (compared.decisions !=
        world.logins.size() * world.folders.size() * access::kRightCount * kWayCount) {
      ADD_FAILURE() << "seed " << seed << " wasn't tried whole\n" << runner.ConfigOf(world);
      continue;
    }
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
    decisions += compared.decisions;
    allowed += compared.allowed;
    unknown += compared.unknown;
    different += compared.differences.size();
    because.insert(compared.unknown_because.begin(), compared.unknown_because.end());
    if (compared.differences.empty()) {
      mutants.Try(runner, world, found, compared.unknown);
      continue;
    }
    const Try& what = compared.differences.front().first;
    std::printf("seed %u (%s): %zu differences, %s\n", seed,
                fmt::format("{}", fmt::join(world.themes, ", ")).c_str(),
                compared.differences.size(), Format(what).c_str());
    if (shown++ >= Number("POSTERN_SHOWN", kShownDifferences)) continue;
    const bool allows = found.at(what);
    ADD_FAILURE() << compared.differences.size() << " differences; the first, made small:\n"
                  << Explain(runner.Minimise(world, what, allows), &runner, what, allows);
  }
  std::printf(
      "%zu configurations, %zu decisions, %zu allowed, %zu not computable (%.1f %%), %zu "
      "different\n",
      seeds.size(), decisions, allowed, unknown,
      100.0 * static_cast<double>(unknown) / static_cast<double>(decisions), different);
  for (const std::string& why : because) std::printf("  not computable: %s\n", why.c_str());
  std::printf("%zu rules of the raiser were turned off in turn, %zu of them seen\n",
              AllRaiseRules().size(), AllRaiseRules().size() - mutants.alive());
  // An ordinary user's sessions can't be confined, which some rules are about.
  const bool chosen = std::getenv("POSTERN_ROUNDS") != nullptr;  // NOLINT: as above
  if (geteuid() == 0 && !chosen) {
    EXPECT_EQ(mutants.Alive(), "") << "these rules made no difference in any world";
  }
  EXPECT_EQ(different, 0U);
  EXPECT_LE(unknown * 20, decisions) << "more than 5 % not computable";
}

}  // namespace
}  // namespace postern::proftpd::campaign
