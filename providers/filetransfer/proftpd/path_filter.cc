#include "providers/filetransfer/proftpd/path_filter.h"

#include <algorithm>

namespace postern::proftpd {
namespace {

using access::Right;
using How = Passing::How;
using Rest = ObjectPath::Rest;

// Names as people give them; none is meant by any rule.
constexpr std::string_view kOrdinary[] = {
    "x",         "zq7",   "Report_2024.txt", "data-1.csv", "scan.pdf", "archive.zip",
    "photo.jpg", "notes", "UPLOAD",          "order.xml",  "a.b.c"};

const NameFilter* Nearest(const std::vector<const RuleSection*>& chain,
                          std::optional<NameFilter> RuleSection::*filter, const RaiseRules& rules) {
  const size_t depth = rules.filters_inherit ? chain.size() : std::min<size_t>(chain.size(), 1);
  for (size_t i = 0; i < depth; ++i) {
    const std::optional<NameFilter>& one = chain[i]->*filter;
    if (!one.has_value() || (!one->regex.has_value() && !rules.hide_none_ends)) continue;
    return &*one;
  }
  return nullptr;
}

struct Filters {
  const NameFilter* allow = nullptr;
  const NameFilter* deny = nullptr;
  ReasonId reason() const { return deny != nullptr ? deny->reason : allow->reason; }
  bool Pass(const std::string& path) const {
    return (deny == nullptr || !deny->Finds(path)) && (allow == nullptr || allow->Finds(path));
  }
  // The path from wherever a session may see it.
  Passing PassFrom(const std::string& path, bool confined) const {
    const bool whole = Pass(path);
    bool same = true;
    for (size_t at = path.find('/', 1); confined && at != std::string::npos;
         at = path.find('/', at + 1)) {
      same = same && Pass(path.substr(at)) == whole;
    }
    if (!same) return {How::kUnknown, reason()};
    return {whole ? How::kPassed : How::kStopped, 0};
  }
  Passing PassOrdinary(const std::string& folder, bool confined) const {
    const auto passes = [&](std::string_view name) {
      return PassFrom(folder + "/" + std::string(name), confined).how == How::kPassed;
    };
    if (std::any_of(std::begin(kOrdinary), std::end(kOrdinary), passes)) return {};
    return {How::kUnknown, reason()};
  }
};

Passing PassHiding(const NameFilter* hides, const ObjectPath& entry) {
  if (hides == nullptr) return {};
  if (entry.rest == Rest::kNone) {
    const bool hidden = hides->Finds(entry.path.substr(entry.path.rfind('/') + 1));
    return {hidden ? How::kStopped : How::kPassed, 0};
  }
  const bool seen = std::any_of(std::begin(kOrdinary), std::end(kOrdinary),
                                [&](auto name) { return !hides->Finds(std::string(name)); });
  return seen ? Passing() : Passing{How::kUnknown, hides->reason};
}

}  // namespace

Passing PassFilters(const std::vector<const RuleSection*>& chain, const ObjectPath& object,
                    Right right, bool confined, const RaiseRules& rules) {
  if (right == Right::kList || !rules.hiding_is_listing) {
    const Passing seen = PassHiding(Nearest(chain, &RuleSection::hide_files, rules), object);
    if (right == Right::kList || seen.how != How::kPassed) return seen;
  }
  const Filters filters{Nearest(chain, &RuleSection::path_allow, rules),
                        Nearest(chain, &RuleSection::path_deny, rules)};
  if (filters.allow == nullptr && filters.deny == nullptr) return {};
  if (object.rest != Rest::kNone) {
    const std::string folder = object.rest == Rest::kEntry ? object.path : object.path + "/d";
    return filters.PassOrdinary(folder, confined);
  }
  const Passing itself = filters.PassFrom(object.path, confined);
  if (right != Right::kRename || itself.how != How::kPassed) return itself;
  return filters.PassOrdinary(std::string(access::ParentOf(object.path)), confined);
}

}  // namespace postern::proftpd
