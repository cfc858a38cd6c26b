// providers/iam/scim/locate.h: finding resources by their names.
//
// Where an id is known it is read; otherwise a filter is asked where filters can be believed, or
// the listing is walked, once for all names of a call. A hit of a filter counts anywhere, after its
// name was compared; that nothing is there is said only by a filter that was seen to be true, or by
// a stable census: a 404 says it of an id, and another resource may have the name by now.
#pragma once
#include "providers/iam/scim/target.h"

namespace postern::iam {

struct LocateOptions {
  // A census of the last minute is good enough to say that a name is free: for creations, where the
  // server refuses a second one itself.
  bool recent = false;
  // Each name that no id answers for is asked for by itself where filters can be believed, however
  // many they are: for decisions, which a listing can't make.
  bool each = false;
  // Of these a 404 by id is enough: they were there under this id a moment ago, and we deleted it.
  std::set<object::ObjectKey> deleted;
};

// Users and groups by key, each with an answer.
// Cost: a request a resource; for names without an id one more each, or one census a kind (with
// `each` only where filters can't be believed).
Snapshots ReadKeys(ScimTarget& target, const std::set<object::ObjectKey>& keys,
                   const LocateOptions& options);

}  // namespace postern::iam
