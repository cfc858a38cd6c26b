// providers/iam/scim/changes.h: operations as SCIM writes.
//
// Pure: an operation and what is live now give the next write, or the answer that none is needed.
// A write names only what changes (PATCH, RFC 7644 section 3.5.2), or, where the server takes whole
// resources alone (PUT, section 3.5.1), what was read with the changes in it: what we don't manage
// stays. Where the resource has a version the write is bound to it.
#pragma once
#include <span>
#include <string>

#include "providers/iam/scim/target.h"

namespace postern::iam {

struct ScimWrite {
  Method method = Method::kPatch;
  std::string path;  // below the base
  Json body;
  std::string etag;  // of what was read; empty: the server has no versions
};

// What the operation still needs.
struct Step {
  enum class Need { kNothing, kWrite, kRefuse } need = Need::kNothing;
  ScimWrite write;
  std::string why;            // kRefuse
  bool precondition = false;  // kRefuse: the world isn't as planned (else: the server can't)
};

// How far one operation has come.
struct Progress {
  bool written = false;  // one of our writes was carried out
  bool created = false;  // ... a creation: what it left out is changed after it
  bool changed = false;  // ... a change
  bool unsure = false;   // the answer to one of our writes was lost
  std::string was;       // what was live before the last write; empty: nothing
};

// Of a user or a group; `at`: what stands under the operation's id, or its key, now.
Step NextStep(const object::Operation& op, const Progress& progress, const Snapshot& at,
              const Dialect& dialect);

// Why what is live isn't what the operation expects; empty: it is.
std::string Unexpected(const object::Operation& op, const Progress& progress, const Snapshot& at);

// As it stands in a group.
Json MemberJson(const Member& member);
// Members put into and taken out of a group in one request, always by id: a removal without a
// filter would empty the group.
ScimWrite MembersWrite(const Snapshot& group, std::span<const Member> add,
                       std::span<const std::string> remove, const Dialect& dialect);

}  // namespace postern::iam
