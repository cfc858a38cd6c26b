// Whose what is: an accepted roster beside the tree, by object and by attribute, in a real slapd.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "cmd/postern/exit_code.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

using support::RunResult;
using support::Slapd;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ImportOwner : public testing::Test {
 protected:
  ImportOwner() : place_("sftp"), slapd_(ImportBench::DirectoryOptions()), bench_(place_) {
    EXPECT_TRUE(place_.Start());
    bench_.To(slapd_);
  }
  // [user.u0] to before `end`, as the tree declares them; `more` lines for the last one.
  static std::string Users(int end, const std::string& more = "") {
    std::string text;
    for (int i = 0; i < end; ++i) {
      text += fmt::format(
          "[user.u{0}]\ndirectory = \"corp\"\nemployee_number = \"A{0}\"\nuid = \"u{0}\"\n", i);
    }
    return text + more;
  }
  void OfAttributes() {
    bench_.what = "attributes";
    bench_.may = "[\"update\"]";
    bench_.columns = R"({ name = "ID", to = "employee_number", required = true },
  { name = "MAIL", to = "mail", domains = ["acme.test"] })";
  }
  static std::string Mails(int end) {
    std::string text = "ID,MAIL\r\n";
    for (int i = 0; i < end; ++i) text += fmt::format("A{0},u{0}@acme.test\r\n", i);
    return text;
  }
  std::string Entry(const std::string& uid) {
    return slapd_.Search(ImportBench::kBase, "(uid=" + uid + ")");
  }

  jobs::LivePlace place_;
  Slapd slapd_;
  ImportBench bench_;
};

TEST_F(ImportOwner, AttributesAreOfOneSourceEach) {
  OfAttributes();
  bench_.more = "thresholds = { change_percent = 100 }";
  bench_.tree = Users(4);
  bench_.Install();
  bench_.Deliver("roster_1.csv", Mails(4));
  const RunResult first = bench_.Run();
  ASSERT_EQ(first.exit, kOk) << first.out << first.err;
  EXPECT_THAT(Entry("u3"), HasSubstr("mail: u3@acme.test"));
  EXPECT_EQ(bench_.Pending(), "");

  // Later the tree says one as well: nothing is planned until one of both lets go.
  bench_.tree = Users(4, "mail = [\"three@acme.test\"]\n");
  bench_.WriteTree();
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"plan"}, {"apply", "--yes"}, {"drift"}}) {
    const RunResult both = bench_.Postern(command);
    EXPECT_EQ(both.exit, kError) << command[0];
    EXPECT_THAT(both.err, AllOf(HasSubstr("error[E0892]: mail of \"u3\" is declared twice"),
                                HasSubstr("access/all.toml:"), HasSubstr("roster_1.csv:5")));
  }
  bench_.Deliver("roster_2.csv", Mails(4));
  EXPECT_EQ(bench_.Run().exit, kError);
  EXPECT_TRUE(bench_.IsAt("roster_2.csv")) << "nothing is taken meanwhile";
  EXPECT_THAT(Entry("u3"), HasSubstr("mail: u3@acme.test"));
  bench_.tree = Users(4);
  bench_.WriteTree();
  EXPECT_EQ(bench_.Run().exit, kOk);
  EXPECT_EQ(bench_.Pending(), "");
}

TEST_F(ImportOwner, AFileThatSaysWhatTheTreeSaysIsRefused) {
  OfAttributes();
  bench_.tree = Users(4, "mail = [\"three@acme.test\"]\n");
  bench_.Install();
  bench_.Deliver("roster_1.csv", Mails(4));
  const RunResult run = bench_.Run();
  EXPECT_EQ(run.exit, kRefused) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("E0892 mail of \"u3\" is declared twice"));
  EXPECT_THAT(bench_.At("rejects/roster_1.csv.summary.json"), HasSubstr("mail of \\\"u3\\\""));
  EXPECT_THAT(Entry("u0"), Not(HasSubstr("mail:"))) << "not even what doesn't overlap";
  EXPECT_EQ(bench_.Pending(), "");
}

TEST_F(ImportOwner, ARosterTouchesItsOwnBaseOnly) {
  bench_.Install();
  const std::string before = slapd_.Search(Slapd::kPeople, "(objectClass=*)", {"*", "+"});
  // A login that somebody has elsewhere, and one that wants to stand elsewhere.
  bench_.more = "thresholds = { reject_percent = 20 }";
  bench_.Install();
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 9,
                                                     "A90,li,li@acme.test\r\n"
                                                     "A91,\"li,ou=people\",x@acme.test\r\n"));
  const RunResult run = bench_.Run();
  ASSERT_EQ(run.exit, kOk) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("10 rows, 1 refused"));
  EXPECT_THAT(Entry("li"), HasSubstr("dn: uid=li,ou=acme,dc=example,dc=org"));
  EXPECT_EQ(slapd_.Search(Slapd::kPeople, "(objectClass=*)", {"*", "+"}), before);
  // Its people are nobody else's: by other hands they are drift, to plan they aren't foreign.
  slapd_.Modify(
      fmt::format("dn: uid=u0,{}\nchangetype: modify\nreplace: mail\nmail: "
                  "other@acme.test\n",
                  ImportBench::kBase));
  const RunResult drift = bench_.Postern({"drift"});
  EXPECT_EQ(drift.exit, kPending);
  EXPECT_THAT(drift.out, Not(HasSubstr("foreign  ")));
  EXPECT_THAT(bench_.Pending(), Not(HasSubstr("foreign account")));
  ASSERT_EQ(bench_.Postern({"apply", "--yes"}).exit, kOk);
  EXPECT_THAT(Entry("u0"), HasSubstr("mail: u0@acme.test"));
}

// Without its import nobody declares its people: that is a plan for people to look at, under the
// target's limits, not a side effect.
TEST_F(ImportOwner, WithoutItsImportNobodyDeclaresItsPeople) {
  bench_.Install();
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 3));
  ASSERT_EQ(bench_.Run().exit, kOk);
  bench_.scratch.Write("access/all.toml", "[person.li]\n[partner.acme]\n");
  const std::string plan = bench_.Pending();
  EXPECT_THAT(plan, AllOf(HasSubstr("Lose access · 3 users"), HasSubstr("no longer declared"),
                          HasSubstr("Refused by a limit")));
  EXPECT_THAT(Entry("u0"), Not(HasSubstr("userPassword"))) << "planned, not done";
}

// A partner's row with somebody else's number would freeze what roles give that person; and nobody
// gets the login of a user who is live in another system.
TEST_F(ImportOwner, NobodyBecomesSomebodyElse) {
  const support::ScimServer server({.users = 5, .groups = 1});
  bench_.scratch.Write("scim", support::ScimServer::kToken, 0600);
  bench_.operators = fmt::format(R"([iam.hr]
url = "{}"
auth = {{ token = "secret:scim" }}
[identity]
join = {{ iam = "externalId", directory = "employeeNumber" }}
)",
                                 server.url());
  bench_.more = "thresholds = { create = 200 }";
  bench_.tree = "[user.ann]\ndirectory = \"corp\"\nemployee_number = \"S17\"\n";
  bench_.Install();
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 100,
                                                     "S17,x17,x17@acme.test\r\n"
                                                     "A900,U000001,x18@acme.test\r\n"));
  const RunResult run = bench_.Run();
  ASSERT_EQ(run.exit, kOk) << run.out << run.err;
  EXPECT_EQ(bench_.At("rejects/roster_1.csv.rejects.csv"),
            "line,column,code,key,text\r\n"
            "102,,E0893,S17,its employee_number is that of somebody who isn't of this import\r\n"
            "103,,E0893,A900,its uid is that of somebody who isn't of this import\r\n");
  EXPECT_THAT(Entry("x17"), Not(HasSubstr("uid: x17")));
  EXPECT_THAT(Entry("u99"), HasSubstr("uid: u99"));
  bench_.Deliver("roster_2.csv", ImportBench::People(0, 100));
  EXPECT_EQ(bench_.Run().exit, kOk) << "nobody of its own is somebody else";
  EXPECT_EQ(bench_.Pending(), "");
}

}  // namespace
}  // namespace postern::cmd
