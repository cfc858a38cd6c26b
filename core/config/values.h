// core/config/values.h: forms of single values. Pure; any thread.
//
// Sources of the rules: names and paths: design §2 and §3; keys: sshd(8) AUTHORIZED_KEYS and RFC
// 4253 §6.6; DN: RFC 4514; secrets: crypt(5) and the token prefixes that vendors publish.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/annotations.pb.h"

namespace postern::config {

// What is wrong with a value: never carries the value of a secret.
struct Problem {
  const char* code = "";
  std::string summary;
  std::string label;
  std::vector<std::string> notes;
  bool hide = false;  // the value must not be shown
};

// Empty when `value` has the format. References (ADDRESS) are checked elsewhere.
std::optional<Problem> CheckFormat(schema::Format format, std::string_view value);

std::optional<Problem> CheckName(std::string_view name);
std::optional<Problem> CheckPath(std::string_view path);
bool IsDn(std::string_view text);
bool IsSshKey(std::string_view line, std::string* why);

// Why `text` looks like a secret ("a private key", "a password hash"); empty when it doesn't.
std::string_view LooksSecret(std::string_view text);

}  // namespace postern::config
