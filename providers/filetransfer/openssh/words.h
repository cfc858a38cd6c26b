// providers/filetransfer/openssh/words.h: words, lists and patterns of sshd's files. Pure.
//
// Source: OpenSSH 9.2, match.c and misc.c by their behaviour; sshd_config(5), PATTERNS in
// ssh_config(5).
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::openssh {

// At blanks, without quoting.
std::vector<std::string> SplitWords(std::string_view text);
std::vector<std::string> SplitList(std::string_view text, char separator);
std::string Lowercase(std::string_view text);

// `*` and `?`; the case counts.
bool MatchesPattern(std::string_view text, std::string_view pattern);
enum class ListMatch : int8_t { kDenied = -1, kNone = 0, kMatch = 1 };
// A comma list. A `!` pattern that matches denies, wherever it stands.
ListMatch MatchList(std::string_view text, std::string_view list);
// All groups of a user against one list: one that is denied denies all.
bool MatchGroups(std::span<const std::string> groups, std::string_view list);
// An address against patterns and CIDR blocks.
ListMatch MatchAddresses(std::string_view address, std::string_view list);
// "user" or "user@host", where host may be a pattern or a CIDR block.
bool MatchUserAt(std::string_view user, std::string_view host, std::string_view address,
                 std::string_view pattern);

// %u, %h, %U and %% as sshd expands them in paths; nothing for a token that it refuses.
std::optional<std::string> ExpandTokens(std::string_view text, std::string_view user,
                                        std::string_view home, uint32_t uid);

// Whether a name can stand in a Match block and a user list without meaning more than itself.
// Empty: it can.
std::string WhyNameUnfit(std::string_view name);

}  // namespace postern::openssh
