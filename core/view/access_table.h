// core/view/access_table.h: answers to `postern access`, as tables and as JSON. Pure.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "core/compile/desired.h"
#include "core/view/access_query.h"
#include "core/view/json_writer.h"
#include "core/view/style.h"

namespace postern::view {

// Of a service account: what it has and none of its jobs uses.
struct UnusedRights {
  std::string folder, path;
  std::vector<std::string> rights;
  std::string place;
};

struct AccessHeading {
  std::string title = {};                    // "Who reaches acme-inbound (/srv/... on edge)"
  bool live = false;                         // else: as declared
  std::vector<std::string> unobserved = {};  // targets that couldn't be asked
  std::string note = {};                     // what the answer doesn't hold, for people
  std::vector<UnusedRights> unused = {};
};

std::string RenderAccess(const AccessHeading& heading, const std::vector<AccessRow>& rows,
                         bool detail, const Style& style);
// The rows as an array, for a document that holds more.
void WriteAccessRows(JsonWriter& json, const std::vector<AccessRow>& rows);
void WriteAccessJson(const AccessHeading& heading, const std::vector<AccessRow>& rows,
                     std::ostream& out);

// A declared grant that ends soon, or a login or key that its server ends.
struct Ending {
  base::Instant until = 0;
  std::string identity, host, path, closer, ticket, place;
  access::Rights rights;
  std::string what;  // of a login or key; then no path and rights
};
// What ends within [now, now + within], the first to end first.
std::vector<Ending> EndingSoon(const compile::Desired& desired, const diag::Sources& sources,
                               base::Instant now, int64_t within);
std::string RenderEndings(const std::vector<Ending>& endings, base::Instant now,
                          const std::string& within, bool detail, const Style& style);
void WriteEndingsJson(const std::vector<Ending>& endings, std::ostream& out);

}  // namespace postern::view
