// --json: stdout carries one JSON document and nothing else, whatever comes of the command.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cmd/postern/command.h"
#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

using Line = std::vector<std::string>;

nlohmann::json OneDocument(const TestWorld& world, Line words) {
  words.emplace_back("--json");
  const support::RunResult result = world.Postern(words);
  // parse refuses anything after the first value.
  auto parsed = nlohmann::json::parse(result.out, nullptr, false);
  std::string line;
  for (const std::string& word : words) line += word + " ";
  EXPECT_FALSE(parsed.is_discarded()) << line << "\n" << result.out << result.err;
  return parsed;
}

// In this order: what the later ones ask for, the earlier ones made.
const Line kLines[] = {
    {"init", "fresh"},
    {"validate"},
    {"plan", "--out", "change.postern"},
    {"show", "change.postern"},
    {"show"},
    {"apply", "change.postern", "--yes"},
    {"apply", "--yes"},
    {"plan"},
    {"drift"},
    {"snapshot", "--out", "all.snapshot"},
    {"restore", "--plan", "all.snapshot"},
    {"job", "next"},
    {"job", "status"},
    {"access", "who", "acme-in"},
    {"access", "who", "acme-in", "--live"},
    {"access", "what", "partner:acme"},
    {"access", "expiring", "--within", "90d"},
    {"explain", "E0204"},
    {"explain", "account:acme-in"},
    {"explain", "group:ops"},
    {"explain", "person:jo.hart"},
    {"ledger"},
    {"ledger", "list"},
    {"ledger", "show"},
    {"ledger", "verify"},
    {"providers"},
    {"providers", "list"},
    {"providers", "doctor"},
    {"schema"},
    {"version"},
    {"completion", "bash"},
};

const Line kWrong[] = {
    {"init", "."},
    {"show", "nowhere"},
    {"apply"},
    {"apply", "nowhere"},
    {"access", "who", "nothing"},
    {"access", "what", "nobody"},
    {"access", "expiring", "--within", "x"},
    {"explain", "nothing"},
    {"explain", "no:thing"},
    {"ledger", "show", "77"},
    {"plan", "--target", "nowhere"},
    {"plan", "--as-of", "x"},
    {"completion", "tcsh"},
    {"snapshot"},
    {"restore", "nowhere"},
    // What they say of a job that is installed is in tests/live/jobs.
    {"job", "run", "export.none"},
    {"job", "history", "export.none"},
    {"job", "schema", "export.none"},
    {"job", "verify", "export.none", "1"},
    {"job", "release", "none", "1"},
    {"nothing"},
    {"plan", "--nothing"},
};

TEST(Json, IsOneDocumentOfEveryCommand) {
  const TestWorld world;
  std::set<std::string> covered;
  for (const Line& line : kWrong) {
    if (line[0] == "job") covered.insert(line[0] + " " + line[1]);
  }
  for (const Line& line : kLines) {
    const auto json = OneDocument(world, line);
    EXPECT_FALSE(json.contains("diagnostics") && json.size() == 1 && line[0] != "validate")
        << line[0] << json.dump(2);
    covered.insert(line[0]);
    if (line.size() > 1) covered.insert(line[0] + " " + line[1]);
  }
  for (const Command& command : AllCommands()) {
    EXPECT_TRUE(command.define == nullptr || covered.contains(command.name)) << command.name;
  }
}

TEST(Json, IsOneDocumentAlsoWhenItFails) {
  const TestWorld world;
  for (const Line& line : kWrong) {
    const auto json = OneDocument(world, line);
    ASSERT_TRUE(json.contains("diagnostics")) << line[0] << json.dump(2);
    EXPECT_EQ(json["diagnostics"][0]["severity"], "error") << line[0];
  }
}

TEST(Json, IsOneDocumentOfABrokenTree) {
  const TestWorld world;
  std::ofstream(world.File("access/acme.toml")) << "[nonsense]\n[account.x]\nserver = 5\n";
  for (const Line& line : kLines) {
    if (line[0] != "init" && line[0] != "completion") OneDocument(world, line);
  }
}

TEST(Json, IsOneDocumentWhenTargetsFail) {
  const TestWorld world;
  ASSERT_EQ(world.Postern({"apply", "--yes"}).exit, kOk);
  world.Fault("edge", "unreachable");
  for (const Line& line : kLines) {
    if (line[0] != "init") OneDocument(world, line);
  }
  EXPECT_EQ(OneDocument(world, {"plan"})["observed_all"], false);
}

TEST(Json, ExplainsAllObjectsOfAnAddressInOneList) {
  const TestWorld world;
  const auto account = OneDocument(world, {"explain", "account:acme-in"});
  EXPECT_EQ(account["subject"], "account:acme-in");
  EXPECT_EQ(account["objects"].size(), 2u) << account.dump(2);  // the account and its key
  const auto person = OneDocument(world, {"explain", "person:jo.hart"});
  EXPECT_TRUE(person["objects"].empty());
  EXPECT_FALSE(person["access"]["declared"].empty()) << person.dump(2);
  EXPECT_TRUE(person["access"]["live"].empty());
}

}  // namespace
}  // namespace postern::cmd
