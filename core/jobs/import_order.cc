#include "core/jobs/import_order.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/jobs/intake.h"

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

bool IsByName(const decl::Import& import, const decl::AcceptedRoster* before) {
  return import.mode() == "delta" && (before == nullptr || before->sequence() == 0);
}

std::string WhyUnnumbered(const Statement& file, const decl::AcceptedRoster* before) {
  if (before == nullptr || before->sequence() == 0 || file.sequence != 0) return "";
  return fmt::format("it has no sequence, and the last file that was taken has {}",
                     before->sequence());
}

std::string WhyNotAsSaid(const decl::Import& import, const Fetched& fetched, uint64_t rows,
                         uint64_t in_file, uint64_t last) {
  if (fetched.rows && *fetched.rows != rows) {
    return fmt::format("its manifest counts {} rows, there are {}", *fetched.rows, rows);
  }
  if (in_file != 0 && fetched.sequence != 0 && in_file != fetched.sequence) {
    return fmt::format("its manifest says that it is number {}, the file that it is {}",
                       fetched.sequence, in_file);
  }
  const bool delta = import.mode() == "delta" && in_file == 0 && fetched.sequence != 0;
  if (!delta || fetched.base_sequence == last) return "";
  return fmt::format("made for the state {}, the last one taken is {}", fetched.base_sequence,
                     last);
}

std::string WhyFarAhead(const Statement& file, const decl::AcceptedRoster* before) {
  constexpr uint64_t kFirst = 100'000'000'000'000'000;  // a time with its milliseconds is less
  constexpr uint64_t kStep = 1'000'000;
  const uint64_t last = before != nullptr ? before->sequence() : 0;
  const uint64_t most = last == 0 ? kFirst : std::max(kStep, last / 10);  // years of a date or time
  if (file.sequence <= last || file.sequence - last <= most) return "";
  return fmt::format("its sequence is {}, the last one {}: later files would be old", file.sequence,
                     last);
}

}  // namespace postern::jobs
