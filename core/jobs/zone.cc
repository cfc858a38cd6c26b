#include "core/jobs/zone.h"

#include <algorithm>

namespace postern::jobs {
namespace {

bool IsZoneName(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/') return false;
  // "localtime" and the like aren't names of a zone but of what a machine is set to.
  if (name == "localtime" || name == "posixrules") return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  });
}

}  // namespace

std::optional<Zone> FindZone(const std::string& name) {
  Zone zone;
  if (!IsZoneName(name) || !absl::LoadTimeZone(name, &zone)) return {};
  return zone;
}

std::string FormatLocal(const std::string& format, base::Instant at, const Zone& zone) {
  return absl::FormatTime(format, absl::FromUnixSeconds(at), zone);
}

std::optional<base::Instant> ParseLocal(const std::string& format, std::string_view text,
                                        const Zone& zone) {
  absl::Time time;
  std::string why;
  if (!absl::ParseTime(format, absl::string_view(text.data(), text.size()), zone, &time, &why)) {
    return {};
  }
  // Abseil takes "7" for "07", and a time that a change of clocks skips; a file may not.
  const base::Instant at = absl::ToUnixSeconds(time);
  if (FormatLocal(format, at, zone) != text) return {};
  return at;
}

}  // namespace postern::jobs
