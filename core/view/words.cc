#include "core/view/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/hash.h"
#include "core/object/wire_fields.h"
#include "core/view/style.h"

namespace postern::view {
namespace {

using object::FieldTable;
using object::Kind;
using object::WireField;

struct Plural {
  std::string_view type, one, many;
};
constexpr Plural kIdentities[] = {
    {"person", "person", "people"},
    {"partner", "partner", "partners"},
    {"service", "service", "services"},
    {"user", "user", "users"},
    {"group", "group", "groups"},
    {"account", "account nobody declared", "accounts nobody declared"},
    {"directory", "entry", "entries"},
    {"oauth_client", "client", "clients"},
};

// A user of an IAM system is a user, declared or not.
std::string_view TypeOf(std::string_view identity) {
  const std::string_view type = identity.substr(0, identity.find(':'));
  return type == "iam_user" || type == "iam" ? "user" : type;
}

bool ParseNumber(const std::string& text, uint32_t* number) {
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *number);
  return result.ec == std::errc() && result.ptr == end;
}

bool IsRights(Kind kind, std::string_view field) {
  return kind == Kind::kGrant && field == "rights";
}

void WriteValue(JsonWriter& json, Kind kind, const FieldTable& table, const WireField& field) {
  if (table.secret) {
    json.Value("(secret)");
  } else if (table.collection) {
    json.Array();
    for (std::string_view element : object::Elements(field.bytes)) json.Value(element);
    json.End();
  } else if (field.delimited) {
    json.Value(field.bytes);
  } else if (table.boolean) {
    json.Value(field.varint != 0);
  } else if (table.instant) {
    json.Time(static_cast<int64_t>(field.varint));
  } else if (IsRights(kind, table.name)) {
    const access::Rights rights(static_cast<uint32_t>(field.varint));
    json.Array();
    for (int i = 0; i < access::kRightCount; ++i) {
      const auto right = static_cast<access::Right>(i);
      if (rights.Has(right)) json.Value(access::NameOf(right));
    }
    json.End();
  } else {
    json.Value(field.varint);
  }
}

// A whole file in a line: enough to tell two apart.
std::string TextOfFile(const std::string& text) {
  if (text.empty()) return "none";
  std::string out = fmt::format("{} lines, sha256 {}", std::count(text.begin(), text.end(), '\n'),
                                base::Hex(base::Sha256(text)).substr(0, 12));
  // Further files that make a unit what it is stand below it, as systemctl cat shows them.
  constexpr std::string_view kHead = "\n# /";
  for (size_t at = text.find(kHead); at != std::string::npos; at = text.find(kHead, at + 1)) {
    const size_t from = at + kHead.size() - 1;
    out += ", with " + text.substr(from, text.find('\n', from) - from);
  }
  return out;
}

std::string FieldText(Kind kind, const FieldTable& table, const WireField& field) {
  if (table.secret) return "(secret)";
  if (table.collection) {
    std::string text;
    for (std::string_view element : object::Elements(field.bytes)) {
      text += (text.empty() ? "" : ", ") + std::string(element);
    }
    return text.empty() ? "none" : text;
  }
  if (field.delimited) return ValueText(kind, table.name, std::string(field.bytes));
  if (table.boolean) return field.varint != 0 ? "true" : "false";
  if (table.instant) return Moment(static_cast<int64_t>(field.varint));
  return ValueText(kind, table.name, fmt::format("{}", field.varint));
}

}  // namespace

Who WhoIs(std::string_view identity) {
  const size_t colon = identity.find(':');
  if (colon == std::string_view::npos) return {std::string(identity), ""};
  const std::string_view type = identity.substr(0, colon);
  std::string name(identity.substr(colon + 1));
  if (type == "person") return {name, ""};
  if (type == "directory") {
    const size_t slash = name.find('/');
    if (slash == std::string::npos) return {name, "entry"};
    // "corp/jo#UUID" as roles name an entry; a DN has an equals sign before all else.
    if (name.find('=') == std::string::npos)
      return {EntryName(identity), "in " + name.substr(0, slash)};
    return {ShortDn(std::string_view(name).substr(slash + 1)), "in " + name.substr(0, slash)};
  }
  if (type == "iam") {
    const size_t slash = name.find('/');
    if (slash == std::string::npos) return {name, "user"};
    return {EntryName(identity), "in " + name.substr(0, slash)};
  }
  return {name, type == "oauth_client" ? "client" : std::string(TypeOf(identity))};
}

std::string EntryName(std::string_view identity) {
  const std::string_view behind = identity.substr(identity.find('/') + 1);
  std::string name(behind.substr(0, behind.rfind('#')));
  return name.starts_with(access::kClientEntry) ? name.substr(sizeof access::kClientEntry - 1)
                                                : name;
}

std::string SetWords(std::string_view set) {
  const auto [type, name] = object::SplitTyped(set);
  if (type == "role" || type == "access_role") {
    return object::Spoken(type) + " " + std::string(name);
  }
  return "member of " + (type == "group" ? std::string(name) : ShortDn(set));
}

std::string CountWho(const std::set<std::string>& identities) {
  std::map<std::string_view, size_t> counts;
  for (const std::string& identity : identities) {
    counts[TypeOf(identity)]++;
  }
  std::string out;
  for (const Plural& plural : kIdentities) {
    const auto at = counts.find(plural.type);
    if (at == counts.end()) continue;
    out += (out.empty() ? "" : ", ") + Count(at->second, plural.one, plural.many);
    counts.erase(at);
  }
  for (const auto& [type, count] : counts) {
    out += (out.empty() ? "" : ", ") + Count(count, "identity", "identities");
  }
  return out;
}

std::string_view ShortTarget(std::string_view target) {
  return target.substr(target.find(':') == std::string_view::npos ? 0 : target.find(':') + 1);
}

std::string ShortDn(std::string_view dn) {
  const size_t equals = dn.find('=');
  if (equals == std::string_view::npos) return std::string(dn);
  std::string out;
  for (size_t i = equals + 1; i < dn.size() && dn[i] != ',' && dn[i] != '+'; ++i) {
    if (dn[i] == '\\' && i + 1 < dn.size()) ++i;
    out += dn[i];
  }
  return out;
}

std::string CountKind(size_t count, Kind kind) {
  std::string name(object::NameOf(kind));
  for (char& c : name) {
    if (c == '_') c = ' ';
  }
  return Count(count, name);
}

std::string_view PastWord(plan::Action action) {
  switch (action) {
    case plan::Action::kCreate:
      return "+";
    case plan::Action::kDelete:
    case plan::Action::kEnd:
      return "-";
    case plan::Action::kReplace:
      return "-+";
    case plan::Action::kAdopt:
    case plan::Action::kRelease:
    case plan::Action::kForget:
      return "=";
    default:
      return "~";
  }
}

std::string_view WhyOf(plan::Reason reason) {
  switch (reason) {
    case plan::Reason::kDeclared:
      return "declared";
    case plan::Reason::kChanged:
      return "declaration changed";
    case plan::Reason::kDrift:
      return "changed by other hands";
    case plan::Reason::kRemoved:
      return "no longer declared";
    case plan::Reason::kExpired:
      return "its time is over";
    case plan::Reason::kForeign:
      return "declared nowhere";
    case plan::Reason::kReplaced:
      return "re-created by other hands";
    case plan::Reason::kRetention:
      return "locked long enough ago";
    case plan::Reason::kConsequence:
      return "follows from another change";
    case plan::Reason::kFact:
      return "a source shows it otherwise";
  }
  return "";
}

std::string ValueText(Kind kind, std::string_view field, const std::string& value) {
  uint32_t number = 0;
  if (IsRights(kind, field) && ParseNumber(value, &number)) {
    const access::Rights rights(number);
    return rights.empty() ? "no right" : access::Format(rights);
  }
  if (kind == Kind::kFolder && field == "mode" && ParseNumber(value, &number)) {
    return fmt::format("{:04o}", number);
  }
  if (kind == Kind::kJob &&
      (field == "spec" || field == "timer" || field == "service" || field == "cron")) {
    return TextOfFile(value);
  }
  return value;
}

std::string Moment(base::Instant at) {
  if (at == base::kForever) return "never";
  return at == 0 || at == base::kAlways ? "" : base::FormatHuman(at);
}

std::string Took(base::Instant seconds) {
  constexpr base::Instant kMinute = 60, kHour = 3600, kDay = 86400;
  const auto two = [&](base::Instant unit, const char* word, base::Instant part, const char* rest) {
    const base::Instant left = seconds % unit / part;
    return fmt::format("{} {}", seconds / unit, word) +
           (left == 0 ? "" : fmt::format(" {} {}", left, rest));
  };
  if (seconds < kMinute) return fmt::format("{} s", seconds);
  if (seconds < kHour) return two(kMinute, "min", 1, "s");
  if (seconds < kDay) return two(kHour, "h", kMinute, "min");
  return two(kDay, seconds < 2 * kDay ? "day" : "days", kHour, "h");
}

std::string ChangedBy(std::string_view who, base::Instant at, std::string_view how_known) {
  if (who.empty() && at == 0) return "who and when: not recorded";
  std::string out = at == 0 ? "changed" : "changed " + base::FormatHuman(at);
  out += who.empty() ? ", who: not recorded" : fmt::format(" by {}", who);
  if (!how_known.empty() && !who.empty()) out += fmt::format(" ({})", how_known);
  return out;
}

void WriteBody(JsonWriter& json, Kind kind, std::string_view body) {
  const object::KindTable& table = object::TableOf(kind);
  json.Object();
  object::FieldWalker walker(body);
  WireField field;
  while (walker.Next(&field)) {
    const FieldTable* row = table.Find(field.number);
    if (row == nullptr) continue;
    json.Key(row->name);
    WriteValue(json, kind, *row, field);
  }
  json.End();
}

void WriteBodyField(JsonWriter& json, std::string_view name, Kind kind, std::string_view body) {
  json.Key(name);
  if (body.empty()) {
    json.Null();
  } else {
    WriteBody(json, kind, body);
  }
}

std::vector<std::string> BodyLines(Kind kind, std::string_view body) {
  const object::KindTable& table = object::TableOf(kind);
  std::vector<std::string> lines;
  object::FieldWalker walker(body);
  WireField field;
  while (walker.Next(&field)) {
    const FieldTable* row = table.Find(field.number);
    if (row == nullptr || row->key) continue;
    lines.push_back(row->name + ": " + FieldText(kind, *row, field));
  }
  return lines;
}

}  // namespace postern::view
