// Cutting operations into messages, and counting what an enumeration brought.
#include "core/provider/request.h"

#include <gtest/gtest.h>

#include "schemas/provider.pb.h"

namespace postern::provider {
namespace {

using object::Kind;

object::OperationGroup Group(const std::string& container, int operations, size_t bytes) {
  object::OperationGroup group{container, {}};
  for (int i = 0; i < operations; ++i) {
    object::Operation operation;
    operation.id = static_cast<uint64_t>(i);
    operation.kind = Kind::kAccount;
    operation.after = std::string(bytes, 'x');
    group.operations.push_back(operation);
  }
  return group;
}

TEST(RequestWriter, PutsAGroupTogetherAgainAcrossMessages) {
  const object::OperationGroup groups[] = {Group("small", 2, 10), Group("large", 100, 10'000),
                                           Group("empty", 0, 0), Group("last", 1, 10)};
  std::vector<std::pair<std::string, int>> got;
  bool continues = false;
  int messages = 0, with_secrets = 0;
  RequestWriter writer([&](const v1::ApplyRequest& request) {
    ++messages;
    with_secrets += request.secrets().empty() ? 0 : 1;
    EXPECT_LT(request.ByteSizeLong(), size_t{300} << 10);
    for (const v1::OperationGroup& group : request.groups()) {
      if (!continues) got.emplace_back(group.container(), 0);
      got.back().second += group.operations_size();
      continues = group.continues();
    }
    return true;
  });
  ASSERT_TRUE(writer.Write(groups, {{"name", "value"}}));
  EXPECT_FALSE(continues);
  EXPECT_GT(messages, 3);
  EXPECT_EQ(with_secrets, 1);
  const std::vector<std::pair<std::string, int>> want = {
      {"small", 2}, {"large", 100}, {"empty", 0}, {"last", 1}};
  EXPECT_EQ(got, want);
}

TEST(RequestWriter, StopsWhenTheConnectionIsGone) {
  const object::OperationGroup groups[] = {Group("large", 100, 10'000)};
  int messages = 0;
  RequestWriter writer([&](const v1::ApplyRequest&) { return ++messages < 2; });
  EXPECT_FALSE(writer.Write(groups, {}));
  EXPECT_EQ(messages, 2);
}

TEST(CheckCounts, FlagsACompleteScopeWhoseObjectsDidNotArrive) {
  std::vector<object::ScopeStatus> scopes = {{Kind::kAccount, "a", true, "", 2, true},
                                             {Kind::kAccount, "b", true, "", 1, true},
                                             {Kind::kGrant, "a", true, "", 0, true},
                                             {Kind::kSshKey, "a", true, "", 5, true},
                                             {Kind::kSshKey, "b", false, "limit", 9, false}};
  CheckCounts({{Kind::kAccount, 2}, {Kind::kSshKey, 6}}, &scopes);
  EXPECT_FALSE(scopes[0].complete);
  EXPECT_FALSE(scopes[1].complete);
  EXPECT_EQ(scopes[0].reason, "the provider counted 3 objects of this kind, 2 arrived");
  EXPECT_TRUE(scopes[2].complete) << "none counted and none arrived";
  EXPECT_TRUE(scopes[3].complete) << "beside an incomplete scope a sum proves nothing";
  EXPECT_EQ(scopes[4].reason, "limit");
}

}  // namespace
}  // namespace postern::provider
