#include "tests/golden/plans/normalise.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <regex>
#include <set>

#include "core/base/time.h"

namespace postern::golden {
namespace {

using google::protobuf::Value;

void Replace(std::string* text, const std::string& what, const std::string& with) {
  for (size_t at = 0; !what.empty() && (at = text->find(what, at)) != std::string::npos;) {
    text->replace(at, what.size(), with);
    at += with.size();
  }
}

std::string Machine() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

// A case runs within seconds; yesterday and tomorrow are here for a run at midnight.
std::string WithoutNow(std::string text) {
  const base::Instant now = base::Now();
  for (const base::Instant day : {now - 86400, now, now + 86400}) {
    const std::string date = base::FormatInstant(day).substr(0, 10);
    text = std::regex_replace(text, std::regex(date + "[T ][0-9:]+Z"), "<now>");
    Replace(&text, date, "<now>");  // the first minute of a day is printed without its time
  }
  for (const base::Instant day : {now - 1, now, now + 1}) {
    Replace(&text, std::to_string(day), "<now>");
  }
  return text;
}

void Collect(const Value& value, const std::string& path, std::set<std::string>* paths) {
  if (value.has_struct_value()) {
    for (const auto& [name, member] : value.struct_value().fields()) {
      Collect(member, path.empty() ? name : path + "." + name, paths);
    }
  } else if (value.has_list_value()) {
    for (const Value& element : value.list_value().values()) Collect(element, path + "[]", paths);
  }
  if (!path.empty()) paths->insert(path);
}

}  // namespace

std::string Normalise(std::string text, const std::string& scratch) {
  Replace(&text, scratch, "<work>");
  Replace(&text, " on " + Machine() + ",", " on <machine>,");
  text = WithoutNow(std::move(text));
  text = std::regex_replace(text, std::regex("\\b[0-9a-f]{4} [a-z]+-[a-z]+\\b"), "xxxx some-bird");
  text = std::regex_replace(text, std::regex("\\b[0-9]+\\.[0-9] s\\b"), "0.0 s");
  text = std::regex_replace(text, std::regex("\\bin [0-9,]+ days\\b"), "in N days");
  text = std::regex_replace(text, std::regex("(seen( in [^ \\n]+)?[ \\n]+)[0-2][0-9]:[0-5][0-9]Z"),
                            "$1<time>");
  text = std::regex_replace(text, std::regex("\\b[0-9a-f]{32,64}\\b"), "<digest>");
  // Of a job's unit, which names the specification with its seal.
  text = std::regex_replace(text, std::regex("\\bsha256 [0-9a-f]{12}\\b"), "sha256 <digest>");
  text = std::regex_replace(text, std::regex("\\b[a-z0-9_-]+@" + Machine() + "\\b"), "<me>");
  text = std::regex_replace(text, std::regex("\\b(process|pid) [0-9]+"), "$1 <n>");
  return text;
}

std::string MembersOf(const std::string& text) {
  Value value;
  if (!google::protobuf::util::JsonStringToMessage(text, &value).ok()) return "";
  std::set<std::string> paths;
  Collect(value, "", &paths);
  std::string lines;
  for (const std::string& path : paths) lines += path + "\n";
  return lines;
}

}  // namespace postern::golden
