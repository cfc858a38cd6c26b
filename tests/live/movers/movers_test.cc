// Joiner, mover and leaver, without a line of TOML changed: what happens to somebody in the IAM
// system and the directory is what happens to their access at an sshd and a ProFTPD.
#include <gmock/gmock.h>

#include "tests/live/movers/world.h"

namespace postern::live {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const std::string kInFile = kIn + "/old", kOutFile = kOut + "/old";

// jo.hart's, as the plan names it.
std::string GrantOf(const std::string& server, const std::string& path) {
  return "grant:" + server + "|" + path + "|subtree|account:jo.hart";
}

// Within five seconds.
bool Ends(support::ServerProcess& session) {
  for (int i = 0; i < 100 && session.Alive(); ++i) ::usleep(50'000);
  return !session.Alive();
}

// "ACTION ADDRESS" of each change of the kind.
std::vector<std::string> Changes(const json& plan, const std::string& kind) {
  std::vector<std::string> lines;
  for (const json& change : plan["changes"]) {
    if (change["kind"] != kind) continue;
    lines.push_back(change.value("action", "") + " " + change.value("address", ""));
  }
  return lines;
}

// Whose access the plan takes or gives, by path.
std::vector<std::string> Lines(const json& plan, const char* side) {
  std::vector<std::string> lines;
  for (const json& line : plan["access"][side]) {
    lines.push_back(line.value("identity", "") + " " + line.value("server", "") + " " +
                    line.value("path", ""));
  }
  return lines;
}

TEST_F(Movers, WhoJoinsGetsInWhoMovesIsSwappedWhoLeavesIsOut) {
  // Somebody whose contract hasn't begun is nobody yet.
  Hire("jo.hart", "Marketing", false);
  EXPECT_TRUE(world_->PlanIsEmpty());
  Follow();
  EXPECT_FALSE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_FALSE(GetsAtFtp("jo.hart", kInFile));
  SetActive("jo.hart", true);
  EXPECT_THAT(Changes(Plan(), "account"),
              UnorderedElementsAre("create account:ftp/jo.hart", "create account:sftp/jo.hart"));
  const auto joins = world_->Postern({"plan"});
  EXPECT_THAT(joins.out, AllOf(HasSubstr("Gain access"), HasSubstr("jo.hart"), HasSubstr(kIn),
                               HasSubstr("Marketing"), HasSubstr("hr")))
      << joins.err;
  Follow();
  EXPECT_TRUE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_TRUE(GetsAtFtp("jo.hart", kInFile));
  EXPECT_FALSE(GetsAtSshd("jo.hart", kOutFile));
  EXPECT_FALSE(GetsAtFtp("jo.hart", kOutFile));

  Move("jo.hart", "Sales");
  const json moves = Plan();
  const std::string jo = IdentityOf("jo.hart");
  EXPECT_THAT(Lines(moves, "lost"), UnorderedElementsAre(jo + " ftp " + kIn, jo + " sftp " + kIn));
  EXPECT_THAT(Lines(moves, "gained"),
              UnorderedElementsAre(jo + " ftp " + kOut, jo + " sftp " + kOut));
  EXPECT_THAT(
      Changes(moves, "grant"),
      UnorderedElementsAre("delete " + GrantOf("ftp", kIn), "delete " + GrantOf("sftp", kIn),
                           "create " + GrantOf("ftp", kOut), "create " + GrantOf("sftp", kOut)));
  for (const json& change : moves["changes"]) {
    // That another role gives the account now is for the ledger alone.
    EXPECT_TRUE(change["kind"] == "grant" || change["kind"] == "session" ||
                change["action"] == "adopt")
        << change;
  }
  Follow();
  EXPECT_FALSE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_FALSE(GetsAtFtp("jo.hart", kInFile));
  EXPECT_TRUE(GetsAtSshd("jo.hart", kOutFile));
  EXPECT_TRUE(GetsAtFtp("jo.hart", kOutFile));

  const auto session = world_->OpenSession("jo.hart", "jo.hart");
  const auto at_ftp = world_->OpenSession("jo.hart", "jo.hart", ftp_.sftp_port());
  ASSERT_TRUE(session->Alive());
  ASSERT_TRUE(at_ftp->Alive());
  const auto begin = std::chrono::steady_clock::now();
  SetActive("jo.hart", false);
  const auto leaves = world_->Postern({"plan"});
  EXPECT_THAT(leaves.out, AllOf(HasSubstr("Lose access"), HasSubstr("jo.hart"),
                                HasSubstr("inactive"), HasSubstr("hr")));
  Follow();
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  std::printf("from the fact to the refusal: %.1f s, with a plan before and one after\n",
              seconds.count());
  EXPECT_FALSE(GetsAtSshd("jo.hart", kOutFile));
  EXPECT_FALSE(GetsAtFtp("jo.hart", kOutFile));
  EXPECT_TRUE(Ends(*session)) << "the open session goes on";
  EXPECT_TRUE(Ends(*at_ftp)) << "the open session at ProFTPD goes on";
}

TEST_F(Movers, AnySourceThatSaysNoDecides) {
  Hire("sam.ode", "Sales");
  Follow();
  EXPECT_TRUE(GetsAtSshd("sam.ode", kOutFile));
  LockInDirectory("sam.ode");
  const auto plan = world_->Postern({"plan"});
  EXPECT_THAT(plan.out, AllOf(HasSubstr("Lose access"), HasSubstr("sam.ode"), HasSubstr("corp")))
      << plan.err;
  Follow();
  EXPECT_FALSE(GetsAtSshd("sam.ode", kOutFile));
  EXPECT_FALSE(GetsAtFtp("sam.ode", kOutFile));
  UnlockInDirectory("sam.ode");
  Follow();
  EXPECT_TRUE(GetsAtSshd("sam.ode", kOutFile));
}

TEST_F(Movers, ASourceThatIsGoneGivesAndTakesNothing) {
  Hire("jo.hart", "Marketing");
  Follow();
  Hire("li.wong", "Marketing");
  SetActive("jo.hart", false);
  CutSource();
  const json plan = Plan();
  EXPECT_TRUE(Lines(plan, "lost").empty()) << plan["access"];
  EXPECT_TRUE(Lines(plan, "gained").empty()) << plan["access"];
  const auto said = world_->Postern({"plan"});
  EXPECT_THAT(said.out + said.err,
              AllOf(HasSubstr("hr was not observed"), HasSubstr("1 member as recorded")))
      << said.out;
  world_->Postern({"apply", "--yes"});
  EXPECT_TRUE(GetsAtSshd("jo.hart", kInFile)) << "lost by a source that nobody could ask";
  EXPECT_FALSE(GetsAtSshd("li.wong", kInFile)) << "gained by a source that nobody could ask";
  MendSource();
  Follow();
  EXPECT_FALSE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_TRUE(GetsAtSshd("li.wong", kInFile));
  EXPECT_TRUE(GetsAtFtp("li.wong", kInFile));
}

// With half of an answer said, or with fewer people than it counts.
TEST_F(Movers, ASourceThatGoesWhileItIsReadGivesAndTakesNothing) {
  Hire("jo.hart", "Marketing");
  Follow();
  Hire("li.wong", "Marketing");
  SetActive("jo.hart", false);
  for (const json& rule :
       {json{{"fault", "cut-middle"}, {"path", "/Users"}},
        json{
            {"fault", "edit"}, {"path", "startIndex"}, {"set", {"totalResults"}}, {"value", 99}}}) {
    Spoil(rule);
    world_->Postern({"apply", "--yes"});
    EXPECT_TRUE(GetsAtSshd("jo.hart", kInFile)) << rule;
    EXPECT_FALSE(GetsAtSshd("li.wong", kInFile)) << rule;
    MendSource();
  }
  Follow();
  EXPECT_FALSE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_TRUE(GetsAtSshd("li.wong", kInFile));
}

// Between a plan that was saved and its apply: what was planned by its facts isn't done, at any
// host.
TEST_F(Movers, ASourceThatGoesAfterThePlanGivesAndTakesNothing) {
  Hire("jo.hart", "Marketing");
  Follow();
  Hire("li.wong", "Marketing");
  SetActive("jo.hart", false);
  const auto plan = world_->Postern({"plan", "--out", "saved.postern"});
  EXPECT_THAT(plan.out, AllOf(HasSubstr("Lose access"), HasSubstr("Gain access"))) << plan.err;
  CutSource();
  const auto run = world_->Postern({"apply", "saved.postern", "--yes"});
  EXPECT_NE(run.exit, 0) << run.out;
  EXPECT_THAT(run.out + run.err, HasSubstr("hr"));
  EXPECT_TRUE(GetsAtSshd("jo.hart", kInFile)) << run.out << run.err;
  EXPECT_TRUE(GetsAtFtp("jo.hart", kInFile));
  EXPECT_FALSE(GetsAtSshd("li.wong", kInFile)) << run.out << run.err;
  EXPECT_FALSE(GetsAtFtp("li.wong", kInFile));
  MendSource();
  Follow();
  EXPECT_FALSE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_TRUE(GetsAtSshd("li.wong", kInFile));
}

// What TOML takes away doesn't wait for a source that is gone.
TEST_F(Movers, DeclaredRevocationsGoOnWithoutTheSource) {
  Hire("jo.hart", "Marketing");
  Follow();
  CutSource();
  world_->Declare(SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut));
  const auto run = world_->Postern({"apply", "--yes"});
  EXPECT_FALSE(GetsAtSshd("jo.hart", kInFile)) << run.out << run.err;
  EXPECT_FALSE(GetsAtFtp("jo.hart", kInFile));
}

// A name that comes again is another person's: nothing is inherited.
TEST_F(Movers, ANameGivenToSomebodyElseInheritsNothing) {
  Hire("jo.hart", "Marketing");
  Follow();
  const auto session = world_->OpenSession("jo.hart", "jo.hart");
  Leave("jo.hart");
  SshdWorld::Run({"mv", "/srv/clients/jo.hart", "/srv/clients/former"});
  SshdWorld::Run({"mv", "/srv/clients/jo.hart.pub", "/srv/clients/former.pub"});
  Hire("jo.hart", "Marketing");
  Follow();
  EXPECT_TRUE(GetsAtSshd("jo.hart", kInFile));
  EXPECT_FALSE(world_->LetsIn("jo.hart", "former"));
  EXPECT_TRUE(Ends(*session)) << "the former one's session goes on";
}

}  // namespace
}  // namespace postern::live
