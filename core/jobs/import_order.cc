#include "core/jobs/import_order.h"

#include <fmt/format.h>

#include "core/base/hash.h"

namespace postern::jobs {

std::string KeyOf(const Statement& file) {
  base::Hasher hasher;
  hasher.AddField(file.name);
  hasher.AddField(std::to_string(file.sequence));
  hasher.AddField(file.sha256);
  return base::Hex(hasher.Finish());
}

bool IsLast(const Statement& file, const decl::AcceptedRoster* before) {
  if (before == nullptr || file.sha256 != before->file_sha256()) return false;
  return file.sequence != 0 ? file.sequence == before->sequence() : file.name == before->file();
}

std::string WhyOld(const Statement& file, const decl::AcceptedRoster* before) {
  if (before == nullptr) return "";
  if (file.sequence != 0 && file.sequence <= before->sequence()) {
    return fmt::format("its sequence {} was taken already, the last one is {}", file.sequence,
                       before->sequence());
  }
  if (file.sequence != 0 || file.name >= before->file()) return "";
  return fmt::format("{} was taken already, and names are taken in their order", before->file());
}

}  // namespace postern::jobs
