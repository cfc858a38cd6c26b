#include "providers/iam/scim/dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::iam {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Dialect::Row RowOf(const Dialect& dialect, Trait trait) {
  return dialect.Rows()[static_cast<size_t>(trait)];
}

TEST(Dialect, ALaterSourceWins) {
  auto dialect = *Dialect::Of("keycloak");
  EXPECT_EQ(RowOf(dialect, Trait::kVersions).origin, Origin::kDefault);
  dialect.Discover(
      Json::parse(R"({"etag":{"supported":true},"filter":{"supported":true,"maxResults":50}})"));
  EXPECT_TRUE(dialect.Is(Trait::kVersions, "etag"));
  EXPECT_EQ(RowOf(dialect, Trait::kVersions).why, "etag.supported is true");
  // The product is known to give 100, and its filters not to be believed, whatever it says.
  EXPECT_EQ(dialect.Number(Trait::kPage), 100u);
  EXPECT_TRUE(dialect.Is(Trait::kFilter, "none"));
  dialect.Saw(Trait::kVersions, "none", "a wrong version was written over");
  EXPECT_TRUE(dialect.Is(Trait::kVersions, "none"));
  ASSERT_TRUE(dialect.Declare("versions", "etag"));
  ASSERT_TRUE(dialect.Declare("page", "7"));
  EXPECT_TRUE(dialect.Is(Trait::kVersions, "etag"));
  EXPECT_EQ(dialect.Number(Trait::kPage), 7u);
  EXPECT_EQ(RowOf(dialect, Trait::kPage).origin, Origin::kDeclared);
}

TEST(Dialect, DiscoveryIsReadAsFarAsItMakesSense) {
  auto dialect = *Dialect::Of("generic");
  dialect.Discover(Json::parse(R"({"patch":{"supported":"yes"},"etag":true,"bulk":null,
    "pagination":{"cursor":true,"maxPageSize":0},"filter":{"maxResults":-4}})"));
  EXPECT_TRUE(dialect.Is(Trait::kPatch, "patch"));
  EXPECT_TRUE(dialect.Is(Trait::kVersions, "none"));
  EXPECT_TRUE(dialect.Is(Trait::kPaging, "cursor"));
  EXPECT_EQ(dialect.Number(Trait::kPage), 200u);
  dialect.Discover(Json::parse("[]"));
  dialect.Discover(Json::parse(R"({"patch":{"supported":false},"filter":{"maxResults":1000}})"));
  EXPECT_TRUE(dialect.Is(Trait::kPatch, "put"));
  EXPECT_EQ(dialect.Number(Trait::kPage), 200u) << "more is slower: facts";
}

TEST(Dialect, EveryPresetSaysWhatItsTraitsKnow) {
  EXPECT_THAT(Dialect::PresetNames(), ElementsAre("otds", "keycloak", "entra", "okta", "generic"));
  for (const std::string_view name : Dialect::PresetNames()) {
    auto dialect = *Dialect::Of(name);
    const auto rows = dialect.Rows();
    ASSERT_EQ(rows.size(), kTraitCount) << name;
    for (const auto& row : rows) {
      // What a preset or the RFC says can be declared, too.
      EXPECT_TRUE(dialect.Declare(InfoOf(row.trait).name, row.value)) << InfoOf(row.trait).name;
      EXPECT_EQ(row.origin == Origin::kPreset, !row.why.empty()) << name;
    }
  }
}

TEST(Dialect, WhatIsNotOneIsSaidWithWhatIs) {
  EXPECT_THAT(Dialect::Of("octa").error().message,
              HasSubstr("otds, keycloak, entra, okta, generic"));
  auto dialect = *Dialect::Of("generic");
  EXPECT_THAT(dialect.Declare("etag", "yes").error().message, HasSubstr("page, paging, patch"));
  EXPECT_THAT(
      dialect.Declare("paging", "pages").error().message,
      AllOf(HasSubstr("\"pages\" is no value of paging"), HasSubstr("one of index, cursor")));
  for (const char* number : {"0", "", "12a", "-1", "99999999999999999999"}) {
    EXPECT_FALSE(dialect.Declare("page", number)) << number;
  }
}

}  // namespace
}  // namespace postern::iam
