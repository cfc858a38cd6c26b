#include "core/access/effective.h"

#include <algorithm>

#include "core/object/fields.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::access {
namespace {

using object::Kind;

template <class Map>
const typename Map::mapped_type& SetIn(const Map& map, std::string_view name) {
  static const typename Map::mapped_type kNone;
  const auto at = map.find(name);
  return at == map.end() ? kNone : at->second;
}

template <class Map>
void SetMember(Map& map, std::string_view set, std::string_view element, bool present) {
  using Set = typename Map::mapped_type;
  if (present) {
    // Objects mostly come sorted by key: the end is a good guess.
    Set& elements = map.try_emplace(map.end(), typename Map::key_type(set))->second;
    elements.insert(elements.end(), typename Set::key_type(element));
    return;
  }
  const auto at = map.find(set);
  if (at == map.end()) return;
  at->second.erase(typename Set::key_type(element));
  if (at->second.empty()) map.erase(at);
}

Place PlaceOf(std::string_view target, std::string_view server) {
  return {std::string(target), std::string(server)};
}

bool IsDirectoryKind(Kind kind) {
  return kind == Kind::kUser || kind == Kind::kMembership || kind == Kind::kDirectoryGroup ||
         kind == Kind::kOu || object::IsIamKind(kind);
}

// Bodies are walked, not decoded: worlds are raised from every object that is live.
void ReadAccount(std::string_view body, AccountState* state) {
  state->exists = true;
  state->enabled = true;  // unless it says otherwise
  object::FieldWalker walker(body);
  for (object::WireField field; walker.Next(&field);) {
    switch (field.number) {
      case kinds::Account::kEnabledFieldNumber:
        state->enabled = field.varint != 0;
        break;
      case kinds::Account::kHomeFieldNumber:
        state->home = field.bytes;
        break;
      case kinds::Account::kPasswordFieldNumber:
        state->password = !field.bytes.empty();
        break;
      case kinds::Account::kSourceFieldNumber:
        // The directory may have one for it, which the host needn't show.
        state->password = true;
        break;
      default:
        break;
    }
  }
}

Rights RightsIn(std::string_view grant) {
  object::FieldWalker walker(grant);
  for (object::WireField field; walker.Next(&field);) {
    if (field.number == kinds::Grant::kRightsFieldNumber) {
      return Rights(static_cast<uint32_t>(field.varint));
    }
  }
  return {};
}

// A key in quarantine is no key of the account's.
bool KeyEnabled(std::string_view key) {
  object::FieldWalker walker(key);
  for (object::WireField field; walker.Next(&field);) {
    if (field.number == kinds::SshKey::kEnabledFieldNumber) return field.varint != 0;
  }
  return true;
}

}  // namespace

void ServerWorld::Put(Kind kind, std::string_view key, std::string_view body, bool present) {
  if (present) key = names_->Copy(key);
  const auto parts = object::SplitKey(key);
  if (kind == Kind::kAccount) {
    // One that is gone leaves its place: keys of it may still be there.
    const auto at =
        present ? accounts_.try_emplace(accounts_.end(), parts[1]) : accounts_.find(parts[1]);
    if (at == accounts_.end()) return;
    const uint32_t keys = at->second.keys;
    at->second = {};
    at->second.keys = keys;
    if (present) ReadAccount(body, &at->second);
  } else if (kind == Kind::kSshKey) {
    PutKey(parts, body, present);
  } else if (kind == Kind::kServerMembership) {
    SetMember(members_, parts[1], parts[2], present);
    SetMember(groups_of_, parts[2], parts[1], present);
  } else if (kind == Kind::kGrant) {
    PutGrant(parts, body, present);
  }
}

void ServerWorld::PutKey(const object::KeyParts& parts, std::string_view body, bool present) {
  constexpr uint64_t kNarrowing = uint64_t{1} << kinds::SshKey::kFromFieldNumber |
                                  uint64_t{1} << kinds::SshKey::kExpiresFieldNumber |
                                  uint64_t{1} << kinds::SshKey::kOptionsFieldNumber |
                                  uint64_t{1} << kinds::SshKey::kPrincipalsFieldNumber;
  uint32_t count = 0;
  // In quarantine it is no key of the account's.
  present = present && KeyEnabled(body);
  if (present) {
    Keys& keys = keys_of_.try_emplace(keys_of_.end(), parts[1])->second;
    keys.insert_or_assign(keys.end(), parts[2], names_->Copy(object::Restrict(body, kNarrowing)));
    count = static_cast<uint32_t>(keys.size());
  } else if (const auto of = keys_of_.find(parts[1]); of != keys_of_.end()) {
    of->second.erase(parts[2]);
    count = static_cast<uint32_t>(of->second.size());
    if (count == 0) keys_of_.erase(of);
  }
  const auto account = accounts_.find(parts[1]);
  if (account != accounts_.end()) {
    account->second.keys = count;
  } else if (present) {
    accounts_[parts[1]].keys = count;
  }
}

void ServerWorld::PutGrant(const object::KeyParts& parts, std::string_view body, bool present) {
  const auto depth = ParseDepth(parts[2]).value_or(Depth::kSubtree);
  const auto subject = ParseSubject(parts[3]);
  if (!subject) return;
  const RowPlace cell(parts[1], static_cast<uint8_t>(depth));
  if (present) {
    auto& row = rows_.try_emplace(rows_.end(), cell)->second;
    row.insert_or_assign(row.end(), *subject, RightsIn(body));
    auto& places = rows_of_[*subject];
    places.insert(places.end(), cell);
  } else if (const auto at = rows_.find(cell); at != rows_.end()) {
    if (const auto of = rows_of_.find(*subject); of != rows_of_.end()) of->second.erase(cell);
    at->second.erase(*subject);
    if (at->second.empty()) rows_.erase(at);
  }
}

const ServerWorld::Keys& ServerWorld::KeysOf(std::string_view login) const {
  return SetIn(keys_of_, login);
}

const AccountState* ServerWorld::FindAccount(std::string_view login) const {
  const auto at = accounts_.find(login);
  return at == accounts_.end() ? nullptr : &at->second;
}

bool ServerWorld::IsOpen(std::string_view login) const {
  const AccountState* state = FindAccount(login);
  if (state != nullptr && state->open()) return true;
  return state != nullptr && overlay_ != nullptr && overlay_->OpenToAnybody(login);
}

std::vector<std::string> ServerWorld::Members(std::string_view group) const {
  const auto& members = SetIn(members_, group);
  return {members.begin(), members.end()};
}

const ServerWorld::Names& ServerWorld::GroupsOf(std::string_view login) const {
  return SetIn(groups_of_, login);
}

std::vector<std::string> ServerWorld::LoginsOf(const Subject& subject) const {
  switch (subject.type) {
    case Subject::Type::kAccount:
      return {subject.name};
    case Subject::Type::kGroup:
      return Members(subject.name);
    case Subject::Type::kEveryone:
      break;
  }
  std::vector<std::string> all;
  for (const auto& [login, state] : accounts_) all.emplace_back(login);
  return all;
}

std::vector<GrantRow> ServerWorld::RowsOf(std::string_view login) const {
  std::vector<GrantRow> rows;
  const auto collect = [&](const Subject& subject) {
    const auto at = rows_of_.find(subject);
    if (at == rows_of_.end()) return;
    for (const auto& cell : at->second) {
      rows.push_back({std::string(cell.first), static_cast<Depth>(cell.second), subject,
                      rows_.at(cell).at(subject)});
    }
  };
  collect({Subject::Type::kAccount, std::string(login)});
  for (const std::string_view group : GroupsOf(login)) {
    collect({Subject::Type::kGroup, std::string(group)});
  }
  collect({Subject::Type::kEveryone, ""});
  std::sort(rows.begin(), rows.end());
  return rows;
}

void World::Put(std::string_view target, Kind kind, std::string_view key, std::string_view body,
                bool present) {
  if (!object::TableOf(kind).bears_access) return;
  if (IsDirectoryKind(kind)) {
    directories[std::string(target)].Put(kind, key, body, present);
  } else {
    servers[PlaceOf(target, object::SplitKey(key)[0])].Put(kind, key, body, present);
  }
}

void Touch(std::string_view target, Kind kind, std::string_view key, const World& before,
           const World& after, Touched* touched) {
  if (!object::TableOf(kind).bears_access) return;
  const auto parts = object::SplitKey(key);
  if (IsDirectoryKind(kind)) {
    if (std::string entry = EntryOf(kind, key); !entry.empty()) {
      touched->accounts.insert({PlaceOf(target, ""), std::move(entry)});
      return;
    }
    for (const World* world : {&before, &after}) {
      const auto at = world->directories.find(std::string(target));
      if (at == world->directories.end()) continue;
      for (std::string& entry : at->second.EntriesIn(parts[1])) {
        touched->accounts.insert({PlaceOf(target, ""), std::move(entry)});
      }
    }
    return;
  }
  const Place place = PlaceOf(target, parts[0]);
  if (kind == Kind::kAccount || kind == Kind::kSshKey || kind == Kind::kSession) {
    touched->accounts.insert({place, std::string(parts[1])});
  } else if (kind == Kind::kServerMembership) {
    touched->accounts.insert({place, std::string(parts[2])});
  } else if (kind == Kind::kGrant) {
    const auto subject = ParseSubject(parts[3]);
    if (!subject) return;
    for (const World* world : {&before, &after}) {
      const auto at = world->servers.find(place);
      if (at == world->servers.end()) continue;
      for (std::string& login : at->second.LoginsOf(*subject)) {
        touched->accounts.insert({place, std::move(login)});
      }
    }
  }
}

}  // namespace postern::access
