#include "providers/filetransfer/server/entry_rules.h"

#include <fmt/format.h>

#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using posix::ForeignEntry;

constexpr size_t kMostRules = 300;

std::string WhoIs(const ForeignEntry& entry) {
  const char* what = entry.group ? "group" : "account";
  if (!entry.known) {
    return fmt::format("whoever gets the number {}, which is no {} of the host,", entry.subject,
                       what);
  }
  return entry.group ? fmt::format("whoever is in group {}", entry.subject)
                     : fmt::format("{}, an account that Postern doesn't manage,", entry.subject);
}

std::string EffectOf(const ForeignEntry& entry) {
  std::string where = "on " + entry.path;
  if (entry.below > 0) {
    where += fmt::format(" and {} {} below", entry.below, entry.below == 1 ? "node" : "nodes");
  }
  if (entry.rights.empty()) {
    return fmt::format("{} has an entry {}; nothing is in force of it", WhoIs(entry), where);
  }
  return fmt::format("{} {} {} {}{}", WhoIs(entry), entry.reached ? "has" : "would have",
                     access::Format(entry.rights), where,
                     entry.reached ? "" : ", kept out by a folder above");
}

kinds::NativeRule RuleAt(const std::string& server, const std::string& path) {
  kinds::NativeRule rule;
  rule.set_server(server);
  rule.set_file(path);
  rule.set_line(0);
  rule.set_path(path);
  rule.set_by("entry");
  rule.mutable_given();
  return rule;
}

void Add(const ForeignEntry& entry, kinds::NativeRule* rule) {
  const bool first = !rule->has_text();
  rule->set_text(first ? entry.text : rule->text() + "," + entry.text);
  rule->set_effect(first ? EffectOf(entry) : rule->effect() + "; " + EffectOf(entry));
  if (entry.reached && !entry.rights.empty()) {
    rule->mutable_given()->add_values(fmt::format("{} {}", entry.rights.bits(), entry.subject));
  }
}

}  // namespace

std::vector<object::Object> EntryRules(const std::string& server,
                                       const std::vector<ForeignEntry>& entries,
                                       const std::map<std::string, base::Instant>& times) {
  std::vector<object::Object> out;
  const auto put = [&](const kinds::NativeRule& rule) {
    object::Object object = object::Encode(rule);
    if (const auto at = times.find(rule.file()); at != times.end()) {
      object.changed_at = at->second;
      object.how_known = "window";
    }
    out.push_back(std::move(object));
  };
  for (size_t i = 0; i < entries.size();) {
    if (out.size() == kMostRules) {
      kinds::NativeRule rest = RuleAt(server, "/");
      rest.set_text(fmt::format("{} more entries", entries.size() - i));
      rest.set_effect("there are too many entries by other hands to tell each of them");
      rest.mutable_given()->add_values("0 many");
      put(rest);
      break;
    }
    const std::string& path = entries[i].path;
    kinds::NativeRule rule = RuleAt(server, path);
    for (; i < entries.size() && entries[i].path == path; ++i) Add(entries[i], &rule);
    put(rule);
  }
  return out;
}

bool IsEntryRemoval(const object::Operation& operation) {
  return operation.kind == object::Kind::kNativeRule && operation.after.empty() &&
         object::DecodeAs<kinds::NativeRule>(operation.before).by() == "entry";
}

}  // namespace postern::filetransfer
