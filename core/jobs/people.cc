#include "core/jobs/people.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/compile/compiler.h"
#include "core/config/roster.h"
#include "core/config/values.h"
#include "core/object/kind.h"

namespace postern::jobs {

using google::protobuf::Message;

std::string FoldedValue(std::string_view text) {
  return object::Normalise(object::Comparator::kCaseIgnore, text);
}

People::People(const MatchInput& input, RosterCounts* counts)
    : iam(config::IsIam(input.import)),
      attributes(input.import.what() == "attributes"),
      login(config::RosterField(iam, iam ? "user_name" : "uid")),
      in_(input),
      import_(input.import) {
  attributes ? TakeDeclared(counts) : TakeBefore(counts);
  Index();
}

void People::TakeBefore(RosterCounts* counts) {
  if (in_.before == nullptr) return;
  counts->rows_before = in_.before->rows();
  for (const decl::RosterPerson& person : in_.before->people()) {
    Known& known = all.emplace_back();
    known.person = person;
    // What an older file said keeps its place there.
    if (known.person.file().empty()) known.person.set_file(in_.before->file());
    if (!person.left()) ++counts->before;
    names_.insert(person.name());
  }
}

// Those whom others declare where this import may fill values in.
void People::TakeDeclared(RosterCounts* counts) {
  std::unordered_map<std::string, const decl::RosterPerson*> before;
  if (in_.before != nullptr) {
    counts->rows_before = in_.before->rows();
    for (const auto& person : in_.before->people()) before.emplace(person.name(), &person);
  }
  const auto take = [&](const auto& declarations, const char* table, const auto& in_scope) {
    for (const auto& declared : declarations) {
      if (!in_scope(declared.message)) continue;
      if (IsOfAnotherOwner(table + declared.message.name())) continue;
      Known& known = all.emplace_back();
      known.declared = &declared.message;
      if (const auto found = before.find(declared.message.name()); found != before.end()) {
        known.person = *found->second;
        if (known.person.file().empty()) known.person.set_file(in_.before->file());
      } else {
        known.is_new = true;
        known.person.set_name(declared.message.name());
      }
      ++counts->before;
    }
  };
  const std::string target = config::TargetName(import_);
  if (iam) {
    const std::string end = "@" + FoldedValue(import_.partition());
    take(in_.declarations->iam_users, "iam_user:", [&](const decl::IamUser& user) {
      return user.iam() == target &&
             (!import_.has_partition() || FoldedValue(user.user_name()).ends_with(end));
    });
  } else {
    take(in_.declarations->users, "user:", [&](const decl::User& user) {
      return user.directory() == target && Below(user);
    });
  }
}

// A partner's file says nothing of people whom another owner's import declares.
bool People::IsOfAnotherOwner(const std::string& address) const {
  if (!import_.owner().starts_with("partner:")) return false;
  const auto by = in_.declarations->imported_by.find(address);
  if (by == in_.declarations->imported_by.end()) return false;
  const auto& imports = in_.declarations->imports;
  return std::none_of(imports.begin(), imports.end(), [&](const auto& import) {
    return import.message.name() == by->second && import.message.owner() == import_.owner();
  });
}

bool People::Below(const decl::User& user) const {
  if (!import_.has_base()) return true;
  const std::string base = "," + object::Normalise(object::Comparator::kDn, import_.base());
  std::string dn = user.dn();
  for (const auto& directory : in_.declarations->directories) {
    if (!dn.empty() || directory.message.name() != user.directory()) continue;
    dn = compile::ChildDn("uid", user.has_uid() ? user.uid() : user.name(),
                          directory.message.users_ou());
  }
  return object::Normalise(object::Comparator::kDn, dn).ends_with(base);
}

Message* People::MessageOf(decl::RosterPerson* person) const {
  if (iam) return person->mutable_iam_user();
  return person->mutable_user();
}

const Message& People::MessageOf(const decl::RosterPerson& person) const {
  if (iam) return person.iam_user();
  return person.user();
}

std::vector<std::string> People::ValuesOf(const Known& known, const Field& field) const {
  const Message& message = known.declared != nullptr ? *known.declared : MessageOf(known.person);
  std::vector<std::string> values = config::ValuesOf(message, field);
  for (std::string& value : values) value = FoldedValue(Bare(field, value));
  return values;
}

// A user name without the partition that the import gives it.
std::string People::Bare(const Field& field, const std::string& value) const {
  if (&field != login || !import_.has_partition()) return value;
  return value.substr(0, value.rfind('@'));
}

void People::Index() {
  for (const std::string& attribute : import_.match().values()) {
    const Field* field = config::RosterField(iam, attribute);
    auto& index = by_[attribute];
    for (size_t i = 0; i < all.size(); ++i) {
      for (std::string& value : ValuesOf(all[i], *field)) index[std::move(value)].push_back(i);
    }
  }
  if (attributes) return;
  for (size_t i = 0; i < all.size(); ++i) {
    for (std::string& value : ValuesOf(all[i], *login)) by_login_[std::move(value)] = i;
  }
}

const std::vector<size_t>& People::With(const std::string& attribute,
                                        const std::string& value) const {
  static const std::vector<size_t> kNobody;
  const auto index = by_.find(attribute);
  if (index == by_.end()) return kNobody;
  const auto found = index->second.find(FoldedValue(value));
  return found == index->second.end() ? kNobody : found->second;
}

size_t People::TakeLogin(const decl::RosterPerson& person, size_t self) {
  const auto values = config::ValuesOf(MessageOf(person), *login);
  return by_login_.try_emplace(FoldedValue(Bare(*login, values[0])), self).first->second;
}

std::string People::WhyAnothers(const decl::RosterPerson* before,
                                const decl::RosterPerson& after) const {
  if (in_.others == nullptr || attributes) return "";
  const std::string& join = in_.others->join;
  for (const auto& [field, values] :
       {std::pair(login, &in_.others->logins),
        std::pair(join.empty() ? nullptr : config::RosterField(iam, join), &in_.others->joined)}) {
    if (field == nullptr) continue;
    const auto had = before == nullptr ? std::vector<std::string>()
                                       : config::ValuesOf(MessageOf(*before), *field);
    for (const std::string& value : config::ValuesOf(MessageOf(after), *field)) {
      const bool is_new = std::find(had.begin(), had.end(), value) == had.end();
      if (!is_new || !values->contains(FoldedValue(value))) continue;
      return fmt::format("its {} is that of somebody who isn't of this import", field->name());
    }
  }
  return "";
}

std::string People::NewName(const std::string& key) const {
  std::string name = fmt::format("{}.{}", import_.name(), FoldedValue(key));
  if (config::CheckName(name)) {
    name = fmt::format("{}.{}", import_.name(), base::Hex(base::Sha256(key)).substr(0, 16));
  }
  std::string unique = name;
  for (int i = 2; names_.contains(unique); ++i) unique = fmt::format("{}.{}", name, i);
  return unique;
}

size_t People::Add(Known known) {
  names_.insert(known.person.name());
  all.push_back(std::move(known));
  return all.size() - 1;
}

bool People::IsEnabled(const decl::RosterPerson& person, base::Instant at) const {
  if (person.left() || !Parts(person).first) return false;
  const auto end = EndOf(person);
  return !end || *end > at;
}

std::optional<base::Instant> People::EndOf(const decl::RosterPerson& person) const {
  const auto end = config::ValuesOf(MessageOf(person), *config::RosterField(iam, "expires"));
  if (end.empty()) return std::nullopt;
  return std::stoll(end[0]);
}

void People::SetEnd(base::Instant end, decl::RosterPerson* person) const {
  config::SetValues(*config::RosterField(iam, "expires"), {std::to_string(end)}, MessageOf(person));
}

std::pair<bool, std::string> People::Parts(const decl::RosterPerson& person) const {
  const auto without = [](bool enabled, auto message, auto clear) {
    clear(message);
    return std::pair(enabled, message.SerializeAsString());
  };
  if (iam) {
    const decl::IamUser& user = person.iam_user();
    return without(!user.has_active() || user.active(), user, [](decl::IamUser& rest) {
      rest.clear_active();
      rest.clear_expires();
    });
  }
  const decl::User& user = person.user();
  return without(!user.has_enabled() || user.enabled(), user, [](decl::User& rest) {
    rest.clear_enabled();
    rest.clear_expires();
  });
}

void People::Leave(Known* known, RosterCounts* counts) const {
  if (known->person.left()) return;
  if (IsEnabled(known->person, in_.now)) ++counts->disable;
  if (attributes) {  // its values go; the person is others'
    known->person.clear_user();
    known->person.clear_iam_user();
    known->is_new = true;
    return;
  }
  known->person.set_left(true);
  iam ? known->person.mutable_iam_user()->set_active(false)
      : known->person.mutable_user()->set_enabled(false);
}

void CountMissing(const decl::Import& import, People* people, RosterCounts* counts) {
  const auto& may = import.may().values();
  const char* needs = people->attributes ? "update" : "disable";
  const bool may_leave = std::find(may.begin(), may.end(), needs) != may.end();
  const uint32_t most = import.has_missing_files() ? std::max(1u, import.missing_files()) : 1;
  for (Known& known : people->all) {
    if (known.spoken_of || known.person.left() || known.is_new) continue;
    known.person.set_missing(known.person.missing() + 1);
    if (known.person.missing() >= most && may_leave) people->Leave(&known, counts);
  }
}

}  // namespace postern::jobs
