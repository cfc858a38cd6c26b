// Which declaration a line of the change of access comes from.
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;

const access::Rights kList = Right::kList;

struct Reasons : testing::Test {
  Reasons() {
    bench.desired.identities["ftp"]["a"] = "person:a";
    bench.desired.provenance.resize(3);
    bench.desired.provenance[1].owner = "grant:access/a.toml:1";
    bench.desired.provenance[2].owner = "grant:access/a.toml:9";
    bench.All(Account("a")).All(Key("a"));
  }
  void Line(const std::string& who, uint32_t source) {
    compile::GrantLine line;
    line.identity = who;
    line.host = "edge";
    line.path = "/d";
    line.source = source;
    bench.desired.grants.push_back(line);
  }
  void Want(const object::Object& row, compile::SourceList sources) {
    bench.Want(row);
    bench.wanted[kHost].back().sources = std::move(sources);
  }
  std::string Owner(const std::map<std::pair<std::string, std::string>, compile::Provenance>& by) {
    const auto at = by.find({"person:a", "/d"});
    return at == by.end() ? "nobody" : at->second.owner;
  }
  Bench bench;
};

// Another grant names the person on the same folder; the row that comes is the account's own.
TEST_F(Reasons, AreTheRowsOwn) {
  Line("person:a", 1);
  Line("account:a-far", 2);
  Want(Row("/d", "subtree", "account:a", kList), {2});
  EXPECT_EQ(Owner(bench.Make().gained_by), "grant:access/a.toml:9");
}

// A row that a group's grant and one of its own give is its own.
TEST_F(Reasons, AreItsOwnBeforeItsGroups) {
  Line("group:ops", 1);
  Line("account:a-far", 2);
  Want(Row("/d", "subtree", "account:a", kList), {1, 2});
  EXPECT_EQ(Owner(bench.Make().gained_by), "grant:access/a.toml:9");
}

// What is gone stands in no file any more; the grant that stays isn't it.
TEST_F(Reasons, OfALossAreNotTheGrantThatStays) {
  Line("person:a", 1);
  const auto gone = Row("/d", "subtree", "account:a", kList | Right::kRead);
  bench.Live(gone).Record(gone);
  bench.recorded[kHost].back().owner = "grant:access/a.toml:30";
  const auto stays = Row("/d", "this", "account:a", kList);
  Want(stays, {1});
  bench.Live(stays).Record(stays);
  EXPECT_EQ(Owner(bench.Make().lost_by), "");
}

// Without a row of its own that comes or goes, the grant that names who has it tells it.
TEST_F(Reasons, AreTheGrantsWhereOnlyTheAccountChanges) {
  bench.live[kHost].clear();
  bench.recorded[kHost].clear();
  Line("person:a", 1);
  const auto row = Row("/d", "subtree", "account:a", kList);
  Want(row, {1});
  bench.Live(row).Record(row);
  EXPECT_EQ(Owner(bench.Make().gained_by), "grant:access/a.toml:1");
}

}  // namespace
}  // namespace postern::plan
