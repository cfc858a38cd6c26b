#include "core/config/iam_names.h"

#include "core/object/kind.h"

namespace postern::config {
namespace {

std::string Folded(std::string_view text) {
  return object::Normalise(object::Comparator::kCaseIgnore, text);
}

}  // namespace

std::string_view PartitionIn(const decl::Iam& iam, std::string_view name) {
  const size_t at = name.rfind('@');
  if (at == std::string_view::npos || at == 0) return {};
  const std::string behind = Folded(name.substr(at + 1));
  for (const std::string& partition : iam.manage().partitions().values()) {
    if (Folded(partition) == behind) return partition;
  }
  return {};
}

std::string NameIn(const decl::Iam& iam, std::string_view name) {
  const auto& partitions = iam.manage().partitions().values();
  if (!IsOtds(iam) || partitions.empty() || !PartitionIn(iam, name).empty()) {
    return std::string(name);
  }
  return std::string(name) + "@" + partitions[0];
}

std::string WhyNoIamName(std::string_view name) {
  if (name.empty()) return "empty";
  if (name.size() > 256) return "longer than 256 bytes";
  if (name.front() == ' ' || name.back() == ' ') return "a blank at its end";
  if (name.find("  ") != std::string_view::npos) return "two blanks in a row";
  return "";
}

std::string UserNameOf(const decl::Iam& iam, const decl::IamUser& user) {
  return NameIn(iam, user.has_user_name() ? user.user_name() : user.name());
}

std::string GroupNameOf(const decl::Iam& iam, const decl::IamGroup& group) {
  return NameIn(iam, group.has_display_name() ? group.display_name() : group.name());
}

}  // namespace postern::config
