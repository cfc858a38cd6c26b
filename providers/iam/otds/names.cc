#include "providers/iam/otds/names.h"

namespace postern::iam::otds {
namespace {

constexpr std::string_view kSets[] = {"group", "role", "access_role"};
constexpr std::string_view kUnitSet = "unit";
constexpr std::string_view kMembers[] = {"user", "group", "role", "partition", kUnitSet};

template <class Ref, class Type, size_t kCount>
std::optional<Ref> Parse(std::string_view text, const std::string_view (&types)[kCount]) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  for (size_t i = 0; i < kCount; ++i) {
    if (text.substr(0, colon) == types[i]) {
      return Ref{static_cast<Type>(i), std::string(text.substr(colon + 1))};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string Folded(std::string_view text) {
  return object::Normalise(object::Comparator::kCaseIgnore, text);
}

std::string WithPartition(const std::string& name, const std::string& partition) {
  const std::string tail = "@" + partition;
  const bool has = name.size() > tail.size() &&
                   Same(std::string_view(name).substr(name.size() - tail.size()), tail);
  return has ? name : name + tail;
}

const std::string* Names::PartitionBehind(std::string_view text) const {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return nullptr;
  for (const std::string& partition : partitions_) {
    if (Same(partition, text.substr(at + 1))) return &partition;
  }
  return nullptr;
}

Name Names::Split(std::string_view text) const {
  const std::string* partition = PartitionBehind(text);
  if (partition == nullptr) return {std::string(text), partitions_.front()};
  return {std::string(text.substr(0, text.rfind('@'))), *partition};
}

Name Names::SplitRole(std::string_view text) const {
  const std::string* partition = PartitionBehind(text);
  if (partition == nullptr) return {std::string(text), std::string(kClientPartition)};
  return {std::string(text.substr(0, text.rfind('@'))), *partition};
}

std::string Names::RoleName(const std::string& name, const std::string& partition) {
  return Same(partition, kClientPartition) ? name : WithPartition(name, partition);
}

std::optional<SetRef> ParseSet(std::string_view text) {
  return Parse<SetRef, SetType>(text, kSets);
}
std::string TextOf(const SetRef& set) {
  const std::string_view type =
      set.type == SetType::kUnit ? kUnitSet : kSets[static_cast<size_t>(set.type)];
  return std::string(type) + ":" + set.name;
}

std::optional<MemberRef> ParseMember(std::string_view text) {
  return Parse<MemberRef, MemberType>(text, kMembers);
}
std::string TextOf(const MemberRef& member) {
  return std::string(kMembers[static_cast<size_t>(member.type)]) + ":" + member.name;
}

}  // namespace postern::iam::otds
