// providers/iam/scim/target.h: the Target of one SCIM server; its calls stand in enumerate.cc,
// read.cc, apply.cc and probe.cc.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "providers/iam/scim/census.h"
#include "providers/iam/scim/names.h"
#include "providers/iam/scim/resource.h"
#include "providers/iam/scim/settings.h"

namespace postern::iam {

// The members of one group.
struct MemberList {
  std::vector<Member> all;
  std::unordered_set<std::string> ids;
  std::string trouble;  // why they can't be read; empty: they are
};

// One resource as a request by id showed it, or why none did.
struct Snapshot {
  enum class State { kFound, kAbsent, kUnreadable } state = State::kUnreadable;
  std::string reason;  // when unreadable
  bool lost = false;   // unreadable because the server didn't answer
  std::string id;
  std::string etag;  // of a version that can be believed; empty: none
  Json document;
  std::shared_ptr<const MemberList> members;  // of a group that was found
};
// By kind (a user or a group) and key.
using Snapshots = std::map<object::ObjectKey, Snapshot>;

class ScimTarget final : public object::Target {
 public:
  ScimTarget(ScimSettings settings, const HttpLimits& limits)
      : settings_(std::move(settings)),
        client_(settings_.endpoint.ca, limits),
        session_(client_, settings_.endpoint.base, std::move(settings_.credentials.authority)) {}

  Result<object::Probe> ProbeTarget() override;
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     object::ObjectSink& sink) override;
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override;
  // Users and groups by id: one request each.
  Result<std::vector<object::ReadAnswer>> ReadKnown(
      std::span<const object::KnownKey> known) override;
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override;

  // ---- shared by the calls ----
  // /ServiceProviderConfig and /ResourceTypes, once. Errors: the server isn't there, or doesn't
  // accept us; one that has no such pages is none.
  Result<void> Discover();
  // What a filter and a version are worth, found out at the first resource there is, once: at most
  // six reads. Nothing is written for it.
  void Examine();
  // Whether a filter that finds nothing proves that nothing is there. May examine.
  bool BelievesFilters();
  // Where a resource of the kind is: "/Users", "/Users/42".
  std::string PathOf(object::Kind kind) const { return dialect().types().PathOf(kind); }
  std::string PathOf(object::Kind kind, const std::string& id) const {
    return dialect().types().PathOf(kind, id);
  }
  static HttpRequest Get(std::string url) {
    return {
        Method::kGet, std::move(url), {{"Accept", "application/scim+json, application/json"}}, ""};
  }
  Paging PagingOf(std::string query) const;
  // The listing of groups without their members.
  static constexpr const char* kWithoutMembers = "excludedAttributes=members";
  // What the GET of a resource adds, so that a group's members come.
  std::string MembersQuery() const;

  // Reads resources by id; 404 is absent.
  std::vector<Snapshot> ReadIds(object::Kind kind, std::span<const std::string> ids);
  object::ReadAnswer AnswerOf(const object::ObjectKey& key, const Snapshots& snapshots);
  // The users and groups that the answer about `key` is made of.
  static std::vector<object::ObjectKey> PartsOf(const object::ObjectKey& key);

  Session& session() { return session_; }
  const Dialect& dialect() const { return settings_.dialect; }
  const std::string& ssh_keys() const { return settings_.ssh_keys; }
  Names& names(object::Kind kind) { return kind == object::Kind::kIamUser ? users_ : groups_; }

 private:
  friend class Enumeration;
  friend class Locator;
  // The last stable census of a kind.
  struct Known {
    base::Instant at = 0;
    uint64_t count = 0;
  };
  Snapshot Judge(object::Kind kind, const std::string& id, const HttpResult& result);
  std::map<size_t, object::ReadAnswer> ReadByIds(object::Kind kind,
                                                 std::span<const object::KnownKey> known);
  // Why a 404 for one of `asked` says nothing; empty: it can be believed.
  std::string WhyNoAbsence(object::Kind kind, const std::vector<std::string>& asked);
  void TakeKnown(const object::ObjectKey& key, Snapshot* snapshot);
  Result<void> DiscoverTypes();
  void ExamineFilter(const Json& sample);
  void ExamineVersions(const Json& sample);

  ScimSettings settings_;
  HttpClient client_;
  Session session_;
  bool discovered_ = false, examined_ = false;
  bool folds_case_ = false;  // a filter on a name finds other spellings
  std::string config_trouble_, types_trouble_;
  std::optional<int64_t> skew_ms_;  // of the server's clock
  Json config_;
  Names users_, groups_;
  std::map<object::Kind, Known> known_;
  // Of whom the last listing lacked and who were asked for by id since: who isn't there under that
  // name, so that what they are in needs no second question.
  Snapshots missing_;
};

// The ETag of a whole resource, where it is a version of it; empty: it has none.
std::string VersionIn(const HttpAnswer& answer, const Json& resource);
// What an error answer says, for people: "status 400, invalidValue, ...".
std::string SaidIn(const HttpAnswer& answer);

}  // namespace postern::iam
