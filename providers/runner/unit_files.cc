#include "providers/runner/unit_files.h"

#include <algorithm>
#include <cctype>

namespace postern::runner {
namespace {

constexpr std::string_view kUnitPrefix = "postern-job-", kOff = ".off", kFolder = ".d";

}  // namespace

bool IsJobName(std::string_view name) {
  return (name.starts_with("export.") || name.starts_with("import.")) && name.size() > 7 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

std::string UnitOf(std::string_view job) {
  return std::string(kUnitPrefix) + std::string(job);
}

std::string CronFileOf(std::string_view job) {
  std::string out(kUnitPrefix);
  for (const char c : job) {
    if (c == '.') {
      out += "_d";
    } else if (c == '_') {
      out += "__";
    } else {
      out += c;
    }
  }
  return out;
}

std::string JobOfCronFile(std::string_view file) {
  if (!file.starts_with(kUnitPrefix)) return "";
  file.remove_prefix(kUnitPrefix.size());
  if (file.ends_with(kOff)) file.remove_suffix(kOff.size());
  std::string out;
  for (size_t i = 0; i < file.size(); ++i) {
    if (file[i] == '.') return "";
    if (file[i] != '_') {
      out += file[i];
    } else if (++i < file.size() && (file[i] == 'd' || file[i] == '_')) {
      out += file[i] == 'd' ? '.' : '_';
    } else {
      return "";
    }
  }
  return out;
}

std::string JobOfFile(std::string_view file) {
  for (std::string_view ending : {".timer", ".service"}) {
    if (!file.starts_with(kUnitPrefix) || !file.ends_with(ending)) continue;
    return std::string(
        file.substr(kUnitPrefix.size(), file.size() - kUnitPrefix.size() - ending.size()));
  }
  return JobOfCronFile(file);
}

bool DropInsFor(std::string_view folder, std::string_view unit) {
  if (!folder.starts_with(kUnitPrefix) || !folder.ends_with(kFolder)) return false;
  folder.remove_suffix(kFolder.size());
  if (folder == unit) return true;
  const size_t dot = folder.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || folder[dot - 1] != '-') return false;
  return unit.starts_with(folder.substr(0, dot)) && unit.ends_with(folder.substr(dot));
}

}  // namespace postern::runner
