// A job's specification by its parts: the place that it works at, and its fields one by one.
#include "core/plan/job_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <map>

#include "core/base/hash.h"
#include "core/base/time.h"
#include "core/jobs/spec.h"
#include "schemas/annotations.pb.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using object::FieldDifference;

// A message that is nothing but a list: Strings, ExportColumns.
const FieldDescriptor* ListIn(const Descriptor* message) {
  if (message->field_count() != 1 || !message->field(0)->is_repeated()) return nullptr;
  return message->field(0);
}

std::string Inline(const Message& message);

// One value as it stands in TOML; `index` of a list's element, else -1.
std::string ValueOf(const Message& message, const FieldDescriptor* field, int index, bool quoted) {
  const auto& reflection = *message.GetReflection();
  const bool element = index >= 0;
  const auto& rule = field->options().GetExtension(schema::rule);
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Inline(element ? reflection.GetRepeatedMessage(message, field, index)
                            : reflection.GetMessage(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(element ? reflection.GetRepeatedUInt32(message, field, index)
                                    : reflection.GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64: {
      const int64_t number = reflection.GetInt64(message, field);
      const bool moment = rule.format() == schema::START || rule.format() == schema::END;
      return moment ? base::FormatHuman(number) : std::to_string(number);
    }
    default:
      break;
  }
  const std::string text = element ? reflection.GetRepeatedString(message, field, index)
                                   : reflection.GetString(message, field);
  return quoted ? fmt::format("\"{}\"", text) : text;
}

std::vector<std::string> Elements(const Message* message, const FieldDescriptor* field) {
  std::vector<std::string> out;
  if (message == nullptr) return out;
  const int size = message->GetReflection()->FieldSize(*message, field);
  for (int i = 0; i < size; ++i) out.push_back(ValueOf(*message, field, i, true));
  return out;
}

std::string Bracketed(const std::vector<std::string>& elements) {
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

// { from = "uid", key = true }
std::string Inline(const Message& message) {
  if (const FieldDescriptor* list = ListIn(message.GetDescriptor())) {
    return Bracketed(Elements(&message, list));
  }
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  std::vector<std::string> parts;
  for (const FieldDescriptor* field : set) {
    parts.push_back(fmt::format("{} = {}", field->name(),
                                field->is_repeated() ? Bracketed(Elements(&message, field))
                                                     : ValueOf(message, field, -1, true)));
  }
  return fmt::format("{{ {} }}", fmt::join(parts, ", "));
}

std::string NameIn(const Message* message) {
  if (message == nullptr) return "";
  const FieldDescriptor* name = message->GetDescriptor()->FindFieldByName("name");
  return name == nullptr ? "" : ValueOf(*message, name, -1, false);
}

class Differ {
 public:
  // Of two messages of a kind, either of which may be missing.
  void Compare(const std::string& path, const Message* before, const Message* after);
  std::vector<FieldDifference> Take() { return std::move(out_); }

 private:
  void CompareField(const std::string& path, const FieldDescriptor* field, const Message* before,
                    const Message* after);
  void CompareLists(const std::string& path, const FieldDescriptor* field, const Message* before,
                    const Message* after);
  void Add(const std::string& path, const std::string* before, const std::string* after) {
    FieldDifference difference;
    difference.field = kinds::Job::kSpecFieldNumber;
    difference.name = path;
    difference.has_before = before != nullptr;
    difference.has_after = after != nullptr;
    if (before != nullptr) difference.before = *before;
    if (after != nullptr) difference.after = *after;
    out_.push_back(std::move(difference));
  }
  std::vector<FieldDifference> out_;
};

void Differ::Compare(const std::string& path, const Message* before, const Message* after) {
  const Message* any = before != nullptr ? before : after;
  if (any == nullptr) return;
  const Descriptor* descriptor = any->GetDescriptor();
  if (const FieldDescriptor* list = ListIn(descriptor)) {
    return CompareLists(path, list, before, after);
  }
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->name() == "name" && path.ends_with("." + NameIn(any))) continue;  // says the path
    CompareField(path.empty() ? field->name() : path + "." + field->name(), field, before, after);
  }
}

void Differ::CompareField(const std::string& path, const FieldDescriptor* field,
                          const Message* before, const Message* after) {
  if (field->is_repeated()) return CompareLists(path, field, before, after);
  const auto has = [&](const Message* message) {
    return message != nullptr && message->GetReflection()->HasField(*message, field);
  };
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const auto nested = [&](const Message* message) {
      return has(message) ? &message->GetReflection()->GetMessage(*message, field) : nullptr;
    };
    return Compare(path, nested(before), nested(after));
  }
  const std::string was = has(before) ? ValueOf(*before, field, -1, false) : "";
  const std::string is = has(after) ? ValueOf(*after, field, -1, false) : "";
  if (has(before) == has(after) && was == is) return;
  Add(path, has(before) ? &was : nullptr, has(after) ? &is : nullptr);
}

// Of a list of tables only those that come or go, unless it is their order that differs.
void Differ::CompareLists(const std::string& path, const FieldDescriptor* field,
                          const Message* before, const Message* after) {
  std::vector<std::string> was = Elements(before, field), is = Elements(after, field);
  if (was == is) return;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const auto without = [](const std::vector<std::string>& list,
                            const std::vector<std::string>& other) {
      std::vector<std::string> rest;
      std::copy_if(list.begin(), list.end(), std::back_inserter(rest), [&](const auto& element) {
        return std::find(other.begin(), other.end(), element) == other.end();
      });
      return rest;
    };
    std::vector<std::string> gone = without(was, is), come = without(is, was);
    if (!gone.empty() || !come.empty()) {
      was = std::move(gone);
      is = std::move(come);
    }
  }
  const std::string old_text = Bracketed(was), new_text = Bracketed(is);
  Add(path, was.empty() ? nullptr : &old_text, is.empty() ? nullptr : &new_text);
}

// "endpoint" of [endpoint.acme-drop].
std::string TableOf(const FieldDescriptor* field) {
  const std::string& table =
      field->message_type()->options().GetExtension(schema::declaration).table();
  if (!table.empty()) return table;
  return field->message_type() == job::SecretPlace::descriptor() ? "secret" : field->name();
}

using ByName = std::map<std::string, std::pair<const Message*, const Message*>>;

// What is named there, once or in a list, before and after.
ByName Named(const FieldDescriptor* field, const Message& before, const Message& after) {
  ByName out;
  const auto note = [&](const Message& spec, bool is) {
    const auto& reflection = *spec.GetReflection();
    const auto put = [&](const Message& message) {
      auto& sides = out[NameIn(&message)];
      (is ? sides.second : sides.first) = &message;
    };
    if (!field->is_repeated()) {
      if (reflection.HasField(spec, field)) put(reflection.GetMessage(spec, field));
      return;
    }
    for (int i = 0; i < reflection.FieldSize(spec, field); ++i) {
      put(reflection.GetRepeatedMessage(spec, field, i));
    }
  };
  note(before, false);
  note(after, true);
  return out;
}

}  // namespace

std::string AddressOf(const decl::Endpoint& endpoint) {
  return fmt::format("{} {}{}{}", endpoint.protocol(), endpoint.login(),
                     endpoint.login().empty() ? "" : "@", endpoint.address());
}

std::string TrustOf(const decl::Endpoint& endpoint) {
  if (endpoint.has_ca()) return "authorities of " + endpoint.ca();
  if (!endpoint.has_known_host()) return "";
  const std::string_view line = endpoint.known_host();
  const size_t first = line.find(' ');
  if (first == std::string_view::npos) return "host key " + endpoint.known_host();
  const std::string_view rest = line.substr(first + 1);
  std::string blob;
  if (!base::DecodeBase64(rest.substr(0, rest.find(' ')), &blob)) {
    return "host key " + endpoint.known_host();
  }
  const base::Digest digest = base::Sha256(blob);
  std::string print = base::Base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  while (print.ends_with('=')) print.pop_back();
  return "host key SHA256:" + print;
}

std::vector<FieldDifference> SpecDifferences(std::string_view before, std::string_view after) {
  const auto was = jobs::ParseSpec(before), is = jobs::ParseSpec(after);
  if (!was || !is) return {};
  Differ differ;
  const Descriptor* spec = job::JobSpec::descriptor();
  for (int i = 0; i < spec->field_count(); ++i) {
    const FieldDescriptor* field = spec->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;  // its name and its seal
    for (const auto& [name, sides] : Named(field, *was, *is)) {
      const std::string table = TableOf(field);
      const bool own = table == "export" || table == "import";
      differ.Compare(own            ? ""
                     : name.empty() ? table
                                    : table + "." + name,
                     sides.first, sides.second);
    }
  }
  return differ.Take();
}

}  // namespace postern::plan
