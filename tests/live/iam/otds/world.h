// tests/live/iam/otds/world.h: one OTDS for all cases, and a target of it.
//
// Each case begins with the first world. When all are done, every request that any of them made
// must have had a documented shape. One thread.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/iam/iam.h"
#include "schemas/kinds.pb.h"
#include "tests/support/otds.h"

namespace postern::iam {

using nlohmann::json;
using object::Answer;
using object::Kind;
using object::Status;
using support::Otds;

Otds& Server();

struct Seen {
  bool ok = false;
  Error error;
  std::vector<object::ScopeStatus> scopes;
  std::map<object::ObjectKey, object::Object> objects;

  const object::ScopeStatus& Scope(Kind kind) const;
  bool Has(Kind kind, std::initializer_list<std::string_view> parts) const {
    return objects.contains({kind, object::MakeKey(kind, parts)});
  }
  template <class M>
  M At(Kind kind, std::string_view name) const {
    const auto found = objects.find({kind, object::MakeKey(kind, {name})});
    EXPECT_NE(found, objects.end()) << name;
    return found == objects.end() ? M() : object::DecodeAs<M>(found->second.body);
  }
};

class OtdsTest : public testing::Test {
 protected:
  OtdsTest();

  // Of the operator's file: a client of OAuth 2 unless a case says otherwise.
  decl::Iam& declared() { return declared_; }
  void LogInAs(const std::string& login, const std::string& password);
  // A new provider, which knows nothing yet.
  void Open();
  object::Target& target();

  // Of the doctor, now.
  object::Check CheckNamed(const std::string& name);

  Seen See(const std::vector<Kind>& kinds);
  object::ReadAnswer Read(Kind kind, std::initializer_list<std::string_view> parts);
  // From what is live now to `after`; creates what isn't there.
  object::Outcome Put(const google::protobuf::Message& after, std::vector<uint32_t> clear = {});
  object::Outcome Remove(const google::protobuf::Message& key);
  std::vector<object::Outcome> Apply(const std::vector<object::Operation>& operations);
  object::Operation Operation(const google::protobuf::Message& after, bool removes = false);

  object::Outcome AddMember(const std::string& set, const std::string& member);
  object::Outcome RemoveMember(const std::string& set, const std::string& member);

  // Requests of this case, or since it said DELETE /requests: as "METHOD path", or their bodies.
  std::vector<std::string> Requests(const std::string& method = "");
  std::vector<json> Bodies(const std::string& method, const std::string& path);
  static object::Object EncodedKey(const google::protobuf::Message& message) {
    return object::Encode(message);
  }

  // A call in the system administrator's name by the stock curl.
  json Ask(const std::string& method, const std::string& path, const json& body = nullptr);
  // A resource, and with it the access role "Access to NAME".
  void MakeResource(const std::string& name);

  static kinds::IamUser User(const std::string& name, const std::string& title = "");
  static HttpLimits Quick();

  object::Secrets secrets_;

 private:
  decl::Iam declared_;
  std::unique_ptr<object::Target> target_;
  uint64_t last_operation_ = 0;
};

}  // namespace postern::iam
