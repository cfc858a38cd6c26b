#include "core/jobs/match.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "core/base/hash.h"
#include "core/compile/compiler.h"
#include "core/compile/role_values.h"
#include "core/config/roster.h"
#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/object/kind.h"

namespace postern::jobs {
namespace {

namespace code = diag::code;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kNobody = SIZE_MAX;
constexpr base::Instant kDay = 86400;

std::string Folded(std::string_view text) {
  return object::Normalise(object::Comparator::kCaseIgnore, text);
}

// A person while a file is looked at.
struct Known {
  decl::RosterPerson person;
  const Message* declared = nullptr;  // attributes: what others say of it
  size_t row = kNobody;               // that is this person
  bool is_new = false;
};

class Matcher {
 public:
  Matcher(const MatchInput& input, const RosterFile& file)
      : in_(input),
        import_(input.import),
        file_(file),
        iam_(config::IsIam(import_)),
        attributes_(import_.what() == "attributes"),
        rows_(file.rows) {
    for (const auto& column : import_.columns().values()) {
      fields_.push_back(config::RosterField(iam_, column.to()));
      if (column.to() == "expires") expires_ = fields_.back();
    }
    for (const std::string& may : import_.may().values()) may_.insert(may);
    login_ = config::RosterField(iam_, iam_ ? "user_name" : "uid");
    contract_end_ = ContractEnd();
  }

  Matched Run() {
    out_.refused = file_.refused;
    out_.counts.delta = import_.mode() == "delta";
    attributes_ ? TakeDeclared() : TakeBefore();
    Index();
    std::vector<size_t> found(rows_.size(), kNobody);
    for (size_t i = 0; i < rows_.size(); ++i) found[i] = Find(i);
    RefuseSharers(found);
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (!refused_.contains(i)) Use(i, found[i]);
    }
    if (!out_.counts.delta) CountMissing();
    Finish();
    return std::move(out_);
  }

 private:
  void Refuse(size_t row, const char* code, std::string text) {
    refused_.insert(row);
    out_.refused.push_back({rows_[row].line, code, "", "", std::move(text), ""});
  }

  base::Instant ContractEnd() const {
    constexpr std::string_view kPartner = "partner:";
    if (in_.declarations == nullptr || !import_.owner().starts_with(kPartner)) {
      return base::kForever;
    }
    for (const auto& partner : in_.declarations->partners) {
      if (partner.message.name() != import_.owner().substr(kPartner.size())) continue;
      const decl::Contract& contract = partner.message.contract();
      return contract.has_ends() ? contract.ends() : base::kForever;
    }
    return base::kForever;
  }

  void TakeBefore() {
    if (in_.before == nullptr) return;
    out_.counts.rows_before = in_.before->rows();
    for (const decl::RosterPerson& person : in_.before->people()) {
      people_.push_back({person, nullptr, kNobody, false});
      Known& known = people_.back();
      // What an older file said keeps its place there.
      if (known.person.file().empty()) known.person.set_file(in_.before->file());
      if (!person.left()) ++out_.counts.before;
      names_.insert(person.name());
    }
  }

  // Those whom others declare where this import may fill values in.
  void TakeDeclared() {
    std::unordered_map<std::string, const decl::RosterPerson*> before;
    if (in_.before != nullptr) {
      out_.counts.rows_before = in_.before->rows();
      for (const auto& person : in_.before->people()) before.emplace(person.name(), &person);
    }
    const auto take = [&](const auto& all, const auto& in_scope) {
      for (const auto& declared : all) {
        if (!in_scope(declared.message)) continue;
        Known& known = people_.emplace_back();
        known.declared = &declared.message;
        if (const auto found = before.find(declared.message.name()); found != before.end()) {
          known.person = *found->second;
          if (known.person.file().empty()) known.person.set_file(in_.before->file());
        } else {
          known.is_new = true;
          known.person.set_name(declared.message.name());
        }
        ++out_.counts.before;
      }
    };
    const std::string target = config::TargetName(import_);
    if (iam_) {
      const std::string end = "@" + Folded(import_.partition());
      take(in_.declarations->iam_users, [&](const decl::IamUser& user) {
        return user.iam() == target &&
               (!import_.has_partition() || Folded(user.user_name()).ends_with(end));
      });
    } else {
      take(in_.declarations->users,
           [&](const decl::User& user) { return user.directory() == target && Below(user); });
    }
  }

  bool Below(const decl::User& user) const {
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

  Message* MessageOf(decl::RosterPerson* person) const {
    if (iam_) return person->mutable_iam_user();
    return person->mutable_user();
  }
  static const Message& MessageOf(const decl::RosterPerson& person, bool iam) {
    if (iam) return person.iam_user();
    return person.user();
  }

  // What is matched against: what others say of it, or what earlier files said.
  std::vector<std::string> ValuesOf(const Known& known, const FieldDescriptor& field) const {
    const Message& message =
        known.declared != nullptr ? *known.declared : MessageOf(known.person, iam_);
    std::vector<std::string> values = config::ValuesOf(message, field);
    for (std::string& value : values) value = Folded(Bare(field, value));
    return values;
  }

  // A user name without the partition that the import gives it.
  std::string Bare(const FieldDescriptor& field, const std::string& value) const {
    if (&field != login_ || !import_.has_partition()) return value;
    return value.substr(0, value.rfind('@'));
  }

  void Index() {
    for (const std::string& attribute : import_.match().values()) {
      const FieldDescriptor* field = config::RosterField(iam_, attribute);
      auto& index = by_[attribute];
      for (size_t i = 0; i < people_.size(); ++i) {
        for (std::string& value : ValuesOf(people_[i], *field)) {
          index[std::move(value)].push_back(i);
        }
      }
    }
    if (attributes_) return;
    for (size_t i = 0; i < people_.size(); ++i) {
      for (std::string& value : ValuesOf(people_[i], *login_)) by_login_[std::move(value)] = i;
    }
  }

  const RosterValue* ValueOf(const RosterRow& row, const FieldDescriptor* field) const {
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (fields_[i] == field) return &row.values[i];
    }
    return nullptr;
  }

  // Whose the row is; refuses it where that can't be told.
  size_t Find(size_t row) {
    std::set<size_t> left;
    for (const std::string& attribute : import_.match().values()) {
      const auto* value = ValueOf(rows_[row], config::RosterField(iam_, attribute));
      std::set<size_t> hits;
      for (const std::string& element : value->elements) {
        const auto found = by_[attribute].find(Folded(element));
        if (found == by_[attribute].end()) continue;
        for (const size_t one : found->second) {
          (people_[one].person.left() ? left : hits).insert(one);
        }
      }
      if (hits.size() == 1) return *hits.begin();
      if (hits.size() > 1) {
        Refuse(row, code::kRosterAmbiguous, Several(attribute, hits));
        return kNobody;
      }
    }
    for (const size_t one : left) {
      if (IsWhole(rows_[row], people_[one])) return one;
    }
    return kNobody;
  }

  std::string Several(const std::string& attribute, const std::set<size_t>& hits) const {
    std::vector<std::string> names;
    for (const size_t one : hits) names.push_back(people_[one].person.name());
    if (names.size() > 3) names.resize(3);
    return fmt::format("its {} is that of {} people: {}", attribute, hits.size(),
                       fmt::join(names, ", "));
  }

  // Agrees in all of at least two attributes that say who somebody is.
  bool IsWhole(const RosterRow& row, const Known& known) const {
    if (import_.match().values().size() < 2) return false;
    for (const std::string& attribute : import_.match().values()) {
      const FieldDescriptor* field = config::RosterField(iam_, attribute);
      std::vector<std::string> now = ValueOf(row, field)->elements;
      for (std::string& value : now) value = Folded(value);
      if (now.empty() || now != ValuesOf(known, *field)) return false;
    }
    return true;
  }

  // Two rows that find one person: which of them is it?
  void RefuseSharers(const std::vector<size_t>& found) {
    std::unordered_map<size_t, std::vector<size_t>> rows_of;
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i] != kNobody) rows_of[found[i]].push_back(i);
    }
    for (const auto& [person, rows] : rows_of) {
      if (rows.size() == 1) continue;
      people_[person].row = rows[0];  // it is spoken of, so it isn't missing
      for (const size_t row : rows) {
        Refuse(row, code::kRosterAmbiguous,
               fmt::format("{} rows are {}", rows.size(), people_[person].person.name()));
      }
    }
  }

  void Use(size_t row, size_t person) {
    if (person != kNobody) people_[person].row = row;
    if (rows_[row].operation == Operation::kDelete) return Delete(row, person);
    if (person != kNobody) return Update(row, person);
    if (attributes_ || rows_[row].operation == Operation::kModify) {
      return Refuse(row, code::kRosterUnknown, "nobody is known by its match attributes");
    }
    Create(row);
  }

  void Delete(size_t row, size_t person) {
    if (person == kNobody) {
      return Refuse(row, code::kRosterUnknown, "nobody is known by its match attributes");
    }
    if (!may_.contains(attributes_ ? "update" : "disable")) {
      return Refuse(row, code::kRosterMayNot, "would leave, and the import may not do that");
    }
    Known& known = people_[person];
    known.person.set_line(rows_[row].line);
    known.person.clear_file();
    Leave(&known);
  }

  // The row's values put into the person; empty: why that can't be.
  std::string Fill(const RosterRow& row, decl::RosterPerson* person) const {
    Message* message = MessageOf(person);
    for (size_t i = 0; i < fields_.size(); ++i) {
      const FieldDescriptor* field = fields_[i];
      const bool whole = row.operation == Operation::kNone || row.operation == Operation::kAdd;
      if (!row.values[i].given && !whole) continue;
      if (attributes_ && IsMatch(field->name())) continue;  // others say it
      std::vector<std::string> values = row.values[i].elements;
      if (field == login_ && import_.has_partition() && !values.empty()) {
        values[0] += "@" + import_.partition();
      }
      config::SetValues(*field, values, message);
    }
    person->set_line(row.line);
    person->clear_file();
    person->clear_missing();
    return attributes_ ? "" : Place(person);
  }

  bool IsMatch(const std::string& attribute) const {
    const auto& match = import_.match().values();
    return std::find(match.begin(), match.end(), attribute) != match.end();
  }

  // Where it stands, which is the import's to say.
  std::string Place(decl::RosterPerson* person) const {
    const std::string target = config::TargetName(import_);
    if (iam_) {
      decl::IamUser& user = *person->mutable_iam_user();
      user.set_name(person->name());
      user.set_iam(target);
      if (!user.has_user_name()) {
        user.set_user_name(person->name() +
                           (import_.has_partition() ? "@" + import_.partition() : ""));
      }
      return "";
    }
    decl::User& user = *person->mutable_user();
    user.set_name(person->name());
    user.set_directory(target);
    if (!user.has_uid()) user.set_uid(person->name());
    user.set_dn(compile::ChildDn("uid", user.uid(), import_.base()));
    return compile::WhyNoLogin(user.uid());
  }

  // An end is always there: the file's, else one a year or so ahead, never behind the contract's.
  // One that was given without the file's word is kept until half of it is over, so that a daily
  // file doesn't change everybody daily.
  void Expire(const decl::RosterPerson* old, decl::RosterPerson* person) const {
    if (attributes_) return;
    const FieldDescriptor* field = config::RosterField(iam_, "expires");
    Message* message = MessageOf(person);
    const auto said = config::ValuesOf(*message, *field);
    const bool from_file = expires_ != nullptr && !said.empty();
    base::Instant end = base::kForever;
    if (from_file) {
      end = std::stoll(said[0]);
    } else {
      const base::Instant days = import_.has_expires_days() ? import_.expires_days() : 365;
      end = in_.now / kDay * kDay + (days + 1) * kDay - 1;
      if (old != nullptr) {
        const auto before = config::ValuesOf(MessageOf(*old, iam_), *field);
        const base::Instant kept = before.empty() ? 0 : std::stoll(before[0]);
        if (kept - in_.now > days * kDay / 2 && kept <= end) end = kept;
      }
    }
    config::SetValues(*field, {std::to_string(std::min(end, contract_end_))}, message);
  }

  bool IsEnabled(const decl::RosterPerson& person) const {
    if (person.left()) return false;
    if (iam_) return !person.iam_user().has_active() || person.iam_user().active();
    return !person.user().has_enabled() || person.user().enabled();
  }

  void Leave(Known* known) {
    if (known->person.left()) return;
    if (IsEnabled(known->person)) ++out_.counts.disable;
    if (attributes_) {  // its values go; the person is others'
      known->person.clear_user();
      known->person.clear_iam_user();
      known->is_new = true;
      return;
    }
    known->person.set_left(true);
    iam_ ? known->person.mutable_iam_user()->set_active(false)
         : known->person.mutable_user()->set_enabled(false);
  }

  void Update(size_t row, size_t person) {
    Known& known = people_[person];
    decl::RosterPerson next = known.person;
    const bool back = known.person.left();
    if (back) {
      next.clear_left();
      iam_ ? next.mutable_iam_user()->clear_active() : next.mutable_user()->clear_enabled();
    }
    if (const std::string why = Fill(rows_[row], &next); !why.empty()) {
      return Refuse(row, code::kRosterLogin, why);
    }
    Expire(known.is_new ? nullptr : &known.person, &next);
    if (!LoginIsFree(row, next, person)) return;
    const bool disables = IsEnabled(known.person) && !IsEnabled(next) && !attributes_;
    const bool enables = !IsEnabled(known.person) && IsEnabled(next) && !attributes_;
    const bool changes = MessageOf(known.person, iam_).SerializeAsString() !=
                         MessageOf(next, iam_).SerializeAsString();
    const char* needs = disables ? "disable" : enables ? "create" : "update";
    if (changes && !may_.contains(needs)) {
      return Refuse(row, code::kRosterMayNot,
                    fmt::format("{} would {}, and the import may not {}", known.person.name(),
                                disables  ? "be disabled"
                                : enables ? "be back"
                                          : "change",
                                needs));
    }
    out_.counts.disable += disables ? 1 : 0;
    out_.counts.back += enables ? 1 : 0;
    out_.counts.change += changes && !disables && !enables ? 1 : 0;
    known.person = std::move(next);
    known.is_new = false;
  }

  // Whether nobody else of this import has, or had, the login.
  bool LoginIsFree(size_t row, const decl::RosterPerson& person, size_t self) {
    if (attributes_) return true;
    const auto values = config::ValuesOf(MessageOf(person, iam_), *login_);
    const auto [at, fresh] = by_login_.try_emplace(Folded(Bare(*login_, values[0])), self);
    if (fresh || at->second == self) return true;
    const decl::RosterPerson& other = people_[at->second].person;
    if (other.left()) {
      Refuse(row, code::kRosterReused,
             fmt::format("its login is that of {}, who left", other.name()));
    } else {
      Refuse(row, code::kRosterAmbiguous, fmt::format("its login is that of {}", other.name()));
    }
    return false;
  }

  void Create(size_t row) {
    if (!may_.contains("create")) {
      return Refuse(row, code::kRosterMayNot, "would be new, and the import may not create");
    }
    const auto* key = ValueOf(rows_[row], config::RosterField(iam_, import_.match().values(0)));
    Known known;
    known.person.set_name(NewName(key->elements.empty() ? "" : key->elements[0]));
    if (const std::string why = Fill(rows_[row], &known.person); !why.empty()) {
      return Refuse(row, code::kRosterLogin, why);
    }
    Expire(nullptr, &known.person);
    if (!LoginIsFree(row, known.person, people_.size())) return;
    known.row = row;
    names_.insert(known.person.name());
    if (IsEnabled(known.person)) ++out_.counts.create;
    people_.push_back(std::move(known));
  }

  // IMPORT.KEY, or where that is no name a digest in its place; never one that somebody had.
  std::string NewName(const std::string& key) const {
    std::string name = fmt::format("{}.{}", import_.name(), Folded(key));
    if (config::CheckName(name)) {
      name = fmt::format("{}.{}", import_.name(), base::Hex(base::Sha256(key)).substr(0, 16));
    }
    std::string unique = name;
    for (int i = 2; names_.contains(unique); ++i) unique = fmt::format("{}.{}", name, i);
    return unique;
  }

  // A refused row speaks of its person all the same. Where a row can't even say whose it is,
  // nobody counts as missing: it may be anybody's.
  bool SeeRefused() {
    auto& index = by_[import_.match().values(0)];
    for (const RefusedRow& row : file_.refused) {
      if (row.whole_key.empty()) return false;
      const auto found = index.find(Folded(row.whole_key));
      if (found == index.end()) continue;
      for (const size_t one : found->second) people_[one].row = 0;
    }
    for (const size_t row : refused_) {
      const auto* key = ValueOf(rows_[row], config::RosterField(iam_, import_.match().values(0)));
      for (const std::string& element : key->elements) {
        const auto found = index.find(Folded(element));
        if (found == index.end()) continue;
        for (const size_t one : found->second) people_[one].row = 0;
      }
    }
    return true;
  }

  void CountMissing() {
    if (!SeeRefused()) return;
    const uint32_t most = import_.has_missing_files() ? std::max(1u, import_.missing_files()) : 1;
    for (Known& known : people_) {
      if (known.row != kNobody || known.person.left() || known.is_new) continue;
      known.person.set_missing(known.person.missing() + 1);
      if (known.person.missing() >= most && may_.contains(attributes_ ? "update" : "disable")) {
        Leave(&known);
      }
    }
  }

  void Finish() {
    decl::AcceptedRoster& roster = out_.roster;
    roster.set_import(import_.name());
    roster.set_file(file_.name);
    roster.set_file_sha256(in_.file_sha256);
    roster.set_sequence(file_.report.head.sequence);
    roster.set_owner(import_.owner());
    out_.counts.refused = out_.refused.size();
    out_.counts.rows = rows_.size() - refused_.size();
    roster.set_rows(out_.counts.delta ? out_.counts.rows_before : rows_.size());
    std::sort(people_.begin(), people_.end(),
              [](const Known& a, const Known& b) { return a.person.name() < b.person.name(); });
    for (Known& known : people_) {
      if (known.declared != nullptr && known.is_new) continue;  // nothing is said of it
      *roster.add_people() = std::move(known.person);
    }
    std::stable_sort(out_.refused.begin(), out_.refused.end(),
                     [](const RefusedRow& a, const RefusedRow& b) { return a.line < b.line; });
  }

  const MatchInput& in_;
  const decl::Import& import_;
  const RosterFile& file_;
  const bool iam_, attributes_;
  const std::vector<RosterRow>& rows_;
  std::vector<const FieldDescriptor*> fields_;
  const FieldDescriptor* expires_ = nullptr;
  const FieldDescriptor* login_ = nullptr;
  base::Instant contract_end_ = base::kForever;
  std::set<std::string> may_, names_;
  std::vector<Known> people_;
  std::unordered_map<std::string, std::unordered_map<std::string, std::vector<size_t>>> by_;
  std::unordered_map<std::string, size_t> by_login_;
  std::set<size_t> refused_;
  Matched out_;
};

}  // namespace

Matched MatchRoster(const MatchInput& input, const RosterFile& file) {
  return Matcher(input, file).Run();
}

}  // namespace postern::jobs
