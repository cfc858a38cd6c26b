// providers/filetransfer/server/way_rules.h: second ways into the managed roots as native_rule
// objects (schemas/kinds.proto, `by`). Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/access/rights.h"
#include "core/object/object.h"
#include "providers/filetransfer/host/second_ways.h"

namespace postern::filetransfer {

// What the folders behind a way let each login do at most; empty where they weren't asked.
using GivenBehind = std::map<std::string, std::map<std::string, access::Rights>>;  // real -> login

// One rule a way; beyond the first few hundred the rest is one rule that says how many.
std::vector<object::Object> WayRules(const std::string& server,
                                     const std::vector<std::string>& roots, const SecondWays& ways,
                                     const GivenBehind& given);

}  // namespace postern::filetransfer
