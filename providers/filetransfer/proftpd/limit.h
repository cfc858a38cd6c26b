// providers/filetransfer/proftpd/limit.h: one <Limit> -> whom it answers what. Pure.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/account_set.h"
#include "providers/filetransfer/proftpd/client.h"
#include "providers/filetransfer/proftpd/command_checks.h"
#include "providers/filetransfer/proftpd/config_tree.h"

namespace postern::proftpd {

using access::AccountSet, access::Answer, access::ReasonId;

// The accounts that rules name: numbers by name, members by group; and where their client is,
// nullptr where that isn't known.
struct AccountNames {
  std::map<std::string, uint32_t, std::less<>> accounts;
  std::map<std::string, AccountSet, std::less<>> groups;
  std::map<std::string, AccountSet, std::less<>> primary;  // whose primary group it is
  const Client* client = nullptr;
};

// Takes why something isn't computable where `node` stands; answers the reason's number.
using NoteReason = std::function<ReasonId(const ConfigNode& node, std::string why)>;

struct Limit {
  WordMask words = 0;
  AccountSet allow, deny, maybe;  // disjoint; all others get no answer
  ReasonId reason = 0;            // of maybe
};

Limit CompileLimit(const ConfigNode& node, const AccountNames& names, const RaiseRules& rules,
                   const NoteReason& note);

// "a, b" and "a" "b" alike.
std::vector<std::string> SplitNames(const std::vector<std::string>& args);

// A list of accounts or groups as AllowUser and IfGroup take it. False in `known`: it holds a
// pattern that isn't read here.
enum class NameKind : unsigned char { kUser, kGroup, kClass };
// Source: 1.3.8, observed: a Limit takes OR off its list and leaves AND in it as a name; IfUser and
// its kind take both off; DefaultRoot takes both as names of groups.
enum class ListOf : unsigned char { kLimit, kSession, kRoot };
AccountSet WhomListNames(const std::vector<std::string>& args, NameKind kind, ListOf list,
                         const AccountNames& names, const RaiseRules& rules, bool* known);
inline constexpr std::string_view kByAddress = "depends on the client's address";

}  // namespace postern::proftpd
