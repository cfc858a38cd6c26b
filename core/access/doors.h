// core/access/doors.h: by which keys an account is entered, from where, until when.
//
// For the judge of orders (invariants.h) alone: told anew from what a field of a key means, not
// shared with the code that splits changes. Pure. Cost: linear in the keys of one account.
// Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "core/access/effective.h"

namespace postern::access {

// One key from one place; of an authority, for one name that it signs.
struct Door {
  std::string key;   // fingerprint
  std::string from;  // a pattern; "*": anywhere
  std::string name;  // that a certificate must carry; empty: the key opens by itself
  std::set<std::string> options;
  std::set<std::string> excluded;  // places, without "!"
  base::Instant until = base::kForever;
};
using Doors = std::vector<Door>;

// None where nobody comes in by that login.
Doors DoorsOf(const World& world, const Place& place, std::string_view login);

// Empty when each door of `doors` is one of `a` or of `b`, or leads through one of them: no longer,
// from nowhere else. Else the first that isn't, for people.
std::string Beyond(const Doors& doors, const Doors& a, const Doors& b);

}  // namespace postern::access
