// Presets against products as they are documented (tests/support/proxy/products.py): with the
// preset a story goes well and sends nothing that the product doesn't take, and with any other
// value of one of its rows it doesn't. Facts: iam-governance sections 1.4 and 3.3.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "providers/iam/scim/dialect.h"
#include "providers/iam/scim/resource.h"
#include "schemas/kinds.pb.h"
#include "tests/live/scim/opened.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Answer;
using object::Kind;
using object::Outcome;
using object::Status;
using support::HttpProxy;
using support::ScimServer;

constexpr int kUsers = 250, kTeam = 150, kLeavers = 120;

kinds::IamMembership InTeam(int n) {
  kinds::IamMembership in;
  in.set_set("group:team");
  in.set_member(fmt::format("user:u{:06}", n));
  return in;
}

object::Operation Removal(object::Operation operation) {
  operation.before = std::move(operation.after);
  operation.after.clear();
  return operation;
}

class Product {
 public:
  explicit Product(const std::string& like)
      : like_(like), proxy_({.upstream = server_.url(), .like = like == "generic" ? "" : like}) {}

  // What goes wrong with the preset of the product, `trait` being declared as `value`; empty:
  // nothing.
  std::string Story(const std::string& preset, const std::string& trait = "",
                    const std::string& value = "") {
    server_.Reset();
    proxy_.ClearRequests();
    Opened corp(proxy_.url());
    decl::IamDialect& dialect = *corp.declared.mutable_dialect();
    dialect.set_preset(preset);
    if (!trait.empty()) Declare(trait, value, &dialect);
    corp.Open();
    std::string wrong = Census(corp);
    wrong += Team(corp);
    wrong += Leaver(corp);
    wrong += Found(corp);
    for (const json& request : proxy_.Requests()) {
      if (request.value("wrong", "").empty()) continue;
      wrong += request.value("wrong", "") + "; ";
      break;
    }
    return wrong;
  }

  // What a filter asked about, in any story since: attribute names, decoded.
  std::set<std::string> Filters() {
    std::set<std::string> filters;
    for (const json& request : proxy_.Requests()) {
      const std::string path = request["path"];
      const size_t at = path.find("filter=");
      if (at == std::string::npos) continue;
      filters.insert(path.substr(at + 7, path.find_first_of("%+ ", at) - at - 7));
    }
    return filters;
  }

 private:
  static void Declare(const std::string& trait, const std::string& value, decl::IamDialect* to) {
    const auto* field = to->GetDescriptor()->FindFieldByName(trait);
    if (field->type() == google::protobuf::FieldDescriptor::TYPE_UINT32) {
      to->GetReflection()->SetUInt32(to, field, static_cast<uint32_t>(std::stoul(value)));
    } else {
      to->GetReflection()->SetString(to, field, value);
    }
  }
  static std::string Census(Opened& corp) {
    corp.Enumerate();
    const bool whole =
        corp.Status(Kind::kIamUser).complete && corp.Status(Kind::kIamUser).unstable.empty() &&
        corp.Count(Kind::kIamUser) == kUsers && corp.Count(Kind::kIamMembership) == kUsers;
    return whole ? ""
                 : fmt::format("{} users and {} memberships are seen; ", corp.Count(Kind::kIamUser),
                               corp.Count(Kind::kIamMembership));
  }
  // Made with its members; most of them leave at once.
  std::string Team(Opened& corp) const {
    std::vector<object::Operation> joins, leaves;
    kinds::IamGroup team;
    team.set_name("team");
    joins.push_back(Opened::Change(team));
    for (int n = 1; n <= kTeam; ++n) joins.push_back(Opened::Change(InTeam(n)));
    for (int n = 1; n <= kLeavers; ++n) leaves.push_back(Removal(Opened::Change(InTeam(n))));
    std::string wrong;
    for (const auto& operations : {joins, leaves}) {
      for (const Outcome& outcome : corp.Apply(operations)) {
        if (outcome.status == Status::kApplied || !wrong.empty()) continue;
        wrong = outcome.message + "; ";
      }
    }
    const std::string id = corp.Read(GroupKey("team")).object.id;
    const json members = server_.Call("GET", "/Groups/" + id).Json()["members"];
    if (members.size() == kTeam - kLeavers) return wrong;
    return wrong + fmt::format("{} are in the team; ", members.size());
  }
  // Inactive, and then removed.
  std::string Leaver(Opened& corp) const {
    const object::ObjectKey key = UserKey("u000001");
    kinds::IamUser user;
    user.set_user_name("u000001");
    user.set_active(false);
    const std::string before = corp.Read(key).object.body;
    const Outcome leaves = corp.ApplyOne(Opened::Change(user, before));
    std::string wrong;
    if (leaves.status != Status::kApplied) wrong = leaves.message + "; ";
    const Outcome gone = corp.ApplyOne(Removal(Opened::Change(user)));
    const bool stays = like_ == "okta";
    if (stays && gone.message.find("keeps what is deleted") == std::string::npos) {
      wrong += "a deletion that deactivates: " + gone.message + "; ";
    }
    if (!stays && gone.status != Status::kApplied) wrong += gone.message + "; ";
    return wrong;
  }
  // By somebody who knows no ids yet.
  std::string Found(Opened& corp) const {
    corp.Open();
    std::string wrong;
    if (corp.Read(UserKey("u000002")).answer != Answer::kValue) wrong = "a user isn't found; ";
    if (corp.Read(GroupKey("team")).answer != Answer::kValue) wrong += "a group isn't found; ";
    return wrong;
  }

  const std::string like_;
  ScimServer server_{{.users = kUsers, .groups = 1}};
  HttpProxy proxy_;
};

struct OtherValue {
  const char *preset, *trait, *value;
};

// Each row of each preset, but for those that say what is the RFC's own.
constexpr OtherValue kOthers[] = {
    {"keycloak", "page", "200"},
    {"keycloak", "patch_members", "1000"},
    {"keycloak", "members_in_create", "yes"},
    {"keycloak", "members_in_list", "yes"},
    {"keycloak", "filter", "eq"},
    {"entra", "patch", "put"},
    {"entra", "remove_member", "value"},
    {"okta", "page", "500"},
    {"okta", "delete", "hard"},
};

TEST(ScimProducts, EachPresetIsRightAtItsProduct) {
  for (const std::string preset : {"generic", "keycloak", "entra", "okta"}) {
    EXPECT_EQ(Product(preset).Story(preset), "") << preset;
  }
}

TEST(ScimProducts, AnyOtherValueOfAPresetFailsThere) {
  std::map<std::string, std::unique_ptr<Product>> products;
  for (const OtherValue& other : kOthers) {
    auto& product = products[other.preset];
    if (product == nullptr) product = std::make_unique<Product>(other.preset);
    EXPECT_NE(product->Story(other.preset, other.trait, other.value), "")
        << other.preset << ": " << other.trait << " = " << other.value << " is as good";
  }
}

// Keycloak with LDAP_ONLY mappers finds nobody by a filter on memberships, and WSO2 gives all of a
// group's members to one: who is in is what the group says, and nothing else is asked.
TEST(ScimProducts, NoMembershipIsLookedForByAFilter) {
  for (const std::string preset : {"generic", "keycloak", "entra", "okta"}) {
    Product product(preset);
    ASSERT_EQ(product.Story(preset), "") << preset;
    EXPECT_THAT(product.Filters(), testing::IsSubsetOf({"userName", "displayName", "externalId",
                                                        "id", "postern-no-such-attribute"}))
        << preset;
  }
}

// A draft of the IETF narrows what an identity provider sends to an application: what is sent
// without a preset lies inside of that.
TEST(ScimProducts, WhatIsSentLiesInsideTheNarrowProfile) {
  Product narrow("profile");
  EXPECT_EQ(narrow.Story("generic"), "");
  EXPECT_NE(narrow.Story("generic", "remove_member", "value"), "") << "the profile is seen";
}

// Keycloak: a filter has at most 2,048 characters and ten levels, and no order is kept.
TEST(ScimProducts, KeycloaksBoundsOfAFilterAreKept) {
  ScimServer server({.users = 5, .groups = 0});
  HttpProxy proxy({.upstream = server.url(), .like = "keycloak"});
  Opened corp(proxy.url());
  corp.declared.mutable_dialect()->set_preset("keycloak");
  corp.Open();
  kinds::IamUser longest;
  longest.set_user_name(std::string(kLongestName, 'x'));
  EXPECT_EQ(corp.ApplyOne(Opened::Change(longest)).status, Status::kApplied);
  corp.Open();
  proxy.ClearRequests();
  EXPECT_EQ(corp.Read(UserKey(longest.user_name())).answer, Answer::kValue);
  bool filtered = false;
  for (const json& request : proxy.Requests()) {
    EXPECT_EQ(request.value("wrong", ""), "") << request;
    const std::string path = request["path"];
    filtered |= path.find("filter=") != std::string::npos && path.size() > kLongestName;
  }
  EXPECT_TRUE(filtered) << "the longest name there can be was looked for";
  // The bounds are there.
  const auto refused = [&](const std::string& query) {
    return support::Ask({.url = proxy.url() + "/Users?" + query,
                         .headers = {std::string("Authorization: Bearer ") + ScimServer::kToken}})
        .status;
  };
  EXPECT_EQ(refused("filter=userName%20eq%20%22" + std::string(2048, 'x') + "%22"), 400);
  EXPECT_EQ(refused("filter=" + std::string(11, '(') + "id%20pr" + std::string(11, ')')), 400);
  EXPECT_EQ(refused("sortBy=userName"), 200);
  EXPECT_EQ(proxy.Requests().back().value("wrong", ""), "an order is asked for, and not given");
}

// No row of a preset is left out above.
TEST(ScimProducts, EveryRowOfAPresetIsTried) {
  for (const std::string_view preset : Dialect::PresetNames()) {
    if (preset == "otds") continue;  // live_otds: OtdsCensus.TheScimProviderSeesTheSamePeople
    for (const Dialect::Row& row : Dialect::Of(preset)->Rows()) {
      if (row.origin != Origin::kPreset) continue;
      const bool tried = std::any_of(std::begin(kOthers), std::end(kOthers), [&](const auto& one) {
        return one.preset == preset && one.trait == InfoOf(row.trait).name &&
               one.value != row.value;
      });
      EXPECT_TRUE(tried) << preset << ": " << InfoOf(row.trait).name;
    }
  }
}

}  // namespace
}  // namespace postern::iam
