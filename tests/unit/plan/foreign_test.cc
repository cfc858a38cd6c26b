// Rules by other hands: what they give and take, what they hold, which revocations they undo. The
// product is a small language, so that every effect can be said in a line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/fake_rules.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using object::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ForeignRules : public testing::Test, protected Setting {};

TEST_F(ForeignRules, NothingIsRaisedWithoutSuchRules) {
  bench.All(row);
  Rules({});
  EXPECT_THAT(Make().drift, IsEmpty());
  EXPECT_EQ(product.raises, 0);
}

TEST_F(ForeignRules, EachRuleIsToldByItsEffect) {
  bench.All(row);
  Rules({"more a /d/in overwrite", "less a /d read", "more a /d list", "open b /d"});
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 4u);
  EXPECT_EQ(plan.drift[0].effect, Drift::Effect::kMore);
  EXPECT_EQ(plan.drift[0].what, "also has overwrite on /d/in");
  EXPECT_EQ(plan.drift[0].note, "/x.conf:1: more a /d/in overwrite");
  EXPECT_EQ(plan.drift[0].who, "account:ftp/a");
  ASSERT_EQ(plan.drift[0].access.gained.size(), 1u);
  EXPECT_EQ(plan.drift[0].access.gained[0].path, "/d/in");
  EXPECT_EQ(plan.drift[1].effect, Drift::Effect::kLess);
  EXPECT_EQ(plan.drift[1].what, "no longer has read on /d");
  EXPECT_EQ(plan.drift[2].effect, Drift::Effect::kEqual);
  EXPECT_EQ(plan.drift[2].what, "changes nobody's access");
  EXPECT_EQ(plan.drift[3].effect, Drift::Effect::kMore);
  EXPECT_THAT(plan.drift[3].what, HasSubstr("anybody gets in as b without a password"));
  EXPECT_TRUE(plan.empty());
  EXPECT_THAT(Said(), IsEmpty());
}

TEST_F(ForeignRules, WhatOnlyBothTogetherDoIsToldOfBoth) {
  bench.All(row);
  Rules({"more b /d list", "more b /d list"});
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].what, "also has list on /d");
  EXPECT_EQ(plan.drift[0].note, "/x.conf:1: more b /d list; /x.conf:2: more b /d list");
}

TEST_F(ForeignRules, ManyRulesAreToldByFile) {
  bench.All(row);
  Rules({"more b /d list", "more b /d/1 read", "more b /d/2 read", "more b /d/3 read",
         "more b /d/4 read", "more b /d/5 read", "more b /d/6 read", "more b /d/7 read",
         "more b /d/8 read"});
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].access.gained.size(), 9u);
  EXPECT_THAT(plan.drift[0].what, HasSubstr("and 6 more"));
  EXPECT_THAT(plan.drift[0].note, HasSubstr("and 6 rules more"));
  EXPECT_LE(product.raises, 8);
}

TEST_F(ForeignRules, WhatIsNotComputableNamesTheLine) {
  bench.All(row);
  Rules({"unknown a /d/in create", "more b /d list"});
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 2u);
  EXPECT_EQ(plan.drift[0].type, Drift::Type::kNotComputable);
  EXPECT_EQ(plan.drift[0].effect, Drift::Effect::kUnknown);
  EXPECT_EQ(plan.drift[0].what,
            "access is not computable at /d/in and below: it depends on the moon (/x.conf:1: "
            "unknown a /d/in create)");
  EXPECT_EQ(plan.drift[1].effect, Drift::Effect::kMore);
}

TEST_F(ForeignRules, WithoutTheConfigurationNothingIsGuessed) {
  for (const bool broken : {false, true}) {
    Setting one;
    one.product.broken = broken;
    one.Rules({"more b /d list"}, broken);
    one.bench.Want(one.row);
    const Plan plan = one.Make();
    ASSERT_EQ(plan.drift.size(), 1u);
    EXPECT_EQ(plan.drift[0].type, Drift::Type::kNotComputable);
    EXPECT_EQ(plan.drift[0].what,
              "access is not computable at /d and below: a line by other hands");
    EXPECT_EQ(plan::Said(plan), "create grant declared (held)");
  }
}

TEST_F(ForeignRules, AGrantIsHeldOnlyWhereItWouldNotGiveExactlyThat) {
  struct Case {
    const char* rule;
    const char* held;  // in the warning; null: not held
  };
  for (const Case& c : {Case{"more b /d list", nullptr}, Case{"more a /d read", nullptr},
                        Case{"less a /e read", nullptr},
                        Case{"more a /d/in delete", "a would get delete on /d/in as well"},
                        Case{"less a /d read", "a would not get read on /d"},
                        Case{"unknown a /d/in read", "read couldn't be computed there"}}) {
    Setting one;
    one.Rules({"less b /d/zzz rmdir", c.rule});
    one.bench.Want(one.row);
    const Plan plan = one.Make();
    EXPECT_EQ(plan::Said(plan),
              c.held == nullptr ? "create grant declared" : "create grant declared (held)")
        << c.rule;
    if (c.held == nullptr) {
      EXPECT_THAT(one.Said(), IsEmpty()) << c.rule;
      continue;
    }
    ASSERT_EQ(one.Said().size(), 1u) << c.rule;
    EXPECT_THAT(one.Said()[0], HasSubstr(c.held));
    EXPECT_THAT(one.Said()[0], HasSubstr("@ /x.conf:2")) << "the rule that does it";
    EXPECT_EQ(plan.changes[0].held, "a rule by other hands stands in the way: /x.conf:2");
  }
}

TEST_F(ForeignRules, ARevocationThatARuleUndoesIsNoLoss) {
  bench.Live(row).Record(row).Live(Row("/d", "subtree", "account:b", kDelete));
  Rules({"more a /d read"});
  const Plan plan = Make();
  ASSERT_EQ(plan.delta.lost.size(), 2u);
  EXPECT_EQ(plan.delta.lost[0].account, "a");
  EXPECT_EQ(plan.delta.lost[0].rights, kList) << "read stays";
  EXPECT_EQ(plan.delta.lost[1].account, "b");
  EXPECT_THAT(Said(), ElementsAre("ftp/a keeps read on /d: a rule by other hands gives it, so that "
                                  "taking the grant away doesn't end it @ /x.conf:1"));
  EXPECT_FALSE(plan.read_set.empty());
  EXPECT_TRUE(std::any_of(plan.read_set.begin(), plan.read_set.end(), [](const Expectation& e) {
    return e.kind == Kind::kServerConfig;
  })) << "the plan stands on the configuration that it was computed from";
}

TEST_F(ForeignRules, AnUntouchedGrantBesideARuleIsNoChange) {
  bench.All(row).Want(Row("/e", "subtree", "account:b", kList));
  Rules({"more a /d delete"});
  const Plan plan = Make();
  EXPECT_EQ(plan::Said(plan), "create grant declared");
  ASSERT_EQ(plan.delta.gained.size(), 1u);
  EXPECT_EQ(plan.delta.gained[0].account, "b");
  EXPECT_TRUE(plan.delta.lost.empty());
}

TEST_F(ForeignRules, EffectsAreInThePlanFile) {
  bench.All(row);
  Rules({"more a /d/in overwrite"});
  const Plan plan = Make();
  const auto loaded = Load(Save(plan));
  ASSERT_TRUE(loaded.has_value());
  ASSERT_EQ(loaded->drift.size(), 1u);
  EXPECT_EQ(loaded->drift[0].access.gained, plan.drift[0].access.gained);
}

}  // namespace
}  // namespace postern::plan
