// `job next` and `job schema`: what is asked of a declaration, where no runner is.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class JobNext : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(fs::path(POSTERN_SOURCE_DIR) / "tests/golden/plans/cases/jobs/jobs", world_.File(""),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    std::ifstream in(world_.File("access/jobs.toml"));
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const size_t at = text.find("schedule = {");
    ASSERT_NE(at, std::string::npos);
    text.replace(at, text.find('\n', at) - at,
                 "schedule = { cron = \"30 2 * * *\", zone = \"Europe/Berlin\" }");
    std::ofstream(world_.File("access/jobs.toml")) << text;
  }

  TestWorld world_;
};

// In 730 days clocks go forward twice, whatever the day.
TEST_F(JobNext, SaysWhichTimeIsSkipped) {
  const auto run = world_.Postern({"job", "next", "export.people", "--count", "730"});
  ASSERT_EQ(run.exit, 0) << run.out << run.err;
  std::istringstream lines(run.out);
  int moved = 0, plain = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("skipped") == std::string::npos) {
      EXPECT_THAT(line, HasSubstr(" 02:30 Europe/Berlin"));
      ++plain;
      continue;
    }
    EXPECT_THAT(line, AllOf(HasSubstr("Sun "), HasSubstr("-03-"), HasSubstr(" 03:00 Europe/Berlin"),
                            HasSubstr("T01:00:00Z")));
    ++moved;
  }
  EXPECT_EQ(moved, 2) << run.out;
  EXPECT_EQ(plain, 728);
  const auto json = nlohmann::json::parse(
      world_.Postern({"job", "next", "export.people", "--count", "730", "--json"}).out);
  EXPECT_EQ(json["jobs"][0]["moved"].size(), 2u);
}

// For whoever receives the file, from the declaration alone.
TEST_F(JobNext, AndSchemaIsOfXmlFilesAlone) {
  const auto csv = world_.Postern({"job", "schema", "export.people"});
  EXPECT_EQ(csv.exit, 1);
  EXPECT_THAT(csv.err, HasSubstr("the file of export.people is no XML"));
  std::ifstream in(world_.File("access/jobs.toml"));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.replace(text.find("\"csv\""), 5, "\"xml\"");
  std::ofstream(world_.File("access/jobs.toml")) << text;
  const auto xml = world_.Postern({"job", "schema", "people"});
  ASSERT_EQ(xml.exit, 0) << xml.err;
  std::ofstream(world_.File("people.xsd")) << xml.out;
  const auto read = support::RunCommand(
      {"xmllint", "--nonet", "--xpath", "count(//*[@name='mail'])", world_.File("people.xsd")});
  EXPECT_EQ(read.out, "1\n") << read.err << xml.out;
  const auto none = world_.Postern({"job", "schema", "export.peple"});
  EXPECT_THAT(none.err, HasSubstr("did you mean export.people?"));
}

}  // namespace
}  // namespace postern::cmd
