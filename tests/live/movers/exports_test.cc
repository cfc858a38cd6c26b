// Exports of access itself: what roles and grants opened at live servers, as an auditor gets it.
#include <gmock/gmock.h>

#include <set>

#include "tests/live/movers/drop.h"
#include "tests/live/movers/world.h"

namespace postern::live {
namespace {

using nlohmann::json;
using support::RunResult;
using testing::Contains;
using testing::HasSubstr;

class AccessExports : public Movers {
 protected:
  SshdWorld::Options Options() const override {
    SshdWorld::Options options = Movers::Options();
    options.servers += drop_.Operator();
    return options;
  }
  // One of the whole host, one of a server and a folder of it.
  void DeclareBoth() {
    constexpr char kWhat[] = R"(what = "entitlements"
from = ["host:edge"]
format = { type = "jsonl" }
columns = [{ from = "id", key = true }, "target", "account", "path", "through", "rights"]
)";
    Declare(Drop::Owners() + drop_.Export("access", kWhat) +
            drop_.Export("part", std::string(kWhat) +
                                     "select = { servers = [\"ftp\"], folders = [\"in\"] }\n"));
    world_->ApplyAll();
  }
  static std::string Words(const json& list) {
    std::string text;
    for (const json& one : list) text += (text.empty() ? "" : " ") + one.get<std::string>();
    return text;
  }
  // One line a row: "server:sftp bea-in /srv/exchange/in list read".
  std::set<std::string> Delivered(const std::string& name) const {
    const auto run = drop_.Run(name);
    EXPECT_EQ(run.exit, 0) << run.out << run.err;
    std::set<std::string> rows;
    std::ifstream in(drop_.File(name));
    for (std::string line; std::getline(in, line);) {
      const json row = json::parse(line);
      if (!row.contains("id")) continue;
      rows.insert(row.at("target").get<std::string>() + " " + row.at("account").get<std::string>() +
                  " " + row.at("path").get<std::string>() + " " + Words(row.at("rights")));
    }
    return rows;
  }
  // The same of the command that people ask.
  std::set<std::string> Shown(const std::string& folder) const {
    const RunResult asked = world_->Postern({"access", "who", folder, "--live", "--json"});
    EXPECT_EQ(asked.exit, 0) << asked.out << asked.err;
    const json shown = json::parse(asked.out);
    std::set<std::string> rows;
    for (const json& row : shown.at("access")) {
      rows.insert("server:" + row.at("server").get<std::string>() + " " +
                  row.at("account").get<std::string>() + " " + row.at("path").get<std::string>() +
                  " " + Words(row.at("rights")));
    }
    return rows;
  }

  Drop drop_;
};

TEST_F(AccessExports, AreThoseThatPeopleAreShown) {
  DeclareBoth();
  std::set<std::string> shown = Shown("in");
  EXPECT_THAT(shown, Contains(HasSubstr("server:sftp bea-in " + kIn)));
  EXPECT_THAT(shown, Contains(HasSubstr("server:ftp bea-ftp " + kIn)));
  std::set<std::string> at_ftp = shown;
  std::erase_if(at_ftp, [](const std::string& row) { return !row.starts_with("server:ftp "); });
  EXPECT_EQ(Delivered("part"), at_ftp);
  shown.merge(Shown("out"));
  const auto all = Delivered("access");
  for (const std::string& row : shown) EXPECT_THAT(all, Contains(row));
}

}  // namespace
}  // namespace postern::live
