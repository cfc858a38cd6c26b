// providers/memory/scopes.h: what of the fake world a target's configuration manages.
//
// A host manages its servers' objects, its folders and grants under the managed roots; a directory
// what lies under its bases. The rest isn't read as ours, counted or written. Immutable; any
// thread.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/object/kind.h"

namespace postern::provider::v1 {
class TargetConfig;
}

namespace postern::memory {

struct Scope {
  object::Kind kind{};
  std::string name;  // as in ScopeStatus::scope
};

class Scopes {
 public:
  explicit Scopes(const provider::v1::TargetConfig& config);
  const std::vector<Scope>& all() const { return all_; }
  bool Has(object::Kind kind) const;
  // Index into all(); nothing when the object lies outside of what is managed. Cost: some compares.
  std::optional<size_t> Find(object::Kind kind, std::string_view key) const;

 private:
  bool UnderRoots(std::string_view path) const;
  std::vector<Scope> all_;
  std::vector<std::string> roots_;
};

}  // namespace postern::memory
