// tests/live/scim/opened.h: a SCIM server as the core would have it: a target, its objects by key.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "providers/iam/iam.h"
#include "tests/support/http_proxy.h"
#include "tests/support/scim.h"

namespace postern::iam {

// A server, and a proxy before it.
struct Bed {
  explicit Bed(const support::ScimServer::Options& options)
      : server(options), proxy({.upstream = server.url()}) {}
  // Writes that were sent to the proxy since its requests were cleared.
  int Writes();

  support::ScimServer server;
  support::HttpProxy proxy;
};

struct Opened final : object::ObjectSink {
  // `url`: of a server, or of a proxy before it.
  explicit Opened(const std::string& url, const std::string& ca = "");
  // After changes of `declared`. A declaration that is refused fails the test.
  void Open();

  bool Add(const object::ObjectView& view) override;
  // Fails the test where nothing can be said about the target.
  void Enumerate();
  const object::ScopeStatus& Status(object::Kind kind) const;
  size_t Count(object::Kind kind) const;

  object::ReadAnswer Read(const object::ObjectKey& key);
  // One operation in one group, or several.
  std::vector<object::Outcome> Apply(std::vector<object::Operation> operations);
  object::Outcome ApplyOne(object::Operation operation);
  // As the planner would make it.
  static object::Operation Change(const google::protobuf::Message& message,
                                  std::string before = "");

  decl::Iam declared;
  object::Secrets secrets{{"corp-token", support::ScimServer::kToken}};
  HttpLimits limits;
  std::unique_ptr<object::Target> target;
  std::map<object::ObjectKey, object::Object> objects;
  std::vector<object::ScopeStatus> statuses;
};

object::ObjectKey UserKey(const std::string& name);
object::ObjectKey GroupKey(const std::string& name);
// `member`: "user:NAME" or "group:NAME".
object::ObjectKey MemberKey(const std::string& group, const std::string& member);

}  // namespace postern::iam
