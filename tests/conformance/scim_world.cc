#include "tests/conformance/scim_world.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/provider/client.h"
#include "providers/iam/iam.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"

namespace postern::conformance {

using nlohmann::json;
using support::HttpProxy;
using support::ScimServer;

namespace {

ScimServer& ServerOf(ScimServer::Kind kind) {
  static auto* const scimmy = new ScimServer({.users = 30, .groups = 2});
  if (kind == ScimServer::Kind::kScimmy) return *scimmy;
  static auto* const strict = new ScimServer({.kind = kind, .users = 10, .groups = 1});
  return *strict;
}

// One before scimmy for all tests, with versions or without.
HttpProxy& ProxyOf(const ScimServer& scimmy, bool etags) {
  static std::map<bool, HttpProxy*> proxies;
  HttpProxy*& proxy = proxies[etags];
  if (proxy == nullptr) proxy = new HttpProxy({.upstream = scimmy.url(), .etags = etags});
  return *proxy;
}

std::string PathOf(Kind kind) {
  return kind == Kind::kIamUser ? "/Users" : "/Groups";
}

json UserJson(const kinds::IamUser& user) {
  json out = {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
              {"userName", user.user_name()}};
  if (user.has_external_id()) out["externalId"] = user.external_id();
  if (user.has_display_name()) out["displayName"] = user.display_name();
  if (user.has_given_name()) out["name"]["givenName"] = user.given_name();
  if (user.has_family_name()) out["name"]["familyName"] = user.family_name();
  if (user.has_title()) out["title"] = user.title();
  if (user.has_active()) out["active"] = user.active();
  for (const std::string& mail : user.mail().values()) {
    out["emails"].push_back({{"value", mail}, {"primary", true}});
  }
  return out;
}

json GroupJson(const kinds::IamGroup& group) {
  json out = {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:Group"}},
              {"displayName", group.name()}};
  if (group.has_external_id()) out["externalId"] = group.external_id();
  return out;
}

json PatchOf(json operation) {
  return {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
          {"Operations", json::array({std::move(operation)})}};
}

}  // namespace

ScimWorld::ScimWorld(const Setup& setup)
    : setup_(setup),
      serial_([] {
        static int last = 0;
        return ++last;
      }()),
      server_(ServerOf(setup.kind)) {
  if (setup.kind == ScimServer::Kind::kScimmy) server_.Reset();
  declared_.set_name("corp");
  declared_.set_url(server_.url());
  declared_.mutable_auth()->set_token("secret:token");
  if (setup.process) declared_.mutable_dialect()->set_patch_members(1);
  if (!setup.etags && !setup.process) return;
  proxy_ = &ProxyOf(server_, setup.etags);
  proxy_->ClearRules();
  proxy_->ClearRequests();
  declared_.set_url(proxy_->url());
}

ScimWorld::~ScimWorld() {
  if (struck_) ExpectNothingTwice();
}

// Not by the server's grace either: it was never asked to make what is there.
void ScimWorld::ExpectNothingTwice() const {
  for (const json& request : proxy_->Requests()) EXPECT_NE(request["status"], 409) << request;
  for (const char* path : {"/Users?count=100", "/Groups?count=100"}) {
    std::set<std::string> seen;
    const json all = Call("GET", path);
    EXPECT_GT(all["totalResults"], 1) << path;
    for (const json& resource : all["Resources"]) {
      const std::string name = resource.value("userName", resource.value("displayName", ""));
      EXPECT_TRUE(seen.insert(name).second) << name << " is there twice";
      std::set<std::string> members;
      for (const json& member : resource.value("members", json::array())) {
        EXPECT_TRUE(members.insert(member["value"].get<std::string>()).second)
            << member << " is twice in " << name;
      }
    }
  }
}

std::string ScimWorld::WhyOff(Feature feature, Kind kind) const {
  const bool member = kind == Kind::kIamMembership;
  switch (feature) {
    case Feature::kStableIds:
    case Feature::kRename:
      return member ? "a membership is its key and has no id" : "";
    case Feature::kValues:
    case Feature::kClear:
      return member ? "a membership has no field that may change" : "";
    case Feature::kUnreadable:
      return kind == Kind::kIamUser ? "" : "it has no field that a server could spoil by itself";
    case Feature::kCutShort:
      return proxy_ != nullptr ? "" : "answers are spoilt by the proxy, which isn't there";
    case Feature::kLostAnswer:
      return proxy_ != nullptr ? "" : "answers are lost by the proxy, which isn't there";
    case Feature::kDeath:
      return setup_.process ? "" : "it runs in the test's own process; scimmy_process dies";
    case Feature::kWho:
      return "SCIM doesn't record who changed a resource";
    default:
      return "";
  }
}

Result<std::unique_ptr<object::Target>> ScimWorld::Connect() {
  const object::Secrets secrets = {{"token", ScimServer::kToken}};
  if (!setup_.process) return iam::Open(declared_, secrets);
  provider::v1::TargetConfig config;
  config.set_name("iam:corp");
  *config.mutable_iam() = declared_;
  provider::StartOptions options;
  options.program = provider::ProviderProgram("iam");
  auto client = provider::Start(options, config, secrets);
  if (!client) return tl::unexpected(client.error());
  pid_ = (*client)->pid();
  return std::unique_ptr<object::Target>(std::move(*client));
}

std::unique_ptr<Message> ScimWorld::Sample(Kind kind, int n, int version) const {
  const std::string of = fmt::format("w{}", serial_);
  if (kind == Kind::kIamUser) {
    auto user = std::make_unique<kinds::IamUser>();
    user->set_user_name(fmt::format("{}-user{}", of, n));
    user->set_external_id(fmt::format("iam_user:{}-user{}", of, n));
    user->set_given_name("User");
    user->set_family_name(version == 1 ? "Changed" : "Number");
    user->set_display_name(fmt::format("User {}, version {}", n, version == 1 ? 1 : 0));
    if (version != 2) user->set_title(fmt::format("version {}", version));
    user->mutable_mail()->add_values(fmt::format("{}-user{}@example.com", of, n));
    user->set_active(version != 1);
    return user;
  }
  if (kind == Kind::kIamGroup) {
    auto group = std::make_unique<kinds::IamGroup>();
    group->set_name(fmt::format("{} group {}", of, n));
    if (version != 2) group->set_external_id(fmt::format("{}-group{}-{}", of, n, version));
    return group;
  }
  auto membership = std::make_unique<kinds::IamMembership>();
  membership->set_set(fmt::format("group:{} group 0", of));
  membership->set_member(fmt::format("user:{}-user{}", of, n));
  return membership;
}

void ScimWorld::Prepare(Kind kind, int first, int last) {
  if (kind != Kind::kIamMembership) return;
  const auto group = Sample(Kind::kIamGroup, 0, 0);
  if (IdOf(Kind::kIamGroup, static_cast<const kinds::IamGroup&>(*group).name()).empty()) {
    HandPut(*group);
  }
  std::vector<iam::HttpRequest> requests;
  for (int n = first; n <= last; ++n) {
    const auto user = Sample(Kind::kIamUser, n, 0);
    requests.push_back({iam::Method::kPost,
                        server_.url() + "/Users",
                        {{"Authorization", std::string("Bearer ") + ScimServer::kToken},
                         {"Content-Type", "application/scim+json"}},
                        UserJson(static_cast<const kinds::IamUser&>(*user)).dump()});
  }
  iam::HttpClient("").SendAll(requests, [](size_t, const iam::HttpResult& result) {
    EXPECT_TRUE(result && result->status == 201);
  });
}

json ScimWorld::Call(const std::string& method, const std::string& path, const json& body) const {
  const support::HttpAnswer answer = server_.Call(method, path, body);
  EXPECT_EQ(answer.status / 100, 2) << method << " " << path << ": " << answer.body;
  return answer.body.empty() ? json() : answer.Json();
}

std::string ScimWorld::IdOf(Kind kind, const std::string& name) const {
  std::string filter = kind == Kind::kIamUser ? "userName%20eq%20%22" : "displayName%20eq%20%22";
  for (const char c : name) filter += c == ' ' ? std::string("%20") : std::string(1, c);
  const json found = Call("GET", PathOf(kind) + "?filter=" + filter + "%22");
  const json resources = found.value("Resources", json::array());
  return resources.empty() ? "" : resources[0]["id"].get<std::string>();
}

void ScimWorld::HandPut(const Message& message) {
  const object::Object object = object::Encode(message);
  if (object.kind == Kind::kIamMembership) return PutMember(object.key, true);
  const json body = object.kind == Kind::kIamUser
                        ? UserJson(static_cast<const kinds::IamUser&>(message))
                        : GroupJson(static_cast<const kinds::IamGroup&>(message));
  const std::string id = IdOf(object.kind, object.key);
  if (id.empty()) {
    Call("POST", PathOf(object.kind), body);
  } else {
    Call("PUT", PathOf(object.kind) + "/" + id, body);
  }
}

void ScimWorld::HandDelete(Kind kind, const std::string& key) {
  if (kind == Kind::kIamMembership) return PutMember(key, false);
  Call("DELETE", PathOf(kind) + "/" + IdOf(kind, key));
}

void ScimWorld::PutMember(const std::string& key, bool in) const {
  const auto parts = object::SplitKey(key);
  const std::string group = IdOf(Kind::kIamGroup, std::string(parts[0].substr(6)));
  const std::string user = IdOf(Kind::kIamUser, std::string(parts[1].substr(5)));
  const json operation =
      in ? json{{"op", "add"}, {"path", "members"}, {"value", {{{"value", user}}}}}
         : json{{"op", "remove"}, {"path", fmt::format("members[value eq \"{}\"]", user)}};
  Call("PATCH", "/Groups/" + group, PatchOf(operation));
}

// A value that a terminal would show as another one.
uint32_t ScimWorld::MakeUnreadable(Kind kind, const std::string& key) {
  Call("PATCH", PathOf(kind) + "/" + IdOf(kind, key),
       PatchOf({{"op", "replace"}, {"path", "title"}, {"value", "a\u202Eb"}}));
  return kinds::IamUser::kTitleFieldNumber;
}

void ScimWorld::CutShort(Kind kind, int) {
  proxy_->Rule({{"fault", "truncated"}, {"path", PathOf(kind)}});
}

void ScimWorld::WriteRule(json rule) {
  struck_ = true;
  for (const char* method : {"POST", "PATCH"}) {
    rule["method"] = method;
    proxy_->Rule(rule);
  }
}

// After the write nobody answers any more, so that no read of the same call decides it.
void ScimWorld::LoseAnswers(int operations) {
  WriteRule({{"fault", "gone"}, {"skip", operations - 1}});
}

void ScimWorld::DieAfter(int operations) {
  WriteRule({{"fault", "kill"}, {"pid", pid_}, {"skip", operations - 1}, {"count", 1}});
}

void ScimWorld::Mend() {
  if (proxy_ == nullptr) return;
  proxy_->ClearRules();
  // What was on its way when the provider died reaches the server all the same.
  EXPECT_TRUE(support::Eventually(std::chrono::milliseconds(10'000), [&] {
    const json log = proxy_->Requests();
    return std::all_of(log.begin(), log.end(),
                       [](const json& line) { return line["seconds"].is_number(); });
  }));
}

}  // namespace postern::conformance
