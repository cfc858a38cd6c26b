// providers/iam/scim/census.h: all resources of a type, page by page; RFC 7644 section 3.4.2.4 and
// RFC 9865.
//
// A walk by index loses resources that exist all the time when others are deleted meanwhile: what
// followed them moves into pages already read (facts: 50 of 50 at two servers). So a walk counts
// only when its total stood still and every promised resource came, once; otherwise it is walked
// again, and what stays unstable after that is told as such. Absence from a census proves nothing
// either way: that takes a read by id.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "providers/iam/http/json_document.h"
#include "providers/iam/http/session.h"

namespace postern::iam {

struct Paging {
  size_t page = 200;    // servers may give less; facts measured 200 to 500 as best
  bool cursor = false;  // the server offers cursors (RFC 9865)
  int walks = 3;        // at most
  std::string query;    // added to each request, encoded: "excludedAttributes=members"
};

struct Census {
  uint64_t count = 0;  // resources of the walk that counted, or of the last
  uint64_t total = 0;  // what the server said last
  bool stable = false;
  std::string unstable;  // why not, for an operator
  int walks = 0;
  uint64_t pages = 0;    // requests, of all walks
  base::Instant at = 0;  // when the walk that counted began
};

class ResourceSink {
 public:
  virtual ~ResourceSink() = default;
  // A walk begins: what came before doesn't count.
  virtual void Restart() = 0;
  // A resource with an "id". An error ends the census.
  virtual Result<void> Add(const Json& resource) = 0;
  // One without an "id", which counts as given all the same. By default it ends the census; `where`
  // says which it is.
  virtual Result<void> AddNameless(const Json& /*resource*/, const std::string& where) {
    return Fail(ErrorCode::kInvalid, where + " has no id");
  }
};

// `path`: below the session's base, "/Users". Errors: a page that can't be had or isn't a list
// answer, and what the sink says. An unstable census is an answer.
// Cost: one request a page; one page as a document in memory, and the ids.
Result<Census> WalkAll(Session& session, std::string_view path, const Paging& paging,
                       ResourceSink& sink);

}  // namespace postern::iam
