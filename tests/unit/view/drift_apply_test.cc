// Drift, the report of an apply and its progress, and queries of access.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/view/access_query.h"
#include "core/view/access_table.h"
#include "core/view/apply_view.h"
#include "core/view/drift.h"
#include "core/view/words.h"
#include "tests/unit/view/plans.h"

namespace postern::view {
namespace {

// What a plan does about `drift`.
plan::Change Mends(const plan::Drift& drift) {
  plan::Change change;
  change.kind = drift.kind;
  change.key = drift.key;
  change.action = plan::Action::kDelete;
  change.reason = plan::Reason::kForeign;
  return change;
}

plan::Drift KeyAdded() {
  plan::Drift drift;
  drift.kind = object::Kind::kSshKey;
  drift.key = object::MakeKey(drift.kind, {"edge-ftp", "acme-in", "SHA256:x7"});
  drift.effect = plan::Drift::Effect::kMore;
  drift.type = plan::Drift::Type::kChanged;
  drift.what = "key added SHA256:x7";
  drift.who = "partner:acme";
  drift.changed_at = kNow;
  return drift;
}

TEST(Drift, MoreAccessComesFirstAndWhoIsNeverInvented) {
  plan::Plan plan = SmallPlan();
  plan::Drift less = KeyAdded();
  less.effect = plan::Drift::Effect::kLess;
  less.who = "person:alice";
  less.what = "list, read on /in/acme taken away";
  less.changed_by = "cn=admin";
  less.how_known = "exact";
  plan.drift = {less, KeyAdded()};
  plan.changes.push_back(Mends(KeyAdded()));
  EXPECT_EQ(RenderDrift(plan, false, 2, {}), R"(edge  2 changed

  more access  acme   key added SHA256:x7  changed 2026-11-21 18:40Z, who: not recorded
  less access  alice  list, read on /in/acme taken away
                      changed 2026-11-21 18:40Z by cn=admin (exact)
postern plan shows how it would be healed.
Exit 2.
)");
}

// The last line promises what the plan would do, and nothing else.
TEST(Drift, HealsOnlyWhatAPlanWouldWrite) {
  plan::Plan plan = SmallPlan();
  plan.drift = {KeyAdded()};
  const auto says = [&](const char* text) {
    return RenderDrift(plan, false, 2, {}).find(text) != std::string::npos;
  };
  EXPECT_TRUE(says("A plan would write nothing about it: it is for a person to look at."));
  plan.changes.push_back(Mends(KeyAdded()));
  EXPECT_TRUE(says("postern plan shows how it would be healed."));
  plan.changes.back().held = "its scope was not read in full";
  EXPECT_TRUE(says("Nothing of it would be healed now: postern plan says what holds it."));
  plan.changes.back().held.clear();
  plan.changes.back().action = plan::Action::kForget;
  EXPECT_TRUE(says("A plan would write nothing about it"));
}

TEST(Drift, ALongNameIsNeverCut) {
  plan::Plan plan = SmallPlan();
  plan::Drift group = KeyAdded();
  group.who = "group:campaign-agencies-of-the-northern-region";
  group.what = "member added bea";
  plan.drift = {KeyAdded(), group};
  EXPECT_THAT(RenderDrift(plan, false, 2, {}), testing::HasSubstr(R"(
  more access  acme                          key added SHA256:x7
                                             changed 2026-11-21 18:40Z, who: not recorded
  more access  group campaign-agencies-of-the-northern-region
                                             member added bea
)"));
}

TEST(Drift, ManyFindingsFitOnOneScreen) {
  plan::Plan plan = SmallPlan();
  plan.drift.assign(5'000, KeyAdded());
  const std::string text = RenderDrift(plan, false, 2, {.width = 60});
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 60) << text;
  EXPECT_NE(text.find("more findings: postern drift --detail"), std::string::npos) << text;
}

plan::Plan WithSteps() {
  plan::Plan plan = SmallPlan();
  for (uint32_t i = 0; i < plan.changes.size(); ++i) {
    plan::Step step;
    step.id = i + 1;
    step.change = i;
    step.phase = i < 3 ? plan::Phase::kRevoke : plan::Phase::kOpen;
    step.removes = i < 3;
    step.operation.kind = plan.changes[i].kind;
    step.operation.key = plan.changes[i].key;
    plan.steps.push_back(step);
  }
  return plan;
}

TEST(ApplyReport, SaysWhatIsTrueNowAndHowItGoesOn) {
  const plan::Plan plan = WithSteps();
  apply::Report report;
  report.steps.resize(5, {apply::StepState::kDone, ""});
  report.steps[2] = {apply::StepState::kUnknown, "connection reset"};
  report.steps[3] = {apply::StepState::kHeld, ""};
  report.done = 3;
  report.unknown = 1;
  report.held = 1;
  report.held_because = {"1 change that touches sam.ode: a revocation on edge has no outcome"};
  const std::string text =
      RenderReport(plan, report, "postern apply p.postern", 5, false, {.width = 100});
  EXPECT_EQ(
      text,
      R"(Applied 3 of 5 steps. No confirmed outcome: 1 (the next apply reads what became of it). Held: 1.
  ! unknown on edge: grant group:ops on /out/acme (subtree) at edge-ftp: connection reset

  ~ 1 change that touches sam.ode: a revocation on edge has no outcome
1 revocation is still open: until it is confirmed people may keep what they had; nobody has more
than before or than planned. Nothing needs cleaning up: `postern apply p.postern` goes on.
Exit 5.
)");
  std::ostringstream out;
  WriteReportJson(plan, report, 5, out);
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["not_done"].size(), 2u);
  EXPECT_EQ(json["exit_code"], 5);
}

TEST(ApplyReport, SaysWhatCtrlCLeft) {
  const plan::Plan plan = WithSteps();
  apply::Report report;
  report.steps.resize(5, {apply::StepState::kDone, ""});
  report.steps[4] = {apply::StepState::kWaiting, ""};
  report.done = 4;
  report.not_begun = 1;
  report.cancelled = true;
  const std::string text = RenderReport(plan, report, "postern apply", 5, false, {.width = 100});
  EXPECT_EQ(text, R"(Applied 4 of 5 steps. Stopped as asked; not begun: 1 session on edge.
People have less than planned, never more. Nothing needs cleaning up: `postern apply` goes on.
Exit 5.
)");
}

TEST(ApplyProgress, PlainLinesWithoutATerminalBarsWithOne) {
  using std::chrono::milliseconds;
  const plan::Plan plan = WithSteps();
  ApplyProgress plain(plan, false, {});
  const auto phase = plan::Phase::kRevoke;
  EXPECT_EQ(plain.Move({phase, 0, 9}, milliseconds(0)), "Revoke: 9 steps to do\n");
  EXPECT_EQ(plain.Move({phase, 5, 9}, milliseconds(500)), "");
  EXPECT_EQ(plain.Tick(milliseconds(1100)), "");
  // What isn't confirmed isn't counted, also in the end.
  EXPECT_EQ(plain.Move({phase, 8, 9, true}, milliseconds(1200)), "Revoke: 8 of 9, 1.2 s\n");
  EXPECT_EQ(plain.Step(plan.steps[0], {apply::StepState::kFailed, "no \x1b answer"}),
            "Revoke: edge: no \\u{1B} answer\n");
  EXPECT_EQ(plain.Step(plan.steps[1], {apply::StepState::kFailed, "no \x1b answer"}), "");
  ApplyProgress bars(plan, true, {.unicode = false});
  const std::string drawn = bars.Move({phase, 5, 10}, milliseconds(0));
  EXPECT_NE(drawn.find("Revoke     ##########.......... 5/10"), std::string::npos) << drawn;
}

TEST(ApplyProgress, GoesOnBelowWhatOthersPrint) {
  using std::chrono::milliseconds;
  const plan::Plan plan = WithSteps();
  ApplyProgress bars(plan, true, {.unicode = false});
  EXPECT_NE(bars.Move({plan::Phase::kRevoke, 0, 2}, milliseconds(0)), "");
  // A phase that begins is drawn at once, one that moves not more often than can be seen.
  EXPECT_NE(bars.Move({plan::Phase::kOpen, 0, 2}, milliseconds(10)), "");
  EXPECT_EQ(bars.Move({plan::Phase::kOpen, 1, 2}, milliseconds(20)), "");
  EXPECT_TRUE(bars.Tick(milliseconds(900)).starts_with("\x1b[2F"));
  EXPECT_EQ(bars.Interject("Stopping.\n"), "Stopping.\n");
  EXPECT_TRUE(bars.Tick(milliseconds(1800)).starts_with("\x1b[2KRevoke"));
  bars.Move({plan::Phase::kRevoke, 2, 2, true}, milliseconds(1900));
  bars.Move({plan::Phase::kOpen, 2, 2, true}, milliseconds(1900));
  EXPECT_EQ(bars.Tick(milliseconds(9000)), "");
}

TEST(AccessQuery, NamesThePathThatGivesAccess) {
  access::World world;
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("bea");
  account.set_enabled(true);
  account.set_password("hmac:1");
  kinds::ServerMembership member;
  member.set_server("edge-ftp");
  member.set_group("ops");
  member.set_login("bea");
  kinds::Grant grant;
  grant.set_server("edge-ftp");
  grant.set_path("/out");
  grant.set_depth("subtree");
  grant.set_subject("group:ops");
  grant.set_rights(3);
  for (const google::protobuf::Message* message :
       std::initializer_list<const google::protobuf::Message*>{&account, &member, &grant}) {
    const object::Object object = object::Encode(*message);
    world.Put("host:edge", object.kind, object.key, object.body, true);
  }
  compile::Desired desired;
  desired.identities["edge-ftp"]["bea"] = "person:bea";
  const diag::Sources sources;
  const AccessQuery query(world, desired, sources);
  const auto below = query.Who("host:edge", "/out/acme");
  ASSERT_EQ(below.size(), 1u);
  EXPECT_EQ(below[0].identity, "person:bea");
  EXPECT_EQ(below[0].through, "group:ops");
  EXPECT_EQ(below[0].declared_at, "");
  EXPECT_TRUE(query.Who("host:edge", "/in").empty());
  EXPECT_TRUE(query.Who("host:dmz", "/out").empty());
  EXPECT_EQ(query.What("bea").size(), 1u);
  EXPECT_EQ(query.What("edge-ftp/bea").size(), 1u);
  EXPECT_TRUE(query.What("person:be").empty());
  const std::string text =
      RenderAccess({"Who reaches /out", true, {}}, below, false, {.width = 60});
  EXPECT_NE(text.find("bea at edge-ftp, group:ops"), std::string::npos) << text;
  EXPECT_NE(text.find("nowhere"), std::string::npos) << text;
}

// One user of an IAM system, by what a role gave it and by its login there.
TEST(AccessQuery, KnowsAUserOfASourceByOneIdentity) {
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("ann");
  kinds::IamUser user;
  user.set_user_name("ann");
  user.set_active(true);
  observe::Observed observed;
  observed.targets.resize(2);
  observed.targets[0].name = "host:edge";
  const object::Object login = object::Encode(account);
  observed.targets[0].objects.Add(login.view());
  observed.targets[1].name = "iam:hr";
  object::Object known = object::Encode(user);
  known.id = "2819c223";
  observed.targets[1].objects.Add(known.view());
  for (observe::ObservedTarget& target : observed.targets) target.objects.Sort();
  compile::Desired desired;
  desired.facts.emplace_back();
  desired.identities["edge-ftp"]["ann"] = "iam:hr/ann#2819c223";
  const diag::Sources sources;
  const access::World world = LiveWorld(observed);
  const AccessQuery query(world, desired, sources, &observed);
  for (const char* asked : {"ann", "iam:hr/ann", "iam:hr/ann#2819c223"}) {
    const auto rows = query.What(asked);
    ASSERT_EQ(rows.size(), 2u) << asked;
    EXPECT_EQ(rows[0].identity, rows[1].identity) << asked;
  }
  EXPECT_TRUE(query.What("iam:hr/an").empty());
  EXPECT_TRUE(query.What("iam:other/ann").empty());
}

TEST(Words, AnEntryThatARoleKnowsIsCalledByItsName) {
  EXPECT_EQ(WhoIs("directory:corp/ann#0a1b-22").name, "ann");
  EXPECT_EQ(WhoIs("directory:corp/uid=ann,dc=x").name, "ann");
  EXPECT_EQ(WhoIs("iam:hr/ann@Staff#0a1b").name, "ann@Staff");
}

}  // namespace
}  // namespace postern::view
