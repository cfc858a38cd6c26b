// Single objects and single sets as they are live.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/otds/target.h"

namespace postern::iam::otds {

using object::Answer;
using object::Kind;
using object::ObjectKey;

namespace {

constexpr std::string_view kMemberLists[] = {"users", "groups"};

std::string_view ListOf(Kind kind) {
  return kind == Kind::kIamGroup ? "groups" : kind == Kind::kIamRole ? "roles" : "users";
}

bool IsEntry(Kind kind) {
  return kind == Kind::kIamUser || kind == Kind::kIamGroup || kind == Kind::kIamRole;
}

object::Object ObjectOf(Kind kind, const Entry& entry, bool synchronized) {
  if (kind == Kind::kIamUser) return UserObject(entry, synchronized);
  return kind == Kind::kIamGroup ? GroupObject(entry) : RoleObject(entry);
}

// The longest part of a name without blanks: keys don't tell how many blanks stand together.
std::string FilterFor(std::string_view name) {
  std::string_view best;
  while (!name.empty()) {
    const size_t end = std::min(name.find(' '), name.size());
    if (end > best.size()) best = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return std::string(best);
}

std::string MembersPath(SetType type, const LiveSet& set) {
  return (type == SetType::kGroup ? "/groups/" : "/roles/") + set.address + "/members";
}

void SetTrouble(const Error& error, std::string* reason, bool* transient) {
  *reason = error.message;
  *transient = error.retryable();
}

}  // namespace

std::string OtdsTarget::PathOf(Kind kind, const std::string& name) const {
  switch (kind) {
    case Kind::kIamUser:
      return UserPath(names_.Split(name).Full()) + "?attrsAsKeys=true";
    case Kind::kIamGroup:
      return GroupPath(names_.Split(name).Full());
    case Kind::kIamRole:
      return RolePath(names_.SplitRole(name).Full());
    case Kind::kIamAccessRole:
      return AccessRolePath(name);
    case Kind::kOauthClient:
      return ClientPath(name);
    default:
      return "/systemconfig/passwordpolicy";
  }
}

// Fills `live`, whose kind and key are those asked for, from what answered.
void OtdsTarget::Take(const Json& document, Live* live) {
  const ObjectKey asked{live->object.kind, live->object.key};
  Result<object::Object> object = Fail(ErrorCode::kInternal, "");
  if (IsEntry(asked.kind)) {
    auto entry = ReadEntry(document);
    if (entry) {
      live->name = asked.kind == Kind::kIamRole ? Names::RoleName(entry->name, entry->partition)
                                                : entry->Full();
      object =
          ObjectOf(asked.kind, *entry, OriginOf(entry->partition) == Ground::Origin::kSynchronized);
      live->entry = std::move(*entry);
    } else {
      object = tl::unexpected(entry.error());
    }
  } else if (asked.kind == Kind::kIamAccessRole) {
    auto role = ReadAccessRole(document);
    object = role ? Result<object::Object>(AccessRoleObject(*role)) : tl::unexpected(role.error());
    if (role) {
      live->name = role->name;
      live->document = std::move(role->document);
    }
  } else {
    object = asked.kind == Kind::kOauthClient ? ClientObject(document) : PolicyObject(document);
  }
  if (!object) {
    live->reason = object.error().message;
    return;
  }
  // A bare name that another partition has as well would be answered by whichever it likes.
  const std::string full = IsEntry(asked.kind) && asked.kind != Kind::kIamRole
                               ? names_.Split(asked.key).Full()
                               : asked.key;
  if (!Same(full, object->key)) {
    live->reason = fmt::format("asked for {}, the server answers {}", full, object->key);
    return;
  }
  live->answer = Answer::kValue;
  object->key = asked.key;
  live->object = std::move(*object);
}

// Where 404 doesn't prove that something isn't there (not on every server, and not of a name that
// only a key tells): by its list, filtered again, because the server's filter finds parts of names.
void OtdsTarget::LookFor(Live* live) {
  const Kind kind = live->object.kind;
  const bool access_role = kind == Kind::kIamAccessRole;
  Name name =
      kind == Kind::kIamRole ? names_.SplitRole(live->object.key) : names_.Split(live->object.key);
  if (kind == Kind::kOauthClient) name = {live->object.key, std::string(kClientPartition)};
  const std::string_view keys[] = {access_role ? "accessRoles" : ListOf(kind)};
  std::string path = "/accessroles";
  if (!access_role) {
    path = fmt::format("/{}?where_partition_name={}&where_filter={}&attrsAsKeys=true", ListOf(kind),
                       Encode(name.partition), Encode(FilterFor(name.login)));
  }
  const auto walked = api_->Walk(path, keys, [&](size_t, const Json& json) {
    if (access_role) {
      if (Same(TextAt(json, "name"), live->object.key)) live->address = TextAt(json, "name");
      return true;
    }
    auto entry = ReadEntry(json);
    if (entry && Same(entry->name, name.login) && Same(entry->partition, name.partition)) {
      const bool client = kind == Kind::kOauthClient;
      live->address = client ? entry->name : entry->id.empty() ? entry->Full() : entry->id;
      if (!client) Take(json, live);
    }
    return true;
  });
  if (!walked) return SetTrouble(walked.error(), &live->reason, &live->transient);
  if (live->address.empty()) {
    live->answer = Answer::kAbsent;
  } else if (access_role || kind == Kind::kOauthClient) {
    const auto document =
        api_->Get(access_role ? AccessRolePath(live->address) : ClientPath(live->address));
    if (document) {
      Take(*document, live);
    } else if (kind == Kind::kOauthClient && document.error().code == ErrorCode::kNotFound) {
      live->answer = Answer::kAbsent;  // a user there that is no client
    } else {
      SetTrouble(document.error(), &live->reason, &live->transient);
    }
  }
}

std::vector<Live> OtdsTarget::ReadObjects(std::span<const ObjectKey> keys,
                                          std::span<const std::string> spelled) {
  std::vector<std::string> paths;
  const auto is_spelled = [&](size_t i) { return i < spelled.size() && !spelled[i].empty(); };
  for (size_t i = 0; i < keys.size(); ++i) {
    paths.push_back(PathOf(keys[i].kind, is_spelled(i) ? spelled[i] : keys[i].key));
  }
  const auto documents = api_->GetAll(paths);
  std::vector<Live> out(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    Live& live = out[i];
    live.object.kind = keys[i].kind;
    live.object.key = keys[i].key;
    if (documents[i]) {
      const std::string_view path = std::string_view(paths[i]).substr(0, paths[i].find('?'));
      live.address = path.substr(path.rfind('/') + 1);
      Take(*documents[i], &live);
      continue;
    }
    const Error& error = documents[i].error();
    SetTrouble(error, &live.reason, &live.transient);
    const bool proves = guesses_.state(Guess::kMissing) == Guesses::State::kConfirmed;
    if (error.code == ErrorCode::kNotFound && proves && is_spelled(i)) {
      live.answer = Answer::kAbsent;
    } else if (error.code == ErrorCode::kNotFound || (!proves && !SaysNothing(error))) {
      if (keys[i].kind != Kind::kPasswordPolicy) LookFor(&live);
    }
    live.address = Encode(live.address);
  }
  return out;
}

Result<void> OtdsTarget::Resolve(std::vector<MemberEntry>* members) {
  for (MemberEntry& member : *members) {
    if (!member.ref.name.empty()) continue;
    if (member.location.empty()) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("a member \"{}\" has neither partition nor location", member.id));
    }
    const auto document =
        api_->Get(member.ref.type == MemberType::kGroup ? GroupPath(member.location)
                                                        : UserPath(member.location));
    if (!document) return tl::unexpected(document.error());
    auto entry = ReadEntry(*document);
    if (!entry) return tl::unexpected(entry.error());
    member.ref.name = entry->Full();
    member.id = entry->id;
  }
  return {};
}

Result<void> OtdsTarget::TakeAccess(LiveSet* out) {
  auto role = ReadAccessRole(out->document);
  if (!role) return tl::unexpected(role.error());
  if (auto resolved = Resolve(&role->members); !resolved) return resolved;
  for (MemberEntry& member : role->members) {
    std::string key = member.key();
    out->members.emplace(std::move(key), std::move(member));
  }
  return {};
}

// `page`: the first of the list.
Result<void> OtdsTarget::TakeListed(SetType type, Result<Json> page, LiveSet* out) {
  Result<void> read;
  const auto walked = api_->WalkOn(
      MembersPath(type, *out), std::move(page), kMemberLists, [&](size_t list, const Json& json) {
        auto entry = ReadEntry(json);
        if (!entry) {
          read = tl::unexpected(entry.error());
          return false;
        }
        MemberEntry member{{list == 0 ? MemberType::kUser : MemberType::kGroup, entry->Full()},
                           entry->id.empty() ? entry->Full() : entry->id,
                           entry->location};
        std::string key = member.key();
        out->members.emplace(std::move(key), std::move(member));
        return true;
      });
  return read ? walked : read;
}

// Roles that stand in the role: whoever has one of them has it. Where a server has no such call,
// there are none that we could see; the doctor says so.
Result<void> OtdsTarget::TakeRoles(const Result<Json>& answer, LiveSet* out) {
  if (!answer) {
    if (answer.error().retryable()) return tl::unexpected(answer.error());
    return {};
  }
  const auto roles = answer->find("roles");
  if (roles == answer->end() || !roles->is_array()) return {};
  for (const Json& json : *roles) {
    auto entry = ReadEntry(json);
    if (!entry) return tl::unexpected(entry.error());
    MemberEntry member{{MemberType::kRole, Names::RoleName(entry->name, entry->partition)},
                       entry->Full(),
                       entry->location};
    std::string key = member.key();
    out->members.emplace(std::move(key), std::move(member));
  }
  return {};
}

void OtdsTarget::Complete(SetType type, std::span<LiveSet> sets) {
  std::vector<std::string> paths;
  if (type != SetType::kAccessRole) {
    for (const LiveSet& set : sets) paths.push_back(MembersPath(type, set));
  }
  if (type == SetType::kRole) {
    for (const LiveSet& set : sets) paths.push_back("/roles/" + set.address + "/roles");
  }
  auto pages = api_->GetAll(paths);
  for (size_t i = 0; i < sets.size(); ++i) {
    LiveSet& set = sets[i];
    auto taken = type == SetType::kAccessRole ? TakeAccess(&set)
                                              : TakeListed(type, std::move(pages[i]), &set);
    if (taken && type == SetType::kRole) taken = TakeRoles(pages[sets.size() + i], &set);
    if (taken) {
      set.answer = Answer::kValue;
    } else if (taken.error().code == ErrorCode::kNotFound) {
      set.answer = Answer::kAbsent;  // it was there a moment ago
    } else {
      SetTrouble(taken.error(), &set.reason, &set.transient);
    }
  }
}

LiveSet OtdsTarget::ReadSet(const SetRef& set, bool is_spelled) {
  constexpr Kind kOf[] = {Kind::kIamGroup, Kind::kIamRole, Kind::kIamAccessRole};
  const ObjectKey keys[] = {{kOf[static_cast<size_t>(set.type)], Folded(set.name)}};
  const std::string spelled[] = {is_spelled ? set.name : ""};
  Live live = ReadObjects(keys, spelled).front();
  LiveSet out;
  out.name = set.name;
  out.answer = live.answer;
  out.reason = live.reason;
  out.transient = live.transient;
  out.address = live.address;
  if (live.answer != Answer::kValue) return out;
  out.answer = Answer::kUnreadable;
  out.document = std::move(live.document);
  if (live.entry) {
    out.location = live.entry->location;
    out.partition = live.entry->partition;
  }
  out.name = live.name;
  Complete(set.type, {&out, 1});
  return out;
}

Result<std::vector<object::ReadAnswer>> OtdsTarget::Read(std::span<const ObjectKey> keys) {
  if (auto connected = Connect(); !connected) return tl::unexpected(connected.error());
  std::vector<object::ReadAnswer> answers(keys.size());
  std::vector<ObjectKey> objects;
  std::vector<size_t> at;
  std::map<std::string, LiveSet> sets;
  for (size_t i = 0; i < keys.size(); ++i) {
    answers[i].object.kind = keys[i].kind;
    answers[i].object.key = keys[i].key;
    if (keys[i].kind != Kind::kIamMembership) {
      objects.push_back(keys[i]);
      at.push_back(i);
      continue;
    }
    answers[i] = ReadMembership(keys[i], &sets);
  }
  std::vector<Live> live = ReadObjects(objects);
  for (size_t i = 0; i < live.size(); ++i) {
    answers[at[i]] = {live[i].answer, std::move(live[i].object), std::move(live[i].reason)};
    if (answers[at[i]].answer != Answer::kUnreadable) answers[at[i]].reason.clear();
  }
  return answers;
}

object::ReadAnswer OtdsTarget::ReadMembership(const ObjectKey& key,
                                              std::map<std::string, LiveSet>* sets) {
  object::ReadAnswer answer;
  answer.object.kind = key.kind;
  answer.object.key = key.key;
  const auto parts = object::SplitKey(key.key);
  const auto set = parts.size() == 2 ? ParseSet(parts[0]) : std::nullopt;
  if (!set) {
    answer.reason = "no set of OTDS is called that";
    return answer;
  }
  const std::string name(parts[0]);
  if (!sets->contains(name)) sets->emplace(name, ReadSet(*set, false));
  return MembershipIn(sets->at(name), *set, key);
}

// By the key as it is, or as what it stands for: a name without a partition lives in the first.
std::map<std::string, MemberEntry>::const_iterator OtdsTarget::FindMember(
    const LiveSet& live, std::string_view member) const {
  const auto at = live.members.find(Folded(member));
  auto ref = ParseMember(member);
  const bool has_partition =
      ref && (ref->type == MemberType::kUser || ref->type == MemberType::kGroup);
  if (at != live.members.end() || !has_partition) return at;
  ref->name = names_.Split(ref->name).Full();
  return live.members.find(Folded(TextOf(*ref)));
}

object::ReadAnswer OtdsTarget::MembershipIn(const LiveSet& live, const SetRef& set,
                                            const ObjectKey& key) const {
  object::ReadAnswer answer;
  answer.object.kind = key.kind;
  answer.object.key = key.key;
  answer.answer = live.answer == Answer::kUnreadable ? Answer::kUnreadable : Answer::kAbsent;
  answer.reason = live.answer == Answer::kUnreadable ? live.reason : "";
  const auto member = FindMember(live, object::SplitKey(key.key).back());
  if (live.answer != Answer::kValue || member == live.members.end()) return answer;
  answer.answer = Answer::kValue;
  answer.object = MembershipObject({set.type, live.name}, member->second.ref);
  answer.object.key = key.key;
  return answer;
}

}  // namespace postern::iam::otds
