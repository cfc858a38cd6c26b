// Directories and IAM systems: who can log in, and what everybody is a member of.
#include "core/access/effective.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::access {
namespace {

using object::Kind;

constexpr std::string_view kUserMember = "user:", kPartitionMember = "partition:";

// A flag that is true unless the body says otherwise.
bool Flag(std::string_view body, uint32_t number) {
  object::FieldWalker walker(body);
  for (object::WireField field; walker.Next(&field);) {
    if (field.number == number) return field.varint != 0;
  }
  return true;
}

bool CanLogInBy(Kind kind, std::string_view body) {
  switch (kind) {
    case Kind::kUser:
      return Flag(body, kinds::User::kEnabledFieldNumber);
    case Kind::kIamUser:
      return Flag(body, kinds::IamUser::kActiveFieldNumber);
    default:
      return Flag(body, kinds::OauthClient::kActiveFieldNumber);
  }
}

template <class Map>
void SetMember(Map* map, std::string_view set, std::string_view element, bool present) {
  if (present) {
    // Objects mostly come sorted by key: the end is a good guess.
    auto& elements = map->try_emplace(map->end(), std::string(set))->second;
    elements.insert(elements.end(), std::string(element));
    return;
  }
  const auto at = map->find(set);
  if (at == map->end()) return;
  at->second.erase(std::string(element));
  if (at->second.empty()) map->erase(at);
}

bool IsInPartition(std::string_view user, std::string_view partition) {
  return user.size() > partition.size() && user.ends_with(partition) &&
         user[user.size() - partition.size() - 1] == '@';
}

}  // namespace

std::string EntryOf(Kind kind, std::string_view key) {
  switch (kind) {
    case Kind::kUser:
    case Kind::kIamUser:
      return std::string(key);
    case Kind::kMembership:
      return std::string(object::SplitKey(key)[1]);
    case Kind::kIamMembership: {
      const std::string_view member = object::SplitKey(key)[1];
      if (!member.starts_with(kUserMember)) return "";
      return std::string(member.substr(kUserMember.size()));
    }
    case Kind::kOauthClient:
      return kClientEntry + std::string(key);
    default:
      return "";
  }
}

void DirectoryWorld::Put(Kind kind, std::string_view key, std::string_view body, bool present) {
  is_iam_ = is_iam_ || object::IsIamKind(kind);
  if (kind == Kind::kMembership || kind == Kind::kIamMembership) return PutRelation(key, present);
  std::string entry = EntryOf(kind, key);
  if (!present) {
    users_.erase(entry);
    return;
  }
  users_.insert_or_assign(users_.end(), std::move(entry), CanLogInBy(kind, body));
}

void DirectoryWorld::PutRelation(std::string_view key, bool present) {
  const auto parts = object::SplitKey(key);
  SetMember(&groups_of_, parts[1], parts[0], present);
  if (is_iam_) SetMember(&members_of_, parts[0], parts[1], present);
}

bool DirectoryWorld::CanLogIn(std::string_view entry) const {
  const auto at = users_.find(entry);
  return at != users_.end() && at->second;
}

// What stands for the entry in relations.
DirectoryWorld::Sets DirectoryWorld::OwnNodes(std::string_view entry) const {
  if (!is_iam_) return {std::string(entry)};
  Sets nodes{std::string(kUserMember) + std::string(entry)};
  if (const size_t at = entry.rfind('@'); at != std::string_view::npos) {
    nodes.insert(std::string(kPartitionMember) + std::string(entry.substr(at + 1)));
  }
  return nodes;
}

// The sets that `nodes` are in, and in an IAM system those that these are in.
DirectoryWorld::Sets DirectoryWorld::Above(Sets nodes) const {
  Sets found;
  std::vector<std::string> open(nodes.begin(), nodes.end());
  while (!open.empty()) {
    const std::string node = std::move(open.back());
    open.pop_back();
    const auto at = groups_of_.find(node);
    if (at == groups_of_.end()) continue;
    for (const std::string& set : at->second) {
      if (found.insert(set).second && is_iam_) open.push_back(set);
    }
  }
  return found;
}

DirectoryWorld::Sets DirectoryWorld::GroupsOf(std::string_view entry) const {
  return Above(OwnNodes(entry));
}

std::string DirectoryWorld::Through(std::string_view group, std::string_view entry) const {
  const std::string wanted(group);
  std::string through;
  for (const std::string& node : OwnNodes(entry)) {
    const auto at = groups_of_.find(node);
    if (at == groups_of_.end()) continue;
    if (at->second.contains(wanted)) return node.starts_with(kPartitionMember) ? node : "";
    for (const std::string& own : at->second) {
      if (through.empty() && Above({own}).contains(wanted)) through = own;
    }
  }
  return through;
}

std::vector<std::string> DirectoryWorld::EntriesIn(std::string_view member) const {
  std::vector<std::string> entries;
  Sets seen{std::string(member)};
  std::vector<std::string> open{std::string(member)};
  while (!open.empty()) {
    const std::string node = std::move(open.back());
    open.pop_back();
    if (node.starts_with(kUserMember)) {
      entries.push_back(node.substr(kUserMember.size()));
    } else if (node.starts_with(kPartitionMember)) {
      for (const auto& [user, can] : users_) {
        if (IsInPartition(user, std::string_view(node).substr(kPartitionMember.size()))) {
          entries.push_back(user);
        }
      }
    } else if (const auto at = members_of_.find(node); at != members_of_.end()) {
      for (const std::string& inner : at->second) {
        if (seen.insert(inner).second) open.push_back(inner);
      }
    }
  }
  return entries;
}

}  // namespace postern::access
