// Everything that is there: users and groups by census, then the members of each group.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "core/diag/text.h"
#include "providers/iam/scim/target.h"

namespace postern::iam {

using object::Kind;
using object::Object;
using object::ScopeStatus;

// Resources of one type, as one census gave them.
class Collection final : public ResourceSink {
 public:
  Collection(Kind kind, const std::string& ssh_keys) : kind_(kind), ssh_keys_(ssh_keys) {}

  void Restart() override {
    objects.clear();
    names.Clear();
    unusable.clear();
    wrong_ = 0;
    first_wrong_.clear();
  }
  Result<void> Add(const Json& resource) override {
    // A name that can't be used is known all the same, so that it isn't looked for as a member.
    names.Put(TextAt(resource, "id"), NameIn(kind_, resource));
    auto object = ObjectOf(kind_, resource, ssh_keys_);
    if (!object) {
      Wrong(object.error().message);
      unusable.insert(TextAt(resource, "id"));
      return {};
    }
    objects.push_back(std::move(*object));
    return {};
  }
  Result<void> AddNameless(const Json& resource, const std::string& where) override {
    Wrong(fmt::format("{}: {} can't be used", where, Describe(kind_, resource)));
    return {};
  }
  void Wrong(const std::string& why) {
    if (wrong_++ == 0) first_wrong_ = why;
  }
  // Of two with one name neither is taken: which of them is meant can't be known.
  void DropDuplicates() {
    const auto is_double = [&](const Object& object) {
      return names.IdsOf(Names::KeyOf(*names.NameOf(object.id))).size() > 1;
    };
    std::set<std::string> told;
    for (const Object& object : objects) {
      const std::string& name = *names.NameOf(object.id);
      if (!is_double(object) || !told.insert(Names::KeyOf(name)).second) continue;
      Wrong(fmt::format("the {} \"{}\" is that of several: ids {}",
                        kind_ == Kind::kIamUser ? "userName" : "displayName", diag::Printable(name),
                        fmt::join(names.IdsOf(Names::KeyOf(name)), ", ")));
      for (const std::string& id : names.IdsOf(Names::KeyOf(name))) unusable.insert(id);
    }
    std::erase_if(objects, is_double);
  }
  // Why the scope isn't complete; empty: it is.
  std::string trouble() const {
    if (wrong_ < 2) return first_wrong_;
    return fmt::format("{}, and {} more like it", first_wrong_, wrong_ - 1);
  }

  std::vector<Object> objects;
  Names names;
  std::unordered_set<std::string> unusable;  // ids

 private:
  const Kind kind_;
  const std::string& ssh_keys_;
  size_t wrong_ = 0;
  std::string first_wrong_;
};

class Enumeration {
 public:
  Enumeration(ScimTarget& target, object::ObjectSink& sink) : target_(target), sink_(sink) {}

  // False: the core went away.
  bool Run(bool wants_users, bool wants_groups, bool wants_members);
  std::vector<ScopeStatus> statuses;

 private:
  ScopeStatus Walk(Kind kind, Collection* collection, const std::string& query);
  bool Emit(const Object& object) { return sink_.Add(object.view()); }
  void ReadMembers();
  void TakeMembers(const Object& group, const Snapshot& snapshot);
  void NameMembers(std::string_view group, const std::vector<Member>& members);
  void LookFor();
  bool LookForOne(const Member& member, Kind kind);
  bool EmitMember(std::string_view group, Kind kind, const std::string& name);
  void MembersTrouble(const std::string& why) {
    if (members_.reason.empty()) members_.reason = why;
  }

  ScimTarget& target_;
  object::ObjectSink& sink_;
  Collection users_{Kind::kIamUser, target_.ssh_keys()};
  Collection groups_{Kind::kIamGroup, target_.ssh_keys()};
  ScopeStatus user_status_, group_status_, members_{.kind = Kind::kIamMembership};
  // Members whose ids no census knows, with the groups they are in.
  std::map<std::string, std::pair<Member, std::vector<std::string>>> doubtful_;
  bool gone_ = false;
};

ScopeStatus Enumeration::Walk(Kind kind, Collection* collection, const std::string& query) {
  ScopeStatus status{.kind = kind};
  const auto census =
      WalkAll(target_.session(), target_.PathOf(kind), target_.PagingOf(query), *collection);
  if (!census) {
    status.reason = census.error().message;
    collection->Restart();
    return status;
  }
  collection->DropDuplicates();
  status.at = census->at;
  status.count = collection->objects.size();
  // The whole listing came to its own end, and its total was there to compare with.
  status.sentinel_seen = true;
  if (!census->stable) status.unstable = census->unstable;
  status.reason = collection->trouble();
  status.complete = status.reason.empty();
  target_.names(kind) = collection->names;
  if (census->stable) target_.known_[kind] = {census->at, census->count};
  return status;
}

bool Enumeration::EmitMember(std::string_view group, Kind kind, const std::string& name) {
  if (!Emit(MembershipOf(group, kind, name))) {
    gone_ = true;
    return false;
  }
  ++members_.count;
  return true;
}

void Enumeration::NameMembers(std::string_view group, const std::vector<Member>& members) {
  for (const Member& member : members) {
    const std::string* name = users_.names.NameOf(member.id);
    Kind kind = Kind::kIamUser;
    if (name == nullptr) {
      name = groups_.names.NameOf(member.id);
      kind = Kind::kIamGroup;
    }
    if (name == nullptr) {
      auto& [doubt, in] = doubtful_[member.id];
      doubt = member;
      in.emplace_back(group);
      continue;
    }
    const auto& unusable = kind == Kind::kIamUser ? users_.unusable : groups_.unusable;
    if (unusable.contains(member.id)) {
      MembersTrouble(fmt::format("a member of group \"{}\" can't be named: {}",
                                 diag::Printable(group), member.id));
    } else if (!EmitMember(group, kind, *name)) {
      return;
    }
  }
}

void Enumeration::TakeMembers(const Object& group, const Snapshot& snapshot) {
  const std::string name = *groups_.names.NameOf(group.id);
  if (snapshot.state == Snapshot::State::kAbsent) {
    members_.unstable = fmt::format("group \"{}\" went away meanwhile", name);
    return;
  }
  if (snapshot.state == Snapshot::State::kUnreadable) return MembersTrouble(snapshot.reason);
  if (Names::KeyOf(NameIn(Kind::kIamGroup, snapshot.document)) != Names::KeyOf(name)) {
    members_.unstable = fmt::format("group \"{}\" got another name meanwhile", name);
    return;
  }
  if (!snapshot.members->trouble.empty()) return MembersTrouble(snapshot.members->trouble);
  NameMembers(name, snapshot.members->all);
}

// Groups by the window, so that their members don't all lie in memory.
void Enumeration::ReadMembers() {
  constexpr size_t kWindow = 32;
  const auto& groups = groups_.objects;
  for (size_t first = 0; first < groups.size() && !gone_; first += kWindow) {
    const size_t count = std::min(kWindow, groups.size() - first);
    std::vector<std::string> ids;
    for (size_t i = 0; i < count; ++i) ids.push_back(groups[first + i].id);
    const auto snapshots = target_.ReadIds(Kind::kIamGroup, ids);
    for (size_t i = 0; i < count && !gone_; ++i) TakeMembers(groups[first + i], snapshots[i]);
  }
}

// True: the member is a resource of this kind, or can't be read.
bool Enumeration::LookForOne(const Member& member, Kind kind) {
  const std::string ids[] = {member.id};
  const Snapshot found = target_.ReadIds(kind, ids).front();
  if (found.state == Snapshot::State::kAbsent) return false;
  const auto& in = doubtful_[member.id].second;
  auto object = found.state == Snapshot::State::kFound
                    ? ObjectOf(kind, found.document, target_.ssh_keys())
                    : Fail(ErrorCode::kUnavailable, found.reason);
  if (!object) {
    MembersTrouble(fmt::format("a member of group \"{}\" can't be named: {}",
                               diag::Printable(in.front()), object.error().message));
    return true;
  }
  const std::string name = NameIn(kind, found.document);
  target_.names(kind).Put(member.id, name);
  // It lives, and the census lacks it.
  ScopeStatus& status = kind == Kind::kIamUser ? user_status_ : group_status_;
  status.unstable =
      fmt::format("{} is there, and the listing didn't give it", Describe(kind, found.document));
  for (const std::string& group : in) {
    if (!EmitMember(group, kind, name)) break;
  }
  return true;
}

// A member that is no user and no group (404 for both) is nobody: it opens nothing.
void Enumeration::LookFor() {
  for (const auto& [id, doubt] : doubtful_) {
    if (gone_) return;
    const Kind first = doubt.first.is_group ? Kind::kIamGroup : Kind::kIamUser;
    const Kind second = doubt.first.is_group ? Kind::kIamUser : Kind::kIamGroup;
    if (!LookForOne(doubt.first, first) && !gone_) LookForOne(doubt.first, second);
  }
}

bool Enumeration::Run(bool wants_users, bool wants_groups, bool wants_members) {
  if (wants_users || wants_members) user_status_ = Walk(Kind::kIamUser, &users_, "");
  if (wants_groups || wants_members) {
    group_status_ = Walk(Kind::kIamGroup, &groups_, ScimTarget::kWithoutMembers);
  }
  for (const auto& [wanted, collection] :
       {std::pair(wants_users, &users_), {wants_groups, &groups_}}) {
    if (!wanted) continue;
    for (const Object& object : collection->objects) {
      if (!Emit(object)) return false;
    }
  }
  if (wants_members) {
    members_.at = std::min(user_status_.at, group_status_.at);
    // Without the names of all, members can't be told apart from strangers.
    for (const ScopeStatus* of : {&user_status_, &group_status_}) {
      if (of->at == 0 && members_.reason.empty()) members_.reason = of->reason;
    }
    if (members_.reason.empty()) {
      ReadMembers();
      LookFor();
      if (!group_status_.reason.empty()) MembersTrouble(group_status_.reason);
    }
    if (gone_) return false;
    members_.complete = members_.reason.empty();
    members_.sentinel_seen = group_status_.sentinel_seen;
    for (const ScopeStatus* of : {&user_status_, &group_status_}) {
      if (members_.unstable.empty()) members_.unstable = of->unstable;
    }
  }
  if (wants_users) statuses.push_back(std::move(user_status_));
  if (wants_groups) statuses.push_back(std::move(group_status_));
  if (wants_members) statuses.push_back(std::move(members_));
  return true;
}

Paging ScimTarget::PagingOf(std::string query) const {
  Paging paging;
  paging.page = dialect().Number(Trait::kPage);
  paging.cursor = dialect().Is(Trait::kPaging, "cursor");
  paging.query = std::move(query);
  return paging;
}

Result<std::vector<ScopeStatus>> ScimTarget::Enumerate(std::span<const Kind> kinds,
                                                       object::ObjectSink& sink) {
  if (auto ready = Discover(); !ready) return tl::unexpected(ready.error());
  const auto wants = [&](Kind kind) {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  missing_.clear();
  Enumeration enumeration(*this, sink);
  if (!enumeration.Run(wants(Kind::kIamUser), wants(Kind::kIamGroup),
                       wants(Kind::kIamMembership))) {
    return Fail(ErrorCode::kCancelled, "the reader went away");
  }
  return std::move(enumeration.statuses);
}

}  // namespace postern::iam
