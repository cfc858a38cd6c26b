// providers/iam/otds/bodies.h: bodies of requests, as narrow as what changes. Pure.
//
// Their shapes are compared field by field with the documented ones (tests/support/otds/shapes).
#pragma once
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/iam/otds/guesses.h"
#include "providers/iam/otds/target.h"

namespace postern::iam::otds {

// A body, and what of it is guessed.
struct Body {
  Json json = Json::object();
  std::vector<Guess> guesses;
  size_t known = 0;  // parts of it that aren't guessed
};

// Fields that `op` changes of `live` (empty: of nothing) and OTDS can't hold; empty: it can.
std::string WhyNotHeld(const object::Operation& op, std::string_view live);

// POST of a new user, group or role.
Body NewEntry(const object::Operation& op, const Name& name);
// PATCH of a user: the values that differ alone.
Body UserChange(const object::Operation& op, const Live& live);
// PUT of a group or role, or of a user that is renamed: all that was read and isn't the server's
// own goes along, since a PUT may take away what it doesn't name.
Body WholeEntry(const object::Operation& op, const Live& live, const std::string& name);
// POST and PATCH of an OAuth client, without its secret.
Body ClientFields(const object::Operation& op, std::string_view live);

}  // namespace postern::iam::otds
