#include "core/config/roster.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kUserFields[] = {
    "uid",  "common_name",     "surname",     "given_name", "display_name",
    "mail", "employee_number", "description", "enabled",    "expires"};
constexpr std::string_view kIamFields[] = {
    "user_name",   "external_id",     "display_name", "given_name", "family_name",
    "mail",        "employee_number", "department",   "division",   "organization",
    "cost_center", "title",           "user_type",    "active",     "expires"};

// One import's roster on its way into the declarations.
class Adder {
 public:
  Adder(const Declared<decl::Import>& import, const decl::AcceptedRoster& roster,
        diag::Sources* sources, Declarations* declarations, diag::Diagnostics* diagnostics)
      : import_(import),
        roster_(roster),
        sources_(*sources),
        out_(*declarations),
        diagnostics_(*diagnostics) {}

  void Run() {
    const bool attributes = import_.message.what() == "attributes";
    for (const decl::RosterPerson& person : roster_.people()) {
      if (person.has_user()) {
        attributes ? Fill(person, person.user(), &out_.users) : Add(person, person.user());
      } else if (person.has_iam_user()) {
        attributes ? Fill(person, person.iam_user(), &out_.iam_users)
                   : Add(person, person.iam_user());
      }
    }
  }

 private:
  diag::Span SpanOf(const decl::RosterPerson& person) {
    const std::string& file = person.file().empty() ? roster_.file() : person.file();
    auto& index = files_[file];
    if (index == 0) index = sources_.Add(file, "");
    const auto line = static_cast<uint32_t>(person.line());
    return {index, line, 1, line, 1};
  }

  void Add(const decl::RosterPerson& person, const decl::User& user) {
    Own("user:" + user.name());
    out_.users.push_back({user, SpanOf(person), {}});
  }
  void Add(const decl::RosterPerson& person, const decl::IamUser& user) {
    Own("iam_user:" + user.name());
    out_.iam_users.push_back({user, SpanOf(person), {}});
  }
  void Own(std::string address) {
    out_.imported_by.emplace(std::move(address), import_.message.name());
  }

  // The people of one table by name: made when the first of them is asked for.
  template <class M>
  Declared<M>* Find(std::vector<Declared<M>>* all, const std::string& name) {
    if (!indexed_) {
      for (size_t i = 0; i < all->size(); ++i) by_name_.emplace((*all)[i].message.name(), i);
      indexed_ = true;
    }
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &(*all)[found->second];
  }

  template <class M>
  void Fill(const decl::RosterPerson& person, const M& values, std::vector<Declared<M>>* all) {
    Declared<M>* declared = Find(all, person.name());
    if (declared == nullptr) return;  // its declaration went since; the next file tells the sender
    const diag::Span span = SpanOf(person);
    std::vector<const FieldDescriptor*> fields;
    M::GetReflection()->ListFields(values, &fields);
    for (const FieldDescriptor* field : fields) {
      if (RosterField(IsIam(import_.message), field->name()) != field) continue;
      if (M::GetReflection()->HasField(declared->message, field)) {
        Overlap(person, *field, declared->At(field->number()), span);
        continue;
      }
      SetValues(*field, ValuesOf(values, *field), &declared->message);
      const uint32_t whole = static_cast<uint32_t>(field->number()) << 16;
      const auto at =
          std::lower_bound(declared->fields.begin(), declared->fields.end(), whole,
                           [](const auto& place, uint32_t key) { return place.first < key; });
      declared->fields.insert(at, {whole, span});
    }
  }

  void Overlap(const decl::RosterPerson& person, const FieldDescriptor& field,
               const diag::Span& there, const diag::Span& here) {
    auto& d = diagnostics_.Add(
        {.code = code::kRosterOverlap,
         .summary = fmt::format("{} of \"{}\" is declared twice: here and by import \"{}\"",
                                field.name(), person.name(), import_.message.name()),
         .span = there,
         .label = "declared here",
         .notes = {"leave it out here, or take the column out of the import"}});
    d.also.push_back({here, "and in this line of the import's file"});
    d.also.push_back({import_.span, "by this import"});
  }

  const Declared<decl::Import>& import_;
  const decl::AcceptedRoster& roster_;
  diag::Sources& sources_;
  Declarations& out_;
  diag::Diagnostics& diagnostics_;
  std::unordered_map<std::string, uint32_t> files_;
  std::unordered_map<std::string, size_t> by_name_;
  bool indexed_ = false;
};

}  // namespace

std::vector<std::string_view> RosterFieldNames(bool iam) {
  if (iam) return {std::begin(kIamFields), std::end(kIamFields)};
  return {std::begin(kUserFields), std::end(kUserFields)};
}

const FieldDescriptor* RosterField(bool iam, std::string_view name) {
  const auto names = RosterFieldNames(iam);
  if (std::find(names.begin(), names.end(), name) == names.end()) return nullptr;
  const auto* message = iam ? decl::IamUser::descriptor() : decl::User::descriptor();
  return message->FindFieldByName(std::string(name));
}

std::vector<std::string> ValuesOf(const Message& person, const FieldDescriptor& field) {
  const auto& reflection = *person.GetReflection();
  if (!reflection.HasField(person, &field)) return {};
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return {reflection.GetBool(person, &field) ? "true" : "false"};
    case FieldDescriptor::CPPTYPE_INT64:
      return {std::to_string(reflection.GetInt64(person, &field))};
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const auto& list =
          static_cast<const decl::Strings&>(reflection.GetMessage(person, &field)).values();
      return {list.begin(), list.end()};
    }
    default:
      return {reflection.GetString(person, &field)};
  }
}

void SetValues(const FieldDescriptor& field, const std::vector<std::string>& values,
               Message* person) {
  const auto& reflection = *person->GetReflection();
  reflection.ClearField(person, &field);
  if (values.empty()) return;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(person, &field, values[0] == "true");
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(person, &field, std::stoll(values[0]));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      auto* list = static_cast<decl::Strings*>(reflection.MutableMessage(person, &field));
      for (const std::string& value : values) list->add_values(value);
      return;
    }
    default:
      return reflection.SetString(person, &field, values[0]);
  }
}

void AddRosters(const std::vector<decl::AcceptedRoster>& rosters, diag::Sources* sources,
                Declarations* declarations, diag::Diagnostics* diagnostics) {
  // Attributes last: they may be of people that another roster declares.
  for (const bool attributes : {false, true}) {
    for (const auto& import : declarations->imports) {
      if ((import.message.what() == "attributes") != attributes) continue;
      for (const decl::AcceptedRoster& roster : rosters) {
        if (roster.import() != import.message.name()) continue;
        Adder(import, roster, sources, declarations, diagnostics).Run();
      }
    }
  }
}

}  // namespace postern::config
