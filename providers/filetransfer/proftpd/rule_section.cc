#include "providers/filetransfer/proftpd/rule_section.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd/raise_directives.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

bool IsOneOf(const ConfigNode& directive, std::initializer_list<std::string_view> words) {
  return !directive.args.empty() &&
         std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return SameWord(word, directive.args[0]); });
}

void Keep(ReasonId* reason, ReasonId fresh) {
  if (*reason == 0) *reason = fresh;
}

void AddSwitch(const ConfigNode& line, std::optional<bool>* value, const NoteReason& note,
               Unknowns* unknown) {
  const bool on = IsOn(line), off = IsOff(line);
  if (!on && !off) return Keep(&unknown->all, note(line, "neither on nor off"));
  // Source: 1.3.8, observed: of two lines in one section the first counts.
  if (!value->has_value()) *value = on;
}

// Source: 1.3.8: `%{...}` is replaced while the daemon reads; from what, the files don't say.
bool TakesVariable(const ConfigNode& line) {
  return std::any_of(line.args.begin(), line.args.end(),
                     [](const std::string& arg) { return arg.find("%{") != std::string::npos; });
}

// The forms of a filter that keeps .ftpaccess files as they are. The daemon eats one backslash.
bool IsAboutAccessFiles(std::string_view regex) {
  for (const std::string_view start : {"(^|/)", "/"}) {
    if (regex.starts_with(start)) regex.remove_prefix(start.size());
  }
  for (const std::string_view dot : {"\\.", "[.]", "."}) {
    if (!regex.starts_with(dot)) continue;
    return regex.substr(dot.size()) == "ftpaccess$";
  }
  return false;
}

// False: the line isn't one that is read, and stays to be told.
bool AddFilter(const ConfigNode& line, const NoteReason& note, RuleSection* section) {
  std::optional<NameFilter>* filter = line.word == "hidefiles"         ? &section->hide_files
                                      : line.word == "pathallowfilter" ? &section->path_allow
                                      : line.word == "pathdenyfilter"  ? &section->path_deny
                                                                       : nullptr;
  if (filter == nullptr || line.args.size() != 1 || TakesVariable(line)) return false;
  std::string text = line.args[0];
  NameFilter made;
  const bool hides = line.word == "hidefiles";
  if (!hides || text != "none") {
    made.negated = hides && text.starts_with('!');
    if (made.negated) text.erase(0, 1);
    made.regex = NameRegex::Make(text);
    if (!made.regex.has_value()) return false;
    made.about_access_files = IsAboutAccessFiles(text);
  }
  made.reason = note(line, "depends on the name that a client gives");
  if (!filter->has_value()) *filter = std::move(made);
  return true;
}

void AddDirective(const ConfigNode& line, const NoteReason& note, RuleSection* section) {
  if (AddFilter(line, note, section)) return;
  const DirectiveUse use = UseOf(line);
  if (use.treatment != Treatment::kHarmless && TakesVariable(line)) {
    return Keep(&section->unknown.all, note(line, "a value that is set at start"));
  }
  switch (use.treatment) {
    case Treatment::kHarmless:
    case Treatment::kServer:
      return;
    case Treatment::kListing:
      return Keep(&section->unknown.listing, note(line, use.why));
    case Treatment::kSftpListing:
      return Keep(&section->unknown.sftp_listing, note(line, use.why));
    case Treatment::kNames:
      return Keep(&section->unknown.names, note(line, use.why));
    case Treatment::kUnknown:
      return Keep(&section->unknown.all, note(line, use.why));
    case Treatment::kRaised:
      break;
  }
  if (line.word == "denyall") section->deny_all = true;
  if (line.word == "allowall") section->allow_all = true;
  if (line.word == "allowoverwrite") {
    AddSwitch(line, &section->overwrite, note, &section->unknown);
  }
  if (line.word == "allowstorerestart") {
    AddSwitch(line, &section->store_restart, note, &section->unknown);
  }
}

}  // namespace

bool IsOn(const ConfigNode& directive) {
  return IsOneOf(directive, {"on", "yes", "true", "1"});
}
bool IsOff(const ConfigNode& directive) {
  return IsOneOf(directive, {"off", "no", "false", "0"});
}

void AddLines(const ConfigNode& node, const AccountNames& names, const RaiseRules& rules,
              const NoteReason& note, bool backward, RuleSection* section) {
  std::vector<Limit> limits;
  for (const ConfigNode& line : node.children) {
    if (line.kind == ConfigNode::Kind::kBroken) {
      Keep(&section->unknown.all, note(line, "not a line of ProFTPD"));
    } else if (line.kind == ConfigNode::Kind::kDirective) {
      AddDirective(line, note, section);
    } else if (line.word == "limit") {
      limits.push_back(CompileLimit(line, names, rules, note));
      if (limits.back().words == 0) limits.pop_back();
    } else if (!IsSectionRaised(line.word)) {
      Keep(&section->unknown.all, note(line, "a section that Postern doesn't know"));
    }
  }
  if (rules.last_limit_first && backward) std::reverse(limits.begin(), limits.end());
  section->limits.insert(section->limits.end(), limits.begin(), limits.end());
}

}  // namespace postern::proftpd
