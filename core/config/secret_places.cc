#include "core/config/secret_places.h"

#include <algorithm>

namespace postern::config {
namespace {

// `pattern` with at most one *, against `name`; what * stood for.
bool Matches(std::string_view pattern, std::string_view name, std::string* star) {
  const size_t at = pattern.find('*');
  if (at == std::string_view::npos) return pattern == name;
  const std::string_view head = pattern.substr(0, at), tail = pattern.substr(at + 1);
  if (name.size() < head.size() + tail.size()) return false;
  if (!name.starts_with(head) || !name.ends_with(tail)) return false;
  *star = name.substr(head.size(), name.size() - head.size() - tail.size());
  return true;
}

Result<SecretPlace> Filled(std::string from, std::string star) {
  // The name comes from the reviewed tree, which may not choose files or programs.
  if (star.find('/') != std::string::npos || star == "." || star == "..") {
    return Fail(ErrorCode::kDenied, "the name leads elsewhere: it may not hold a slash");
  }
  if (const size_t at = from.find('*'); at != std::string::npos) from.replace(at, 1, star);
  return SecretPlace{std::move(from), std::move(star)};
}

}  // namespace

Result<SecretPlace> FindSecret(const Declarations& declarations, std::string_view name,
                               std::string_view target) {
  const std::string reference = "secret:" + std::string(name);
  bool elsewhere = false;
  // An exact name goes before a pattern.
  for (const bool exact : {true, false}) {
    for (const auto& declared : declarations.secrets) {
      const decl::Secret& secret = declared.message;
      std::string star;
      if (exact != (secret.name() == name) || !Matches(secret.name(), name, &star)) continue;
      const auto& targets = secret.targets().values();
      if (targets.empty() || std::find(targets.begin(), targets.end(), target) != targets.end()) {
        auto place = Filled(secret.from(), std::move(star));
        if (!place) return base::Wrap(reference, place.error());
        return place;
      }
      elsewhere = true;
    }
  }
  if (elsewhere) {
    return Fail(ErrorCode::kDenied, reference + " may not be sent to " + std::string(target) +
                                        ": its `targets` in the operator's file don't name it");
  }
  return Fail(ErrorCode::kNotFound, reference + " is not mapped: add [secret." + std::string(name) +
                                        "] with `from` to the operator's file");
}

}  // namespace postern::config
