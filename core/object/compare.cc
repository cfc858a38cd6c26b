#include <fmt/format.h>

#include <algorithm>

#include "core/object/object.h"
#include "core/object/wire_fields.h"

namespace postern::object {
namespace {

std::vector<std::string> NormalElements(const FieldTable& table, std::string_view collection) {
  std::vector<std::string> elements;
  for (std::string_view element : Elements(collection)) {
    elements.push_back(Normalise(table.comparator, element));
  }
  std::sort(elements.begin(), elements.end());
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return elements;
}

// "ftp (30000)" -> "ftp", "30000"; a name or a number alone is both.
std::pair<std::string_view, std::string_view> SplitPrincipal(std::string_view text) {
  const size_t open = text.find(" (");
  if (open == std::string_view::npos || !text.ends_with(')')) return {text, text};
  return {text.substr(0, open), text.substr(open + 2, text.size() - open - 3)};
}

bool SamePrincipal(std::string_view a, std::string_view b) {
  const auto [a_name, a_number] = SplitPrincipal(a);
  const auto [b_name, b_number] = SplitPrincipal(b);
  return a_name == b_name || a_number == b_number || a_name == b_number || a_number == b_name;
}

bool SameValue(const FieldTable& table, const WireField& wanted, const WireField& live) {
  if (wanted.raw == live.raw) return true;
  if (wanted.delimited != live.delimited || !wanted.delimited) return false;
  if (table.collection) {
    return NormalElements(table, wanted.bytes) == NormalElements(table, live.bytes);
  }
  if (table.comparator == Comparator::kPrincipal) return SamePrincipal(wanted.bytes, live.bytes);
  return table.comparator != Comparator::kExact &&
         Normalise(table.comparator, wanted.bytes) == Normalise(table.comparator, live.bytes);
}

// Sorts as text: "never" is later than every date.
std::string InstantText(base::Instant at) {
  return at == base::kForever ? "never" : base::FormatInstant(at);
}

std::string ValueText(const FieldTable& table, const WireField& field) {
  if (table.collection) {
    std::string text;
    for (std::string_view element : Elements(field.bytes)) {
      if (!text.empty()) text += ", ";
      text += element;
    }
    return text.empty() ? "none" : text;
  }
  if (field.delimited) return std::string(field.bytes);
  if (table.boolean) return field.varint != 0 ? "true" : "false";
  if (table.instant) return InstantText(static_cast<int64_t>(field.varint));
  return fmt::format("{}", field.varint);
}

// An empty text or set that is wanted and nothing that is live are the same: servers have no empty
// values (RFC 4512 §2.2, passwd-like fields), so such a wish is met by absence.
bool IsEmptyWish(const WireField& wanted, const WireField* live) {
  return live == nullptr && wanted.delimited && wanted.bytes.empty();
}

// Calls `visit(table, wanted, live or null)` for each managed field of `wanted` that isn't a key.
template <class Visit>
void WalkBoth(Kind kind, std::string_view wanted, std::string_view live, const Visit& visit) {
  const KindTable& table = TableOf(kind);
  FieldWalker wanted_walker(wanted), live_walker(live);
  WireField want, have;
  bool more = live_walker.Next(&have);
  while (wanted_walker.Next(&want)) {
    while (more && have.number < want.number) more = live_walker.Next(&have);
    const FieldTable* field = table.Find(want.number);
    if (field == nullptr || field->key) continue;
    const bool found = more && have.number == want.number;
    if (!visit(*field, want, found ? &have : nullptr)) return;
  }
}

}  // namespace

bool Satisfies(Kind kind, std::string_view wanted, std::string_view live) {
  if (wanted == live) return true;
  bool same = true;
  WalkBoth(kind, wanted, live,
           [&](const FieldTable& field, const WireField& want, const WireField* have) {
             if (field.secret) return true;
             same = IsEmptyWish(want, have) || (have != nullptr && SameValue(field, want, *have));
             return same;
           });
  return same;
}

std::vector<FieldDifference> Differences(Kind kind, std::string_view wanted,
                                         std::string_view live) {
  std::vector<FieldDifference> differences;
  WalkBoth(kind, wanted, live,
           [&](const FieldTable& field, const WireField& want, const WireField* have) {
             if (field.secret || IsEmptyWish(want, have)) return true;
             if (have != nullptr && SameValue(field, want, *have)) return true;
             FieldDifference difference;
             difference.field = field.number;
             difference.name = field.name;
             difference.has_after = true;
             difference.after = ValueText(field, want);
             if (have != nullptr) {
               difference.has_before = true;
               difference.before = ValueText(field, *have);
             }
             differences.push_back(std::move(difference));
             return true;
           });
  return differences;
}

uint64_t FieldsSet(std::string_view body) {
  uint64_t set = 0;
  FieldWalker walker(body);
  WireField field;
  while (walker.Next(&field)) set |= uint64_t{1} << (field.number & 63);
  return set;
}

std::string Overlay(Kind, std::string_view base, std::string_view over) {
  std::string merged;
  merged.reserve(base.size() + over.size());
  FieldWalker base_walker(base), over_walker(over);
  WireField below, above;
  bool more_below = base_walker.Next(&below), more_above = over_walker.Next(&above);
  while (more_below || more_above) {
    if (!more_above || (more_below && below.number < above.number)) {
      merged += below.raw;
      more_below = base_walker.Next(&below);
      continue;
    }
    merged += above.raw;
    if (more_below && below.number == above.number) more_below = base_walker.Next(&below);
    more_above = over_walker.Next(&above);
  }
  return merged;
}

}  // namespace postern::object
