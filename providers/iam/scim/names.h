// providers/iam/scim/names.h: which id has which name, as this process last saw it.
//
// Keys are names, the protocol's addresses are ids. An entry is a hint for where to look; whoever
// uses it reads the resource and compares. One thread. Cost: O(1) each.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/object/kind.h"

namespace postern::iam {

class Names {
 public:
  static std::string KeyOf(std::string_view name) {
    return object::Normalise(object::Comparator::kCaseIgnore, name);
  }

  void Clear() { by_id_.clear(), by_key_.clear(); }
  // The resource's only name from now on.
  void Put(const std::string& id, const std::string& name) {
    Forget(id);
    by_id_[id] = name;
    by_key_[KeyOf(name)].push_back(id);
  }
  void Forget(const std::string& id) {
    const auto at = by_id_.find(id);
    if (at == by_id_.end()) return;
    const auto ids = by_key_.find(KeyOf(at->second));
    std::erase(ids->second, id);
    if (ids->second.empty()) by_key_.erase(ids);
    by_id_.erase(at);
  }

  // As spelled; null: not known.
  const std::string* NameOf(const std::string& id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : &at->second;
  }
  // Several resources may have names that are equal for us.
  const std::vector<std::string>& IdsOf(const std::string& key) const {
    static const std::vector<std::string> kNone;
    const auto at = by_key_.find(key);
    return at == by_key_.end() ? kNone : at->second;
  }
  size_t size() const { return by_id_.size(); }
  // Ids that are known, but for these; `most` of them.
  std::vector<std::string> Others(const std::set<std::string>& but, size_t most) const {
    std::vector<std::string> ids;
    for (const auto& [id, name] : by_id_) {
      if (ids.size() == most) break;
      if (!but.contains(id)) ids.push_back(id);
    }
    return ids;
  }

 private:
  std::unordered_map<std::string, std::string> by_id_;
  std::unordered_map<std::string, std::vector<std::string>> by_key_;
};

}  // namespace postern::iam
