// A plan's screens as golden text: widths, plain ASCII, no colour, and a plan of any size.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/diag/text.h"
#include "core/view/plan_json.h"
#include "core/view/plan_text.h"
#include "schemas/kinds.pb.h"
#include "tests/unit/view/plans.h"

namespace postern::view {
namespace {

size_t Lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

size_t Widest(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  size_t widest = 0;
  while (std::getline(lines, line)) {
    widest = std::max(widest, static_cast<size_t>(diag::WidthOf(line)));
  }
  return widest;
}

TEST(PlanText, FirstScreenNamesPeopleBeforeObjects) {
  plan::Plan plan = SmallPlan();
  plan.limits = {
      {.target = "host:edge", .limit = "lose_people", .used = 3, .population = 200, .allowed = 10},
      {.target = "host:edge",
       .limit = "remove_objects",
       .kind = object::Kind::kAccount,
       .used = 1,
       .population = 214,
       .allowed = 21},
      {.target = "host:edge",
       .limit = "remove_objects",
       .kind = object::Kind::kSshKey,
       .used = 2,
       .population = 40,
       .allowed = 5}};
  const std::string text = RenderPlan(plan, {}, {});
  EXPECT_EQ(text, R"(Observed  edge  proftpd  214 accounts, 38 folders  0.3 s  complete

Plan 0000 amber-auk · commit 4f1c9e2 · as of 2026-11-21 18:40Z

Lose access · 2 people, 1 partner
  acme-print  partner   everything at edge-ftp  its time ended 2026-11-20  partners/acme.toml:4
                        1 account locked, 1 key removed, 1 open session ended
  ops         2 people  overwrite on /out/acme  no longer declared         folders.toml:31

Gain access · 1 person
  sam.ode  list, read on /archive  until 2026-12-31  REQ-8841  grants.toml:12

Needs a look
  ! foreign account tmpuser on edge  last seen 3 days ago

5 changes: 2 grants, 1 account, 1 ssh key, 1 session. Limits hold: 3 of 200 people of edge (at most
10), 2 of 40 ssh keys on edge (at most 5).
postern show --detail · postern apply
)");
}

TEST(PlanText, PlainAsciiHasNothingElse) {
  plan::Plan plan = SmallPlan();
  plan.looks[0].what = "an\u00e9mie \u202e\x1b[31m";
  const std::string text = RenderPlan(plan, {}, {.unicode = false});
  for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << int(c);
  EXPECT_NE(text.find("Lose access - 2 people, 1 partner"), std::string::npos);
  EXPECT_NE(text.find("an\\u{E9}mie \\u{202E}\\u{1B}[31m"), std::string::npos) << text;
}

TEST(PlanText, NoColourWithoutATerminalAndSomeWithOne) {
  EXPECT_EQ(RenderPlan(SmallPlan(), {}, {}).find('\x1b'), std::string::npos);
  EXPECT_NE(RenderPlan(SmallPlan(), {}, {.colour = true}).find("\x1b[31m"), std::string::npos);
}

class PlanWidth : public testing::TestWithParam<unsigned> {};

TEST_P(PlanWidth, FitsAndSaysTheSame) {
  const Style style{.width = GetParam()};
  for (const plan::Plan& plan : {SmallPlan(), HugePlan(500)}) {
    const std::string text = RenderPlan(plan, {}, style);
    EXPECT_LE(Widest(text), GetParam()) << text;
    EXPECT_LE(Lines(text), kScreenLines) << text;
  }
  const std::string text = RenderPlan(SmallPlan(), {}, style);
  for (const char* fact :
       {"acme-print", "partners/acme.toml:4", "REQ-8841", "2 people", "postern apply", "tmpuser"}) {
    EXPECT_NE(text.find(fact), std::string::npos) << fact << "\n" << text;
  }
}
INSTANTIATE_TEST_SUITE_P(All, PlanWidth, testing::Values(60u, 72u, 80u, 100u, 132u, 160u));

TEST(PlanText, AHugePlanFitsOnOneScreenAndCountsTheRest) {
  const std::string text = RenderPlan(HugePlan(20'000), {}, {});
  EXPECT_LE(Lines(text), kScreenLines) << text;
  EXPECT_NE(text.find("Lose access · 20,000 people"), std::string::npos) << text;
  EXPECT_NE(text.find("more with such lines: postern show --detail"), std::string::npos) << text;
}

TEST(PlanText, DetailShowsEveryObjectAndBothValues) {
  const std::string text = RenderPlan(SmallPlan(), {.detail = true}, {});
  EXPECT_NE(text.find("rights: overwrite"), std::string::npos) << text;
  EXPECT_NE(text.find("ssh key SHA256:abc of edge-ftp/acme-print"), std::string::npos) << text;
  EXPECT_EQ(text.find("show --detail"), std::string::npos);
}

TEST(PlanText, RefusalIsSaidFirstAndApplyIsNotOffered) {
  plan::Plan plan = SmallPlan();
  plan.refusals.push_back({"host:edge", "lose_people",
                           "6 of 90 people of edge lose access; the limit is 5 (max(5, 5 %))",
                           "operator/postern.toml:9"});
  const std::string text = RenderPlan(plan, {}, {});
  EXPECT_LT(text.find("Refused by a limit"), text.find("Lose access"));
  EXPECT_EQ(text.find("postern apply"), std::string::npos) << text;
}

TEST(PlanText, AnUnreachedTargetIsNeverSilent) {
  plan::Plan plan;
  plan.as_of = kNow;
  plan.targets = {{.name = "host:dmz", .reached = false, .error = "no route to host"}};
  const std::string text = RenderPlan(plan, {}, {});
  EXPECT_NE(text.find("not observed: no route to host"), std::string::npos) << text;
  EXPECT_NE(text.find("the rest could not be judged"), std::string::npos) << text;
}

TEST(PlanMarkdown, StaysBelowACommentsLimitAndEscapes) {
  plan::Plan plan = HugePlan(20'000);
  plan.delta.lost[0].identity = "person:a|b<script>";
  const std::string text = RenderPlanMarkdown(plan, {});
  EXPECT_LT(text.size(), 65'535u);
  EXPECT_EQ(text.find("<script>"), std::string::npos);
  EXPECT_NE(RenderPlanMarkdown(SmallPlan(), {}).find("| **acme-print** (partner) |"),
            std::string::npos);
}

TEST(PlanJson, IsWholeAndParses) {
  std::ostringstream out;
  WritePlanJson(SmallPlan(), nullptr, nullptr, out);
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["format_version"], "1.0");
  EXPECT_EQ(json["changes"].size(), 5u);
  EXPECT_EQ(json["access"]["lost"].size(), 3u);
  EXPECT_EQ(json["access"]["lost"][0]["identity"], "partner:acme-print");
  EXPECT_TRUE(json["applyable"]);
  for (const auto& change : json["changes"]) {
    if (change["kind"] != "account") continue;
    EXPECT_EQ(change["before"]["password"], "(secret)");
    EXPECT_EQ(change["before"]["home"], "/srv/print");
  }
}

TEST(JsonWriter, EscapesWhatCouldSteerATerminal) {
  std::ostringstream out;
  JsonWriter json(out);
  json.Object().Field("a\x1b", "\u202e\"\\\n\xff").Key("n").Value(7).End();
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
  const auto parsed = nlohmann::json::parse(out.str());
  EXPECT_EQ(parsed["a\x1b"], "\u202e\"\\\n\\x{FF}");
  EXPECT_EQ(parsed["n"], 7);
}

}  // namespace
}  // namespace postern::view
