// A snapshot of an IAM system, a directory and a host with two servers, and what comes back from it
// after all of them, and the ledger, were lost.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "tests/live/movers/drop.h"
#include "tests/live/movers/world.h"
#include "tests/live/openssh_product/machine.h"

namespace postern::live {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::string kOutFile = kOut + "/old";
constexpr char kTree[] = R"(
[iam_user.bea]
iam = "hr"
for = "person:bea"
external_id = "P1"
department = "Orders"
mail = ["bea@example.org"]
[iam_group.orders]
iam = "hr"
members = ["person:bea"]
[user.bea]
directory = "corp"
for = "person:bea"
dn = "uid=bea,ou=people,dc=example,dc=org"
surname = "Bead"
employee_number = "P1"
[group.orders]
directory = "corp"
dn = "cn=orders,ou=people,dc=example,dc=org"
members = ["user:bea"]
[[grant]]
who = ["person:bea", "person:cal"]
folder = "out"
rights = ["list", "read", "create"]
)";
constexpr char kSnapshot[] = "/srv/postern/corp.snapshot";

class Restored : public Movers {
 protected:
  SshdWorld::Options Options() const override {
    SshdWorld::Options options = Movers::Options();
    options.servers += drop_.Operator();
    return options;
  }
  void SetUp() override {
    Movers::SetUp();
    Declare(kTree);
    world_->ApplyAll();
    // By other hands: somebody whom nobody declares, and a line that nobody manages.
    slapd_.Modify(
        "dn: uid=hand,ou=people,dc=example,dc=org\nchangetype: add\n"
        "objectClass: inetOrgPerson\nuid: hand\ncn: By Hand\nsn: Hand\n"
        "description: kept by hand\n");
    slapd_.Modify(
        "dn: uid=bea,ou=people,dc=example,dc=org\nchangetype: modify\n"
        "add: description\ndescription: knows the orders\n");
  }

  void LoseAll() {
    for (const char* list : {"/Groups", "/Users"}) {
      const json all = scim_.Call("GET", std::string(list) + "?count=100").Json();
      for (const json& one : all["Resources"]) {
        scim_.Call("DELETE", std::string(list) + "/" + one["id"].get<std::string>());
      }
    }
    for (const char* entry : {"uid=bea,ou=people", "uid=hand,ou=people", "cn=orders,ou=people"}) {
      slapd_.Modify(std::string("dn: ") + entry + ",dc=example,dc=org\nchangetype: delete\n");
    }
    Machine::Get().WriteAccounts("keeper:x:29999:29999::/:/bin/sh\n",
                                 "ftpusers:x:30000:\nkeeper:x:29999:\n",
                                 "keeper:*:19000:0:99999:7:::\n");
    namespace fs = std::filesystem;
    for (const auto& keys : fs::directory_iterator("/srv/ssh/keys")) fs::remove_all(keys);
    fs::remove(world_->include());
    fs::remove(ftp_.include_path());
    ftp_.WriteAccounts({});
    ftp_.WriteGroups({{"ftpusers", 40000, {}}});
    SshdWorld::Run({"setfacl", "-R", "-b", kExchange});
    ASSERT_EQ(::kill(world_->SshdPid(), SIGHUP), 0);
    ASSERT_TRUE(ftp_.Reload());
    fs::remove_all("/srv/postern/operator/.postern");
  }

  std::string Entry(const std::string& name) {
    return slapd_.Search("uid=" + name + ",ou=people,dc=example,dc=org", "(objectClass=*)");
  }

  Drop drop_;
};

TEST_F(Restored, IntoEmptySystemsAndThenThePlanIsEmpty) {
  ASSERT_TRUE(world_->PlanIsEmpty());
  ASSERT_TRUE(world_->LetsIn("bea-in", "one"));
  const auto taken = world_->Postern({"snapshot", "--out", kSnapshot});
  ASSERT_EQ(taken.exit, 0) << taken.out << taken.err;
  LoseAll();
  ASSERT_FALSE(world_->LetsIn("bea-in", "one"));

  const auto plan = world_->Postern({"restore", "--plan", kSnapshot});
  EXPECT_EQ(plan.exit, 0) << plan.out << plan.err;
  EXPECT_THAT(plan.out, AllOf(HasSubstr("Gain access"), HasSubstr("bea"), HasSubstr(kOut)));
  EXPECT_FALSE(world_->LetsIn("bea-in", "one")) << "a plan changes nothing";

  const auto restored = world_->Postern({"restore", "--yes", kSnapshot});
  EXPECT_EQ(restored.exit, 0) << restored.out << restored.err;
  const auto after = world_->Postern({"plan", "--detailed-exitcode"});
  EXPECT_EQ(after.exit, 0) << after.out << after.err;
  EXPECT_THAT(after.out, HasSubstr("Nothing to do")) << after.out;

  EXPECT_EQ(world_->Sftp("bea-in", "one", "get " + kOutFile + " /dev/null\n").exit, 0);
  EXPECT_NE(world_->Sftp("bea-in", "one", "rm " + kOutFile + "\n").exit, 0);
  EXPECT_TRUE(FtpGets("cal-ftp", kOutFile)) << "a declared password is set anew";
  EXPECT_THAT(Entry("hand"), HasSubstr("kept by hand"));
  EXPECT_THAT(Entry("bea"), HasSubstr("knows the orders"));
  const json groups = scim_.Call("GET", "/Groups?count=100").Json();
  size_t orders = 0;
  for (const json& group : groups["Resources"]) {
    if (group["displayName"] != "orders") continue;
    ++orders;
    EXPECT_EQ(group["members"].size(), 1u) << groups;
  }
  EXPECT_EQ(orders, 1u) << groups;

  const auto again = world_->Postern({"restore", "--plan", kSnapshot});
  EXPECT_EQ(again.exit, 0);
  EXPECT_THAT(again.out, HasSubstr("Nothing to do")) << again.out << again.err;
}

// A host comes with its servers: accounts, keys and rights are in the file, not its folders alone.
TEST_F(Restored, FromWhatAJobDelivered) {
  Declare(kTree + Drop::Owners() + drop_.Export("all", R"(what = "snapshot"
from = ["host:edge", "iam:hr", "directory:corp"])"));
  world_->ApplyAll();
  const auto run = drop_.Run("all");
  ASSERT_EQ(run.exit, 0) << run.out << run.err;
  LoseAll();
  ASSERT_FALSE(world_->LetsIn("bea-in", "one"));
  const auto restored = world_->Postern({"restore", "--yes", drop_.File("all")});
  EXPECT_EQ(restored.exit, 0) << restored.out << restored.err;
  EXPECT_EQ(world_->Sftp("bea-in", "one", "get " + kOutFile + " /dev/null\n").exit, 0);
  EXPECT_NE(world_->Sftp("bea-in", "one", "rm " + kOutFile + "\n").exit, 0);
  EXPECT_TRUE(FtpGets("cal-ftp", kOutFile)) << "a declared password is set anew";
  EXPECT_THAT(Entry("bea"), HasSubstr("knows the orders"));
  // The job is sealed anew, as the ledger is another; access is as it was.
  const json plan = Plan();
  for (const json& change : plan["changes"]) EXPECT_EQ(change["kind"], "job") << change;
}

TEST_F(Restored, WhatCameLaterStays) {
  const auto taken = world_->Postern({"snapshot", "--out", kSnapshot});
  ASSERT_EQ(taken.exit, 0) << taken.out << taken.err;
  slapd_.Modify(
      "dn: uid=later,ou=people,dc=example,dc=org\nchangetype: add\n"
      "objectClass: inetOrgPerson\nuid: later\ncn: Later\nsn: Later\n");
  slapd_.Modify("dn: uid=hand,ou=people,dc=example,dc=org\nchangetype: delete\n");
  const auto restored = world_->Postern({"restore", "--yes", kSnapshot});
  EXPECT_EQ(restored.exit, 0) << restored.out << restored.err;
  EXPECT_THAT(Entry("later"), HasSubstr("Later"));
  EXPECT_THAT(Entry("hand"), HasSubstr("kept by hand"));
  EXPECT_TRUE(world_->PlanIsEmpty()) << "what nobody declares isn't ours after a restore";
}

TEST_F(Restored, FromADamagedSnapshotNothing) {
  ASSERT_EQ(world_->Postern({"snapshot", "--out", kSnapshot}).exit, 0);
  LoseAll();
  std::string bytes = support::ReadFile(kSnapshot);
  bytes[bytes.size() / 2] ^= 4;
  std::ofstream(kSnapshot, std::ios::binary) << bytes;
  const auto restored = world_->Postern({"restore", "--yes", kSnapshot});
  EXPECT_EQ(restored.exit, 1) << restored.out;
  EXPECT_THAT(restored.err, HasSubstr("isn't as it was written"));
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
}

}  // namespace
}  // namespace postern::live
