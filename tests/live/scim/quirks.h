// tests/live/scim/quirks.h: two real servers that differ (facts: "Quirks found"; their rows stand
// in tests/support/scim/README.md), each behind a proxy that counts requests and answers otherwise.
//
// Started once for all tests, which have people and groups of their own by a prefix.
#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

#include "schemas/kinds.pb.h"
#include "tests/live/scim/opened.h"

namespace postern::iam {

class ScimQuirks : public testing::TestWithParam<support::ScimServer::Kind> {
 protected:
  ScimQuirks() : bed_(BedOf(GetParam())), corp_(bed_.proxy.url()) {
    static int last = 0;
    prefix_ = fmt::format("q{}-", ++last);
  }
  static Bed& BedOf(support::ScimServer::Kind kind) {
    static auto* const lax = new Bed({.users = 120, .groups = 2, .maximum = 50});
    if (kind == support::ScimServer::Kind::kScimmy) return *lax;
    static auto* const strict =
        new Bed({.kind = support::ScimServer::Kind::kBetterAuth, .users = 120, .groups = 2});
    return *strict;
  }
  bool strict() const { return GetParam() == support::ScimServer::Kind::kBetterAuth; }

  kinds::IamUser Person(const std::string& name) const {
    kinds::IamUser user;
    user.set_user_name(prefix_ + name);
    user.set_external_id("iam_user:" + prefix_ + name);
    user.set_display_name("Person " + name);
    user.mutable_mail()->add_values(prefix_ + name + "@example.test");
    user.set_active(true);
    return user;
  }
  kinds::IamGroup Group(const std::string& name) const {
    kinds::IamGroup group;
    group.set_name(prefix_ + name);
    return group;
  }
  kinds::IamMembership In(const std::string& group, const std::string& user) const {
    kinds::IamMembership membership;
    membership.set_set("group:" + prefix_ + group);
    membership.set_member("user:" + prefix_ + user);
    return membership;
  }
  void Make(const google::protobuf::Message& message) {
    const object::Outcome outcome = corp_.ApplyOne(Opened::Change(message));
    ASSERT_EQ(outcome.status, object::Status::kApplied) << outcome.message;
  }
  // A group with these members.
  void MakeGroup(const std::string& name, const std::vector<std::string>& people) {
    Make(Group(name));
    for (const std::string& one : people) {
      Make(Person(one));
      Make(In(name, one));
    }
  }
  object::Operation Removal(const google::protobuf::Message& message) const {
    object::Operation operation = Opened::Change(message);
    operation.before = operation.after;
    operation.after.clear();
    return operation;
  }
  bool IsIn(const std::string& group, const std::string& user) {
    return corp_.Read(KeyOf(In(group, user))).answer == object::Answer::kValue;
  }
  static object::ObjectKey KeyOf(const google::protobuf::Message& message) {
    const object::Object object = object::Encode(message);
    return {object.kind, object.key};
  }
  std::string IdOf(const google::protobuf::Message& message) {
    return corp_.Read(KeyOf(message)).object.id;
  }
  // Writes that were sent since the last call.
  int Writes() {
    const int count = bed_.Writes();
    bed_.proxy.ClearRequests();
    return count;
  }
  // What the server answered to writes since the last call of Writes().
  std::vector<int> Answered() {
    std::vector<int> answers;
    for (const nlohmann::json& request : bed_.proxy.Requests()) {
      if (request["method"] != "GET") answers.push_back(request["status"]);
    }
    return answers;
  }
  // The next read of a resource shows this place otherwise than it is.
  void Misread(const std::string& path, const std::string& place, const nlohmann::json& value) {
    bed_.proxy.ClearRules();
    bed_.proxy.Rule({{"fault", "edit"},
                     {"method", "GET"},
                     {"path", path},
                     {"count", 1},
                     {"set", nlohmann::json::array({place})},
                     {"value", value}});
  }
  std::string Setting(const std::string& name) {
    const auto probe = corp_.target->ProbeTarget();
    if (!probe) return probe.error().message;
    for (const object::Setting& row : probe->settings) {
      if (row.name == name) return row.value + " by " + row.origin;
    }
    return "none";
  }

  Bed& bed_;
  Opened corp_;
  std::string prefix_;
};

}  // namespace postern::iam
