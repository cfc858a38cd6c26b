#include "core/access/account_set.h"

#include <algorithm>
#include <iterator>

namespace postern::access {
namespace {

using Ids = std::vector<uint32_t>;

Ids Union(const Ids& a, const Ids& b) {
  Ids out;
  out.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}
Ids Common(const Ids& a, const Ids& b) {
  Ids out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}
Ids Less(const Ids& a, const Ids& b) {
  Ids out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

ReasonId Either(ReasonId a, ReasonId b) {
  return a != 0 ? a : b;
}

}  // namespace

AccountSet AccountSet::Of(std::vector<uint32_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return AccountSet(false, std::move(ids));
}

bool AccountSet::Has(uint32_t id) const {
  return std::binary_search(ids_.begin(), ids_.end(), id) != inverted_;
}

bool AccountSet::IsEmptyOf(uint32_t count) const {
  if (!inverted_) return ids_.empty() || ids_.front() >= count;
  return static_cast<size_t>(std::lower_bound(ids_.begin(), ids_.end(), count) - ids_.begin()) ==
         count;
}

std::vector<uint32_t> AccountSet::Members(uint32_t count) const {
  std::vector<uint32_t> out;
  if (!inverted_) {
    out.assign(ids_.begin(), std::lower_bound(ids_.begin(), ids_.end(), count));
    return out;
  }
  for (uint32_t id = 0; id < count; ++id) {
    if (Has(id)) out.push_back(id);
  }
  return out;
}

AccountSet AccountSet::operator|(const AccountSet& other) const {
  return ~(~*this & ~other);
}

AccountSet AccountSet::operator&(const AccountSet& other) const {
  if (inverted_ && other.inverted_) return {true, Union(ids_, other.ids_)};
  if (inverted_) return {false, Less(other.ids_, ids_)};
  if (other.inverted_) return {false, Less(ids_, other.ids_)};
  return {false, Common(ids_, other.ids_)};
}

Answer Answer::operator&(const Answer& other) const {
  const AccountSet sure = yes & other.yes;
  if (maybe.IsNobody() && other.maybe.IsNobody()) return {sure, {}, 0};
  return {sure, ((yes | maybe) & (other.yes | other.maybe)) - sure, Either(reason, other.reason)};
}

Answer Answer::operator|(const Answer& other) const {
  AccountSet sure = yes | other.yes;
  if (maybe.IsNobody() && other.maybe.IsNobody()) return {std::move(sure), {}, 0};
  AccountSet unsure = (maybe | other.maybe) - sure;
  return {std::move(sure), std::move(unsure), Either(reason, other.reason)};
}

}  // namespace postern::access
