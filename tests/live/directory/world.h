// tests/live/directory/world.h: a directory target on a real slapd, and short ways to use it.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/directory/directory.h"
#include "schemas/kinds.pb.h"
#include "tests/support/slapd.h"

namespace postern::directory {

using object::Answer;
using object::Kind;
using object::Object;
using object::Operation;
using object::Outcome;
using object::Status;
using support::Slapd;

inline const object::Secrets kSecrets = {{"bind", Slapd::kPassword},
                                         {"ledger-key", "k"},
                                         {"first", "first-pw-1"},
                                         {"next", "next-pw-2"}};

// Collects what is enumerated, by (kind, key); can do something in the middle.
class Collector : public object::ObjectSink {
 public:
  bool Add(const object::ObjectView& view) override {
    Object object;
    object.kind = view.kind;
    object.key = view.key;
    object.body = view.body;
    object.id = view.id;
    object.unreadable = view.unreadable;
    object.changed_by = view.changed_by;
    object.changed_at = view.changed_at;
    object.how_known = view.how_known;
    EXPECT_TRUE(all.emplace(std::pair(view.kind, object.key), object).second) << object.key;
    if (each) each(all.size());
    return true;
  }
  const Object* Find(Kind kind, const std::string& key) const {
    const auto found = all.find({kind, key});
    return found == all.end() ? nullptr : &found->second;
  }
  std::map<std::pair<Kind, std::string>, Object> all;
  std::function<void(size_t)> each;
};

class Outcomes : public object::OutcomeSink {
 public:
  void Add(Outcome outcome) override {
    const uint64_t id = outcome.id;
    EXPECT_TRUE(all.emplace(id, std::move(outcome)).second) << "answered twice: " << id;
  }
  std::map<uint64_t, Outcome> all;
};

inline decl::Directory Declare(const Slapd& slapd) {
  decl::Directory declared;
  declared.set_name("corp");
  declared.set_url(slapd.url());
  declared.mutable_bind()->set_dn(Slapd::kBindDn);
  declared.mutable_bind()->set_password("secret:bind");
  declared.mutable_tls()->set_start(false);
  declared.mutable_manage()->mutable_bases()->add_values(Slapd::kPeople);
  declared.mutable_manage()->mutable_bases()->add_values(Slapd::kGroups);
  return declared;
}

inline Patience Impatient() {
  return {std::chrono::milliseconds(3000), std::chrono::milliseconds(5000),
          std::chrono::milliseconds(5000)};
}

// A target over its own slapd.
class World {
 public:
  explicit World(const Slapd::Options& options = {}) : slapd(options) { Connect(Declare(slapd)); }
  void Connect(const decl::Directory& declared) {
    auto opened = Open(declared, kSecrets, Impatient());
    ASSERT_TRUE(opened) << opened.error().message;
    target = std::move(*opened);
  }

  // All of it; expects completeness.
  Collector All() {
    Collector collector;
    auto scopes = target->Enumerate({}, collector);
    EXPECT_TRUE(scopes) << (scopes ? "" : scopes.error().message);
    if (!scopes) return collector;
    for (const auto& scope : *scopes) EXPECT_TRUE(scope.complete) << scope.reason;
    return collector;
  }
  object::ReadAnswer Read(Kind kind, const std::string& key) {
    const std::vector<object::ObjectKey> keys = {{kind, key}};
    auto answers = target->Read(keys);
    EXPECT_TRUE(answers) << (answers ? "" : answers.error().message);
    return answers ? answers->front() : object::ReadAnswer{};
  }
  std::map<uint64_t, Outcome> Apply(std::vector<Operation> operations) {
    for (size_t i = 0; i < operations.size(); ++i) operations[i].id = i + 1;
    const std::vector<object::OperationGroup> groups = {{"all", std::move(operations)}};
    Outcomes outcomes;
    const auto ok = target->Apply(groups, kSecrets, outcomes);
    EXPECT_TRUE(ok);
    EXPECT_EQ(outcomes.all.size(), groups[0].operations.size());
    return outcomes.all;
  }
  Outcome Apply(Operation operation) { return Apply(std::vector{std::move(operation)})[1]; }

  Slapd slapd;
  std::unique_ptr<object::Target> target;
};

inline std::string PersonDn(const std::string& uid) {
  return "uid=" + uid + "," + Slapd::kPeople;
}
inline std::string GroupDn(const std::string& cn) {
  return "cn=" + cn + "," + Slapd::kGroups;
}

inline kinds::User MakeUser(const std::string& uid) {
  kinds::User user;
  user.set_dn(PersonDn(uid));
  user.set_uid(uid);
  user.set_common_name(uid + " Person");
  user.set_surname("Person");
  return user;
}
template <class Message>
Operation Create(const Message& wanted) {
  const Object object = object::Encode(wanted);
  return {.kind = object.kind, .key = object.key, .after = object.body};
}
template <class Message>
Operation Remove(const Message& live) {
  const Object object = object::Encode(live);
  return {.kind = object.kind, .key = object.key, .before = object.body};
}
template <class Message>
Operation Change(const Message& before, const Message& after) {
  Operation operation = Create(after);
  operation.key = object::EncodeKey(before);
  operation.before = object::EncodeBody(before);
  return operation;
}
inline kinds::Membership MakeMember(const std::string& group, const std::string& member) {
  kinds::Membership membership;
  membership.set_group(group);
  membership.set_member(member);
  return membership;
}
inline kinds::DirectoryGroup MakeGroup(const std::string& cn) {
  kinds::DirectoryGroup group;
  group.set_dn(GroupDn(cn));
  return group;
}

}  // namespace postern::directory
