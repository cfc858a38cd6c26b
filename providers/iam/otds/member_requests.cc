// Requests that change who is in a group, an application role or an access role.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/otds/apply_run.h"

namespace postern::iam::otds {

using object::Kind;
using object::ObjectKey;

namespace {

constexpr const char* kLists[] = {"users", "groups", "", "userPartitions", "organizationalUnits"};

}  // namespace

// A DN as the server gives it; OTDS wants it of whom it gives a role.
Result<std::string> ApplyRun::LocationOf(const MemberRef& member) {
  const std::string key = Folded(TextOf(member));
  if (const auto known = locations_.find(key); known != locations_.end()) return known->second;
  if (member.type == MemberType::kPartition) {
    const auto document = target_.api().Get("/partitions/" + Encode(member.name));
    if (!document) return tl::unexpected(document.error());
    return locations_[key] = TextAt(*document, "location");
  }
  const Kind kind = member.type == MemberType::kUser ? Kind::kIamUser : Kind::kIamGroup;
  const ObjectKey keys[] = {{kind, Folded(target_.names().Split(member.name).Full())}};
  const std::string spelled[] = {member.name};
  const Live live = target_.ReadObjects(keys, spelled).front();
  if (live.answer == object::Answer::kAbsent) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} doesn't exist", TextOf(member)));
  }
  if (live.answer != object::Answer::kValue) {
    return Fail(live.transient ? ErrorCode::kUnavailable : ErrorCode::kInvalid, live.reason);
  }
  if (live.entry->location.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("{} has no location", TextOf(member)));
  }
  return locations_[key] = live.entry->location;
}

Result<HttpRequest> ApplyRun::RoleRequest(const LiveSet& live, const Batch& batch) {
  if (!batch.add) {
    Json names = Json::array();
    for (const Item* item : batch.items) {
      const MemberEntry& member =
          target_.FindMember(live, object::SplitKey(item->op->key).back())->second;
      names.push_back(member.location.empty() ? member.ref.name : member.location);
    }
    const char* list = batch.type == MemberType::kRole ? "/roles" : "/members";
    return Api::Request(Method::kPost, "/roles/" + live.address + list + "/deletionset",
                        {{"stringList", names}});
  }
  if (live.location.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("role {} has no location", live.name));
  }
  const MemberRef member = MemberOf(*batch.items.front());
  auto location = LocationOf(member);
  if (!location) return tl::unexpected(location.error());
  const std::string path = member.type == MemberType::kUser ? OtdsTarget::UserPath(*location)
                                                            : OtdsTarget::GroupPath(*location);
  return Api::Request(Method::kPost, path + "/roles",
                      {{"stringList", Json::array({live.location})}});
}

// How somebody is taken out isn't documented: first by the form of all other lists, then, where the
// server has no such call, by a PUT of the whole as it was just read, less the one.
Result<HttpRequest> ApplyRun::AccessRequest(const LiveSet& live, Batch& batch) {
  Guesses& guesses = target_.guesses();
  const std::string path = "/accessroles/" + live.address;
  Json lists = Json::object();
  for (const Item* item : batch.items) {
    const MemberRef ref = MemberOf(*item);
    Json one;
    if (batch.add) {
      auto location = LocationOf(ref);
      if (!location) return tl::unexpected(location.error());
      const bool partition = ref.type == MemberType::kPartition;
      one = {{"name", partition ? ref.name : target_.names().Split(ref.name).Full()},
             {"location", *location}};
    } else {
      const MemberEntry& member =
          target_.FindMember(live, object::SplitKey(item->op->key).back())->second;
      one = {{"name", member.id}, {"location", member.location}};
    }
    lists[kLists[static_cast<size_t>(ref.type)]].push_back(std::move(one));
  }
  if (batch.add) return Api::Request(Method::kPost, path + "/members", lists);
  if (!guesses.is_refuted(Guess::kAccessRoleDelete)) {
    batch.guesses = {Guess::kAccessRoleDelete};
    return Api::Request(Method::kPost, path + "/members/deletionset", lists);
  }
  if (guesses.is_refuted(Guess::kAccessRolePut)) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("no way to take somebody out of an access role works on this server: "
                    "{}; {}",
                    guesses.why(Guess::kAccessRoleDelete), guesses.why(Guess::kAccessRolePut)));
  }
  batch.guesses = {Guess::kAccessRolePut};
  Json whole = live.document;
  for (const auto& [list, members] : lists.items()) {
    Json kept = Json::array();
    for (const Json& member : whole["accessRoleMembers"][list]) {
      const bool out = std::any_of(members.begin(), members.end(), [&](const Json& one) {
        return TextAt(one, "name") == TextAt(member, "name") &&
               TextAt(one, "location") == TextAt(member, "location");
      });
      if (!out) kept.push_back(member);
    }
    whole["accessRoleMembers"][list] = std::move(kept);
  }
  return Api::Request(Method::kPut, path, whole);
}

Result<HttpRequest> ApplyRun::RequestOf(const LiveSet& live, const SetRef& set, Batch& batch) {
  if (set.type == SetType::kAccessRole) return AccessRequest(live, batch);
  if (set.type == SetType::kRole) return RoleRequest(live, batch);
  Json names = Json::array();
  for (const Item* item : batch.items) {
    const auto member = target_.FindMember(live, object::SplitKey(item->op->key).back());
    names.push_back(batch.add ? target_.names().Split(MemberOf(*item).name).Full()
                              : member->second.ref.name);
  }
  // One list has users and groups; but a name may stand for one of each.
  const char* list = batch.type == MemberType::kGroup ? "/groups" : "/members";
  return Api::Request(Method::kPost,
                      "/groups/" + live.address + list + (batch.add ? "" : "/deletionset"),
                      {{"stringList", names}});
}

}  // namespace postern::iam::otds
