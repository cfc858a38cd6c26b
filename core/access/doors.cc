#include "core/access/doors.h"

#include <algorithm>

#include "schemas/kinds.pb.h"

namespace postern::access {
namespace {

constexpr char kAuthority[] = "cert-authority";

void AddDoors(std::string_view fingerprint, std::string_view body, Doors* doors) {
  const auto key = object::DecodeAs<kinds::SshKey>(body);
  Door door;
  door.key = fingerprint;
  door.options.insert(key.options().values().begin(), key.options().values().end());
  if (key.has_expires()) door.until = key.expires();
  std::vector<std::string> places, names;
  for (const std::string& place : key.from().values()) {
    place.starts_with('!') ? (void)door.excluded.insert(place.substr(1)) : places.push_back(place);
  }
  if (!key.has_from()) places.emplace_back("*");
  // Only what signs is for names.
  if (door.options.contains(kAuthority)) {
    names.assign(key.principals().values().begin(), key.principals().values().end());
  }
  if (!key.has_principals() || !door.options.contains(kAuthority)) names.emplace_back();
  for (const std::string& place : places) {
    for (const std::string& name : names) {
      door.from = place;
      door.name = name;
      doors->push_back(door);
    }
  }
}

bool LeadsThrough(const Door& narrow, const Door& wide) {
  const auto within = [](const std::set<std::string>& a, const std::set<std::string>& b) {
    return std::includes(b.begin(), b.end(), a.begin(), a.end());
  };
  return narrow.key == wide.key && narrow.name == wide.name && narrow.until <= wide.until &&
         (narrow.from == wide.from || wide.from == "*") && within(wide.excluded, narrow.excluded) &&
         within(narrow.options, wide.options) &&
         narrow.options.contains(kAuthority) == wide.options.contains(kAuthority);
}

}  // namespace

Doors DoorsOf(const World& world, const Place& place, std::string_view login) {
  Doors doors;
  const auto at = world.servers.find(place);
  if (at == world.servers.end()) return doors;
  const AccountState* state = at->second.FindAccount(login);
  if (state == nullptr || !state->open()) return doors;
  for (const auto& [fingerprint, body] : at->second.KeysOf(login)) {
    AddDoors(fingerprint, body, &doors);
  }
  return doors;
}

std::string Beyond(const Doors& doors, const Doors& a, const Doors& b) {
  for (const Door& door : doors) {
    const auto leads = [&door](const Door& wide) { return LeadsThrough(door, wide); };
    if (std::any_of(a.begin(), a.end(), leads) || std::any_of(b.begin(), b.end(), leads)) continue;
    return "the key " + door.key + " from " + door.from;
  }
  return {};
}

}  // namespace postern::access
