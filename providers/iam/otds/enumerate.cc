// Reading everything of the managed partitions, and what the whole system has besides: one answer
// for each kind on whether it is the whole truth.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/otds/target.h"

namespace postern::iam::otds {

using object::Kind;
using object::ObjectSink;
using object::ScopeStatus;

namespace {

constexpr std::string_view kUsers[] = {"users"}, kGroups[] = {"groups"}, kRoles[] = {"roles"},
                           kAccessRoles[] = {"accessRoles"};
constexpr size_t kSets = 32;   // read together, so many of their members lie in memory
constexpr size_t kPage = 250;  // OTDS's own default; facts, section 1.3

}  // namespace

class Enumeration {
 public:
  Enumeration(OtdsTarget& target, std::span<const Kind> kinds, ObjectSink& sink)
      : target_(target), sink_(sink) {
    for (const Kind kind : kKinds) {
      const bool wanted =
          kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
      if (wanted) statuses_.emplace(kind, ScopeStatus{.kind = kind});
    }
  }

  // Errors: kCancelled when the reader went away, and what ends everything: no proof accepted.
  Result<std::vector<ScopeStatus>> Run();

 private:
  using Step = Result<void> (Enumeration::*)();
  bool Wants(Kind kind) const { return statuses_.contains(kind); }
  void Carry(Step step, std::initializer_list<Kind> kinds);
  Result<void> Users();
  Result<void> Groups();
  Result<void> Roles();
  Result<void> AccessRoles();
  Result<void> Units(const std::map<std::string, std::string>& units);
  Result<void> Clients();
  Result<void> Policy();
  Result<void> WalkEntries(Kind kind, const std::string& partition,
                           const std::function<bool(Entry)>& take);
  Result<void> Sets(SetType type, const std::vector<Entry>& entries);
  bool Add(const object::Object& object);
  bool AddMembers(SetType type, const LiveSet& set);

  OtdsTarget& target_;
  ObjectSink& sink_;
  std::map<Kind, ScopeStatus> statuses_;
  bool gone_ = false;
  std::optional<Error> fatal_;
};

bool Enumeration::Add(const object::Object& object) {
  const auto status = statuses_.find(object.kind);
  if (gone_ || status == statuses_.end()) return !gone_;
  ++status->second.count;
  gone_ = !sink_.Add(object.view());
  return !gone_;
}

// One list of the system, and what it says of the kinds that come from it.
void Enumeration::Carry(Step step, std::initializer_list<Kind> kinds) {
  if (gone_ || fatal_ ||
      std::none_of(kinds.begin(), kinds.end(), [&](Kind k) { return Wants(k); })) {
    return;
  }
  for (const Kind kind : kinds) {
    if (Wants(kind) && statuses_[kind].at == 0) statuses_[kind].at = base::Now();
  }
  const auto done = (this->*step)();
  if (done) return;
  if (done.error().code == ErrorCode::kAuthentication) fatal_ = done.error();
  for (const Kind kind : kinds) {
    if (Wants(kind) && statuses_[kind].reason.empty())
      statuses_[kind].reason = done.error().message;
  }
}

Result<void> Enumeration::WalkEntries(Kind kind, const std::string& partition,
                                      const std::function<bool(Entry)>& take) {
  const auto& keys = kind == Kind::kIamUser ? kUsers : kind == Kind::kIamGroup ? kGroups : kRoles;
  std::string path = fmt::format("/{}?page_size={}", keys[0], kPage);
  if (kind == Kind::kIamUser) path += "&attrsAsKeys=true";
  if (!partition.empty()) path += "&where_partition_name=" + Encode(partition);
  Result<void> read;
  auto walked = target_.api().Walk(path, keys, [&](size_t, const Json& json) {
    auto entry = ReadEntry(json);
    if (!entry) {
      read = tl::unexpected(entry.error());
      return false;
    }
    // A filter of the server is no promise.
    if (!partition.empty() && !Same(entry->partition, partition)) return true;
    return take(std::move(*entry));
  });
  return read ? walked : read;
}

Result<void> Enumeration::Users() {
  for (const std::string& partition : target_.names().partitions()) {
    const bool synchronized = target_.OriginOf(partition) == Ground::Origin::kSynchronized;
    auto walked = WalkEntries(Kind::kIamUser, partition, [&](const Entry& entry) {
      return Add(UserObject(entry, synchronized));
    });
    if (!walked) return walked;
  }
  return {};
}

Result<void> Enumeration::Groups() {
  for (const std::string& partition : target_.names().partitions()) {
    std::vector<Entry> groups;
    auto walked = WalkEntries(Kind::kIamGroup, partition, [&](Entry entry) {
      const bool go_on = Add(GroupObject(entry));
      entry.attributes.clear();
      groups.push_back(std::move(entry));
      return go_on;
    });
    if (walked) walked = Sets(SetType::kGroup, groups);
    if (!walked) return walked;
  }
  return {};
}

// Roles of OAuthClients, where they are unless they say otherwise, and of the managed partitions.
Result<void> Enumeration::Roles() {
  std::vector<Entry> roles;
  auto walked = WalkEntries(Kind::kIamRole, "", [&](Entry entry) {
    const bool managed =
        Same(entry.partition, kClientPartition) ||
        target_.OriginOf(entry.partition) != Ground::Origin::kUnknown ||
        std::any_of(target_.names().partitions().begin(), target_.names().partitions().end(),
                    [&](const std::string& name) { return Same(name, entry.partition); });
    if (!managed) return true;
    const bool go_on = Add(RoleObject(entry));
    roles.push_back(std::move(entry));
    return go_on;
  });
  if (!walked) return walked;
  return Sets(SetType::kRole, roles);
}

Result<void> Enumeration::Sets(SetType type, const std::vector<Entry>& entries) {
  if (!Wants(Kind::kIamMembership)) return {};
  for (size_t from = 0; from < entries.size(); from += kSets) {
    std::vector<LiveSet> sets(std::min(kSets, entries.size() - from));
    for (size_t i = 0; i < sets.size(); ++i) {
      const Entry& entry = entries[from + i];
      sets[i].name =
          type == SetType::kRole ? Names::RoleName(entry.name, entry.partition) : entry.Full();
      sets[i].address = Encode(entry.Full());
    }
    target_.Complete(type, sets);
    for (const LiveSet& set : sets) {
      if (set.answer == object::Answer::kUnreadable) {
        return Fail(set.transient ? ErrorCode::kUnavailable : ErrorCode::kInvalid, set.reason);
      }
      if (set.answer == object::Answer::kAbsent) {
        statuses_[Kind::kIamMembership].unstable =
            fmt::format("{} went away while its members were read", set.name);
      }
      if (!AddMembers(type, set)) return Fail(ErrorCode::kCancelled, "the reader went away");
    }
  }
  return {};
}

bool Enumeration::AddMembers(SetType type, const LiveSet& set) {
  return std::all_of(set.members.begin(), set.members.end(), [&](const auto& member) {
    return Add(MembershipObject({type, set.name}, member.second.ref));
  });
}

// The list says which there are; each is read by itself, as the list may leave members out.
Result<void> Enumeration::AccessRoles() {
  std::vector<std::string> paths;
  auto walked = target_.api().Walk("/accessroles", kAccessRoles, [&](size_t, const Json& json) {
    paths.push_back(OtdsTarget::AccessRolePath(TextAt(json, "name")));
    return true;
  });
  if (!walked) return walked;
  std::map<std::string, std::string> units;  // by location
  for (const auto& document : target_.api().GetAll(paths)) {
    if (!document) return tl::unexpected(document.error());
    auto role = ReadAccessRole(*document);
    if (!role) return tl::unexpected(role.error());
    if (!Add(AccessRoleObject(*role))) break;
    if (!Wants(Kind::kIamMembership)) continue;
    LiveSet set;
    set.name = role->name;
    set.document = std::move(role->document);
    target_.Complete(SetType::kAccessRole, {&set, 1});
    if (set.answer != object::Answer::kValue) return Fail(ErrorCode::kInvalid, set.reason);
    if (!AddMembers(SetType::kAccessRole, set)) break;
    for (const auto& [key, member] : set.members) {
      if (member.ref.type == MemberType::kUnit) units[member.location] = member.ref.name;
    }
  }
  return Units(units);
}

// Who is in the organizational units that access roles let in: only seen, never written. Where a
// server doesn't say who is in one, the unit stands for itself, and the doctor says so.
Result<void> Enumeration::Units(const std::map<std::string, std::string>& units) {
  for (const auto& [location, name] : units) {
    if (location.empty()) continue;
    const auto walked = target_.api().Walk(
        OtdsTarget::UnitPath(location) + "/users", kUsers, [&](size_t, const Json& json) {
          const auto user = ReadEntry(json);
          if (!user) return true;
          return Add(MembershipObject({SetType::kUnit, name}, {MemberType::kUser, user->Full()}));
        });
    if (!walked && walked.error().retryable()) return walked;
  }
  return {};
}

// No list of OAuth clients is documented, but each is a user of OAuthClients: those are asked.
Result<void> Enumeration::Clients() {
  std::vector<std::string> paths;
  auto walked = WalkEntries(Kind::kIamUser, std::string(kClientPartition), [&](const Entry& entry) {
    paths.push_back(OtdsTarget::ClientPath(entry.name));
    return true;
  });
  if (!walked) return walked;
  for (const auto& document : target_.api().GetAll(paths)) {
    // A user there that is no client.
    if (!document && document.error().code == ErrorCode::kNotFound) continue;
    if (!document) return tl::unexpected(document.error());
    auto client = ClientObject(*document);
    if (!client) return tl::unexpected(client.error());
    if (!Add(*client)) break;
  }
  return {};
}

Result<void> Enumeration::Policy() {
  const auto document = target_.api().Get("/systemconfig/passwordpolicy");
  if (!document) return tl::unexpected(document.error());
  auto policy = PolicyObject(*document);
  if (!policy) return tl::unexpected(policy.error());
  Add(*policy);
  return {};
}

Result<std::vector<ScopeStatus>> Enumeration::Run() {
  Carry(&Enumeration::Users, {Kind::kIamUser});
  Carry(&Enumeration::Groups, {Kind::kIamGroup, Kind::kIamMembership});
  Carry(&Enumeration::Roles, {Kind::kIamRole, Kind::kIamMembership});
  Carry(&Enumeration::AccessRoles, {Kind::kIamAccessRole, Kind::kIamMembership});
  Carry(&Enumeration::Clients, {Kind::kOauthClient});
  Carry(&Enumeration::Policy, {Kind::kPasswordPolicy});
  if (fatal_) return tl::unexpected(*fatal_);
  if (gone_) return Fail(ErrorCode::kCancelled, "the reader went away");
  const Ground& ground = target_.ground();
  std::vector<ScopeStatus> out;
  for (auto& [kind, status] : statuses_) {
    // What an administrator sees is all there is; what another sees may be a part of it.
    status.sentinel_seen = ground.admin;
    for (const auto& [name, partition] : ground.partitions) {
      if (status.reason.empty() && kind <= Kind::kIamMembership) status.reason = partition.trouble;
    }
    if (status.reason.empty() && !ground.admin) {
      status.reason = fmt::format("{} is no administrator there: its lists may leave things out",
                                  ground.identity);
    }
    status.complete = status.reason.empty();
    out.push_back(std::move(status));
  }
  return out;
}

Result<std::vector<ScopeStatus>> OtdsTarget::Enumerate(std::span<const Kind> kinds,
                                                       ObjectSink& sink) {
  if (auto connected = Connect(); !connected) return tl::unexpected(connected.error());
  return Enumeration(*this, kinds, sink).Run();
}

}  // namespace postern::iam::otds
