#include "tests/live/iam/otds/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::iam {

Otds& Server() {
  static Otds server({.users = 40, .groups = 4, .synchronized = 4});
  return server;
}

namespace {

// Well below what a case asks on average: a comparison of fewer has left requests out.
constexpr size_t kRequestsOfACase = 25;

// After all of them, for the requests of all of them.
class Documented : public testing::Environment {
 public:
  void TearDown() override {
    const Otds::Comparison all = Server().CompareRequests();
    for (const std::string& text : all.undocumented) ADD_FAILURE() << text;
    const int cases = testing::UnitTest::GetInstance()->test_to_run_count();
    // One case alone may ask nothing.
    EXPECT_GE(all.compared, kRequestsOfACase * static_cast<size_t>(std::max(cases - 1, 0)));
  }
};
const auto* const kDocumented = testing::AddGlobalTestEnvironment(new Documented);

class Sink final : public object::ObjectSink {
 public:
  explicit Sink(Seen* seen) : seen_(*seen) {}
  bool Add(const object::ObjectView& view) override {
    object::Object object;
    object.kind = view.kind;
    object.key = view.key;
    object.body = view.body;
    object.id = view.id;
    object.unreadable = view.unreadable;
    EXPECT_TRUE(seen_.objects.emplace(object::ObjectKey{object.kind, object.key}, object).second)
        << view.key << " came twice";
    return true;
  }

 private:
  Seen& seen_;
};

class Outcomes final : public object::OutcomeSink {
 public:
  void Add(object::Outcome outcome) override { by_id.emplace(outcome.id, std::move(outcome)); }
  std::map<uint64_t, object::Outcome> by_id;
};

}  // namespace

const object::ScopeStatus& Seen::Scope(Kind kind) const {
  static const object::ScopeStatus kNone;
  for (const object::ScopeStatus& scope : scopes) {
    if (scope.kind == kind) return scope;
  }
  ADD_FAILURE() << "no status of " << object::NameOf(kind) << ": " << error.message;
  return kNone;
}

OtdsTest::OtdsTest() : secrets_{{"iam", Otds::kClientSecret}} {
  Server().Reset();
  declared_.set_name("corp");
  declared_.set_url(Server().url() + "/otdsws/rest");
  declared_.set_product("otds");
  declared_.mutable_auth()->set_client_id(Otds::kClient);
  declared_.mutable_auth()->set_client_secret("secret:iam");
  for (const char* partition : {"Corp", "Partners", "AD"}) {
    declared_.mutable_manage()->mutable_partitions()->add_values(partition);
  }
}

void OtdsTest::LogInAs(const std::string& login, const std::string& password) {
  declared_.clear_auth();
  declared_.mutable_auth()->set_login(login);
  declared_.mutable_auth()->set_password("secret:login");
  secrets_["login"] = password;
}

HttpLimits OtdsTest::Quick() {
  HttpLimits limits;
  limits.retry.first_delay = std::chrono::milliseconds(5);
  limits.total = std::chrono::milliseconds(20'000);
  return limits;
}

void OtdsTest::Open() {
  auto target = iam::Open(declared_, secrets_, Quick());
  ASSERT_TRUE(target) << target.error().message;
  target_ = std::move(*target);
}

object::Target& OtdsTest::target() {
  if (target_ == nullptr) Open();
  return *target_;
}

object::Check OtdsTest::CheckNamed(const std::string& name) {
  const auto probe = target().ProbeTarget();
  EXPECT_TRUE(probe) << probe.error().message;
  for (const object::Check& one : probe ? probe->checks : std::vector<object::Check>()) {
    if (one.name == name) return one;
  }
  ADD_FAILURE() << "no check " << name;
  return {};
}

Seen OtdsTest::See(const std::vector<Kind>& kinds) {
  Seen seen;
  Sink sink(&seen);
  auto scopes = target().Enumerate(kinds, sink);
  seen.ok = scopes.has_value();
  if (scopes) seen.scopes = std::move(*scopes);
  if (!scopes) seen.error = scopes.error();
  return seen;
}

object::ReadAnswer OtdsTest::Read(Kind kind, std::initializer_list<std::string_view> parts) {
  const object::ObjectKey keys[] = {{kind, object::MakeKey(kind, parts)}};
  auto answers = target().Read(keys);
  if (answers) return std::move(answers->front());
  object::ReadAnswer none;
  none.reason = answers.error().message;
  return none;
}

object::Operation OtdsTest::Operation(const google::protobuf::Message& after, bool removes) {
  const object::Object wanted = object::Encode(after);
  object::Operation operation;
  operation.id = ++last_operation_;
  operation.kind = wanted.kind;
  operation.key = wanted.key;
  const object::ObjectKey keys[] = {{wanted.kind, wanted.key}};
  const auto live = target().Read(keys);
  if (live && live->front().answer == Answer::kValue) {
    operation.before = live->front().object.body;
    operation.expect_id = live->front().object.id;
  }
  if (!removes) operation.after = wanted.body;
  return operation;
}

std::vector<object::Outcome> OtdsTest::Apply(const std::vector<object::Operation>& operations) {
  Outcomes sink;
  const object::OperationGroup groups[] = {{"", operations}};
  const auto done = target().Apply(groups, secrets_, sink);
  EXPECT_TRUE(done) << done.error().message;
  std::vector<object::Outcome> out;
  for (const object::Operation& operation : operations) {
    EXPECT_TRUE(sink.by_id.contains(operation.id)) << operation.key << " has no answer";
    out.push_back(sink.by_id[operation.id]);
  }
  return out;
}

object::Outcome OtdsTest::Put(const google::protobuf::Message& after, std::vector<uint32_t> clear) {
  object::Operation operation = Operation(after);
  operation.clear = std::move(clear);
  return Apply({operation}).front();
}

object::Outcome OtdsTest::Remove(const google::protobuf::Message& key) {
  return Apply({Operation(key, true)}).front();
}

object::Outcome OtdsTest::AddMember(const std::string& set, const std::string& member) {
  kinds::IamMembership edge;
  edge.set_set(set);
  edge.set_member(member);
  return Put(edge);
}

object::Outcome OtdsTest::RemoveMember(const std::string& set, const std::string& member) {
  kinds::IamMembership edge;
  edge.set_set(set);
  edge.set_member(member);
  object::Operation operation = Operation(edge, true);
  if (operation.before.empty()) operation.before = object::Encode(edge).body;
  return Apply({operation}).front();
}

std::vector<std::string> OtdsTest::Requests(const std::string& method) {
  std::vector<std::string> out;
  for (const json& request : Server().Requests()) {
    if (!method.empty() && request["method"] != method) continue;
    out.push_back(fmt::format("{} {}", request["method"].get<std::string>(),
                              request["path"].get<std::string>()));
  }
  return out;
}

std::vector<json> OtdsTest::Bodies(const std::string& method, const std::string& path) {
  std::vector<json> out;
  for (const json& request : Server().Requests()) {
    const auto at = request["path"].get<std::string>();
    if (request["method"] == method && at.find(path) != std::string::npos) {
      out.push_back(request["body"]);
    }
  }
  return out;
}

json OtdsTest::Ask(const std::string& method, const std::string& path, const json& body) {
  const std::string base = Server().url() + "/otdsws/rest";
  const json who = {{"userName", Otds::kAdmin}, {"password", Otds::kPassword}};
  const auto in = support::Ask({.method = "POST",
                                .url = base + "/authentication/credentials",
                                .headers = {"Content-Type: application/json"},
                                .body = who.dump()});
  const support::HttpAnswer answer =
      support::Ask({.method = method,
                    .url = base + path,
                    .headers = {"Content-Type: application/json",
                                "OTDSTicket: " + in.Json()["ticket"].get<std::string>()},
                    .body = body.is_null() ? "" : body.dump()});
  EXPECT_EQ(answer.status / 100, 2) << method << " " << path << ": " << answer.body;
  return answer.body.empty() ? json() : answer.Json();
}

void OtdsTest::MakeResource(const std::string& name) {
  Ask("POST", "/resources", {{"resourceName", name}, {"displayName", name}});
}

kinds::IamUser OtdsTest::User(const std::string& name, const std::string& title) {
  kinds::IamUser user;
  user.set_user_name(name);
  if (!title.empty()) user.set_title(title);
  return user;
}

}  // namespace postern::iam
