// providers/iam/otds/target.h: the Target of one OTDS; its calls stand in connect.cc,
// profiles.cc, enumerate.cc, read.cc, apply.cc and probe.cc.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "providers/iam/otds/api.h"
#include "providers/iam/otds/guesses.h"
#include "providers/iam/otds/names.h"
#include "providers/iam/otds/objects.h"
#include "providers/iam/otds/otds.h"

namespace postern::iam::otds {

// What was asked once, when we connected.
struct Ground {
  std::string identity;  // who we are there
  std::string login;     // how that is proven, for people
  bool admin = false;
  enum class Origin : uint8_t { kOwn, kSynchronized, kUnknown };
  struct Partition {
    Origin origin = Origin::kUnknown;
    std::string location, trouble;  // trouble: it can't be read
  };
  std::map<std::string, Partition> partitions;  // by folded name
  bool no_profiles = false;                     // that none is synchronized stands on an empty list
};

// One object as it is live. `address` is the part of a path under which it answered.
struct Live {
  object::Answer answer = object::Answer::kUnreadable;
  object::Object object;
  std::string reason;          // with unreadable
  bool transient = false;      // unreadable for now
  std::string address;         // encoded
  std::string name;            // as the server spells it; of what may be a set
  std::optional<Entry> entry;  // of a user, group or role
  Json document;               // of an access role
};

// The members of one group, role or access role.
struct LiveSet {
  object::Answer answer = object::Answer::kUnreadable;
  std::string reason;
  bool transient = false;
  std::string name;  // as the server spells it
  std::string address, location;
  std::string partition;                       // empty: of the whole system
  std::map<std::string, MemberEntry> members;  // by folded member
  Json document;                               // of an access role
};

class OtdsTarget final : public object::Target {
 public:
  // `token_url`: where a client's secret is tried.
  OtdsTarget(Names names, std::unique_ptr<Api> api, std::string token_url)
      : names_(std::move(names)), api_(std::move(api)), token_url_(std::move(token_url)) {}

  Result<object::Probe> ProbeTarget() override;
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     object::ObjectSink& sink) override;
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override;
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override;

  // ---- shared by the calls ----
  // Proves who we are, and finds out what the rest stands on; once, and again after a failure.
  Result<void> Connect();
  // Never fails: what can't be read says so. In the order asked. `spelled`: the names as bodies
  // have them, where they are known; keys alone don't tell case and runs of blanks.
  std::vector<Live> ReadObjects(std::span<const object::ObjectKey> keys,
                                std::span<const std::string> spelled = {});
  // `is_spelled`: the set's name is as a body has it.
  LiveSet ReadSet(const SetRef& set, bool is_spelled);
  // Reads the members of sets whose names, addresses and so on are known, a few at a time.
  void Complete(SetType type, std::span<LiveSet> sets);
  std::map<std::string, MemberEntry>::const_iterator FindMember(const LiveSet& live,
                                                                std::string_view member) const;
  // What the membership `key` is, by its set.
  object::ReadAnswer MembershipIn(const LiveSet& live, const SetRef& set,
                                  const object::ObjectKey& key) const;

  // Whether a token is given to this client with this secret. One request.
  bool SecretWorks(const std::string& client, const std::string& secret);

  Ground::Origin OriginOf(std::string_view partition) const;
  // Why nothing may be written there; empty: it may.
  std::string WhyNotWritten(std::string_view partition) const;
  const Names& names() const { return names_; }
  const Ground& ground() const { return ground_; }
  Guesses& guesses() { return guesses_; }
  Api& api() { return *api_; }

  static std::string UserPath(std::string_view id) { return "/users/" + Encode(id); }
  static std::string GroupPath(std::string_view id) { return "/groups/" + Encode(id); }
  static std::string RolePath(std::string_view id) { return "/roles/" + Encode(id); }
  static std::string AccessRolePath(std::string_view id) { return "/accessroles/" + Encode(id); }
  static std::string UnitPath(std::string_view dn) { return "/orgunits/" + Encode(dn); }
  static std::string ClientPath(std::string_view id) { return "/oauthclients/" + Encode(id); }

  // Names the members that an access role has by DN alone, or by a name without a partition.
  Result<void> Resolve(std::vector<MemberEntry>* members);

 private:
  static bool SaysNothing(const Error& error);
  Result<void> ReadPartitions();
  Result<void> ReadProfiles();
  Result<std::optional<std::vector<Json>>> ListProfiles();
  std::set<std::string> PartitionsAmong(const std::set<std::string>& names);
  Result<void> AskUsersForOrigins();
  void SetOrigins(const std::set<std::string>& synchronized);
  // The list of profiles isn't believed.
  void Doubt(const std::string& why);
  Result<void> ReadMissing();
  std::string PathOf(object::Kind kind, const std::string& name) const;
  void Take(const Json& document, Live* live);
  void LookFor(Live* live);
  Result<void> TakeListed(SetType type, Result<Json> page, LiveSet* out);
  Result<void> TakeAccess(LiveSet* out);
  static Result<void> TakeRoles(const Result<Json>& answer, LiveSet* out);
  object::ReadAnswer ReadMembership(const object::ObjectKey& key,
                                    std::map<std::string, LiveSet>* sets);

  Names names_;
  std::unique_ptr<Api> api_;
  std::string token_url_;
  Guesses guesses_;
  Ground ground_;
  bool connected_ = false;
};

inline constexpr object::Kind kKinds[] = {object::Kind::kIamUser,       object::Kind::kIamGroup,
                                          object::Kind::kIamMembership, object::Kind::kIamRole,
                                          object::Kind::kIamAccessRole, object::Kind::kOauthClient,
                                          object::Kind::kPasswordPolicy};

}  // namespace postern::iam::otds
