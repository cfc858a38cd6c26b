// core/jobs/others.h: values by which people of an import would be taken for somebody else.
//
// A file may not give anybody the login of a person who isn't the import's, nor the value by which
// [identity] join puts sources together: two people of one source with that value are undecided, so
// that nothing would be taken from the other one. Pure; any thread. Cost: linear in the people, one
// look-up each. Source: IAM facts §6.2 (authority).
#pragma once
#include <string>
#include <unordered_set>
#include <vector>

#include "core/config/declarations.h"
#include "core/object/object.h"

namespace postern::jobs {

struct OthersValues {
  std::string join;  // the import's attribute that joins, as a column has it; empty: none does
  std::unordered_set<std::string> logins, joined;  // folded
};

// What is live at one target, whole or in part.
struct LivePeople {
  std::string target;  // "iam:corp"
  const object::ObjectSet* objects = nullptr;
};

// Of all people but those of imports with this one's owner, and but who is declared by nobody and
// stands below this import's base, where it may take him over.
OthersValues ValuesOfOthers(const decl::Import& import, const config::Declarations& all,
                            const std::vector<LivePeople>& live);

}  // namespace postern::jobs
