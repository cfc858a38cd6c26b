#include "providers/filetransfer/proftpd/path_filter.h"

#include <algorithm>

namespace postern::proftpd {
namespace {

using access::Right;
using How = Passing::How;
using Rest = ObjectPath::Rest;

// Names as people give them, for the target of a rename, which is the client's choice.
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

bool Pass(const PathFilters& filters, const std::string& path) {
  return (filters.deny == nullptr || !filters.deny->Finds(path)) &&
         (filters.allow == nullptr || filters.allow->Finds(path));
}

class Asking {
 public:
  Asking(PathFilters here, const std::vector<PathFilters>& elsewhere, bool confined)
      : here_(here), elsewhere_(elsewhere), confined_(confined) {}

  // The path from wherever a session may see it.
  Passing Whole(const std::string& path) const {
    const Passing whole = One(path);
    for (size_t at = path.find('/', 1); confined_ && at != std::string::npos;
         at = path.find('/', at + 1)) {
      if (One(path.substr(at)).how != whole.how) return Unknown();
    }
    return whole;
  }
  Passing Ordinary(const std::string& folder) const {
    const auto passes = [&](std::string_view name) {
      return Whole(folder + "/" + std::string(name)).how == How::kPassed;
    };
    if (std::any_of(std::begin(kOrdinary), std::end(kOrdinary), passes)) return {};
    return Unknown();
  }

  Passing One(const std::string& path) const {
    if (Pass(here_, path)) return {};
    const bool elsewhere = std::any_of(elsewhere_.begin(), elsewhere_.end(),
                                       [&](const PathFilters& one) { return Pass(one, path); });
    return elsewhere ? Unknown() : Passing{How::kStopped, 0};
  }
  // Every name that no rule gives: a filter stops some, unless it is about access files alone.
  Passing Unnamed() const {
    const bool spares = here_.allow == nullptr && here_.deny->about_access_files;
    return spares ? Passing() : Unknown();
  }

 private:
  Passing Unknown() const {
    return {How::kUnknown, here_.allow != nullptr ? here_.allow->reason : here_.deny->reason};
  }
  PathFilters here_;
  const std::vector<PathFilters>& elsewhere_;
  bool confined_;
};

Passing PassHiding(const NameFilter* hides, const ObjectPath& entry) {
  if (hides == nullptr) return {};
  if (entry.rest == Rest::kNone) {
    const bool hidden = hides->Finds(entry.path.substr(entry.path.rfind('/') + 1));
    return {hidden ? How::kStopped : How::kPassed, 0};
  }
  return hides->regex.has_value() ? Passing{How::kUnknown, hides->reason} : Passing();
}

}  // namespace

PathFilters PathFiltersOf(const std::vector<const RuleSection*>& chain, const RaiseRules& rules) {
  return {Nearest(chain, &RuleSection::path_allow, rules),
          Nearest(chain, &RuleSection::path_deny, rules)};
}

Passing PassFilters(const std::vector<const RuleSection*>& chain, const ObjectPath& object,
                    Right right, bool confined, const std::vector<PathFilters>& elsewhere,
                    const RaiseRules& rules) {
  if (right == Right::kList || !rules.hiding_is_listing) {
    const Passing seen = PassHiding(Nearest(chain, &RuleSection::hide_files, rules), object);
    if (right == Right::kList || seen.how != How::kPassed) return seen;
  }
  const PathFilters here = PathFiltersOf(chain, rules);
  if (here.allow == nullptr && here.deny == nullptr) return {};
  static const std::vector<PathFilters> nowhere;
  const Asking asking(here, rules.filters_follow_history ? elsewhere : nowhere, confined);
  if (object.rest != Rest::kNone) return asking.Unnamed();
  const Passing itself = asking.Whole(object.path);
  if (right != Right::kRename || itself.how != How::kPassed) return itself;
  return asking.Ordinary(std::string(access::ParentOf(object.path)));
}

}  // namespace postern::proftpd
