#include "core/jobs/match.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/base/check.h"
#include "core/compile/compiler.h"
#include "core/compile/role_values.h"
#include "core/config/roster.h"
#include "core/diag/codes.h"
#include "core/jobs/people.h"

namespace postern::jobs {
namespace {

namespace code = diag::code;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kNobody = SIZE_MAX;
constexpr base::Instant kDay = 86400;

class Matcher {
 public:
  Matcher(const MatchInput& input, const RosterFile& file)
      : in_(input),
        import_(input.import),
        file_(file),
        rows_(file.rows),
        people_(input, &out_.counts) {
    for (const auto& column : import_.columns().values()) {
      fields_.push_back(config::RosterField(people_.iam, column.to()));
      if (column.to() == "expires") expires_ = fields_.back();
    }
    for (const std::string& may : import_.may().values()) may_.insert(may);
    contract_end_ = ContractEnd();
  }

  Matched Run() {
    out_.refused = file_.refused;
    out_.counts.delta = import_.mode() == "delta";
    std::vector<size_t> found(rows_.size(), kNobody);
    for (size_t i = 0; i < rows_.size(); ++i) found[i] = Find(i);
    RefuseSharers(found);
    RefuseTwins(found);
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (!refused_.contains(i)) Use(i, found[i]);
    }
    if (!out_.counts.delta && SeeRefused()) CountMissing(import_, &people_, &out_.counts);
    Finish();
    return std::move(out_);
  }

 private:
  void Refuse(size_t row, const char* code, std::string text) {
    refused_.insert(row);
    const auto& key = KeyOf(rows_[row]);
    out_.refused.push_back({rows_[row].line, code, "", key.empty() ? "" : ShownKey(key[0]),
                            std::move(text), key.empty() ? "" : key[0]});
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

  // The row's values of an attribute, one of `match`: a column gives it.
  const std::vector<std::string>& ElementsOf(const RosterRow& row,
                                             const std::string& attribute) const {
    const FieldDescriptor* field = config::RosterField(people_.iam, attribute);
    const auto at = std::find(fields_.begin(), fields_.end(), field);
    POSTERN_CHECK(at != fields_.end(), "a match that no column gives");
    return row.values[static_cast<size_t>(at - fields_.begin())].elements;
  }
  const std::vector<std::string>& KeyOf(const RosterRow& row) const {
    return ElementsOf(row, import_.match().values(0));
  }

  // Whose the row is; refuses it where that can't be told.
  size_t Find(size_t row) {
    std::set<size_t> left;
    for (const std::string& attribute : import_.match().values()) {
      std::set<size_t> hits;
      for (const std::string& element : ElementsOf(rows_[row], attribute)) {
        for (const size_t one : people_.With(attribute, element)) {
          (people_.all[one].person.left() ? left : hits).insert(one);
        }
      }
      if (hits.size() == 1) return *hits.begin();
      if (hits.size() > 1) {
        Refuse(row, code::kRosterAmbiguous, Several(attribute, hits));
        return kNobody;
      }
    }
    for (const size_t one : left) {
      if (IsWhole(rows_[row], people_.all[one])) return one;
    }
    return kNobody;
  }

  std::string Several(const std::string& attribute, const std::set<size_t>& hits) const {
    std::vector<std::string> names;
    for (const size_t one : hits) names.push_back(people_.all[one].person.name());
    if (names.size() > 3) names.resize(3);
    return fmt::format("its {} is that of {} people: {}", attribute, hits.size(),
                       fmt::join(names, ", "));
  }

  // Agrees in all of at least two attributes that say who somebody is.
  bool IsWhole(const RosterRow& row, const Known& known) const {
    if (import_.match().values().size() < 2) return false;
    for (const std::string& attribute : import_.match().values()) {
      const FieldDescriptor* field = config::RosterField(people_.iam, attribute);
      std::vector<std::string> now = ElementsOf(row, attribute);
      for (std::string& value : now) value = FoldedValue(value);
      if (now.empty() || now != people_.ValuesOf(known, *field)) return false;
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
      people_.all[person].spoken_of = true;
      for (const size_t row : rows) {
        Refuse(row, code::kRosterAmbiguous,
               fmt::format("{} rows are {}", rows.size(), people_.all[person].person.name()));
      }
    }
  }

  // Two rows of one key, as people are found by it, would be two people whom the next file can't
  // tell apart.
  void RefuseTwins(const std::vector<size_t>& found) {
    std::unordered_map<std::string, std::vector<size_t>> rows_of;
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i] != kNobody || refused_.contains(i) || KeyOf(rows_[i]).empty()) continue;
      rows_of[FoldedValue(KeyOf(rows_[i])[0])].push_back(i);
    }
    for (const auto& [key, rows] : rows_of) {
      if (rows.size() == 1) continue;
      for (const size_t row : rows) {
        Refuse(row, code::kRosterAmbiguous, fmt::format("{} new rows have its key", rows.size()));
      }
    }
  }

  void Use(size_t row, size_t person) {
    if (person != kNobody) people_.all[person].spoken_of = true;
    if (rows_[row].operation == Operation::kDelete) return Delete(row, person);
    if (person != kNobody) return Update(row, person);
    if (people_.attributes || rows_[row].operation == Operation::kModify) {
      return Refuse(row, code::kRosterUnknown, "nobody is known by its match attributes");
    }
    Create(row);
  }

  void Delete(size_t row, size_t person) {
    if (person == kNobody) {
      return Refuse(row, code::kRosterUnknown, "nobody is known by its match attributes");
    }
    if (!may_.contains(people_.attributes ? "update" : "disable")) {
      return Refuse(row, code::kRosterMayNot, "would leave, and the import may not do that");
    }
    Known& known = people_.all[person];
    known.person.set_line(rows_[row].line);
    known.person.clear_file();
    people_.Leave(&known, &out_.counts);
  }

  // The row's values put into the person; empty: why that can't be.
  std::string Fill(const RosterRow& row, decl::RosterPerson* person) const {
    Message* message = people_.MessageOf(person);
    for (size_t i = 0; i < fields_.size(); ++i) {
      const FieldDescriptor* field = fields_[i];
      const bool whole = row.operation == Operation::kNone || row.operation == Operation::kAdd;
      if (!row.values[i].given && !whole) continue;
      if (people_.attributes && IsMatch(field->name())) continue;  // others say it
      std::vector<std::string> values = row.values[i].elements;
      if (field == people_.login && import_.has_partition() && !values.empty()) {
        values[0] += "@" + import_.partition();
      }
      config::SetValues(*field, values, message);
    }
    person->set_line(row.line);
    person->clear_file();
    person->clear_missing();
    return people_.attributes ? "" : Place(person);
  }

  bool IsMatch(const std::string& attribute) const {
    const auto& match = import_.match().values();
    return std::find(match.begin(), match.end(), attribute) != match.end();
  }

  // Where it stands, which is the import's to say.
  std::string Place(decl::RosterPerson* person) const {
    const std::string target = config::TargetName(import_);
    if (people_.iam) {
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

  // An end is always there: the file's, else one a year or so ahead; never behind the contract's,
  // and without one a file's isn't further ahead either. Ours is kept until half of it is over, so
  // that a daily file doesn't change everybody daily. True: it is the file's word.
  bool Expire(const decl::RosterPerson* old, decl::RosterPerson* person) const {
    const auto said = people_.EndOf(*person);
    const base::Instant days = import_.has_expires_days() ? import_.expires_days() : 365;
    const base::Instant ahead = in_.now / kDay * kDay + (days + 1) * kDay - 1;
    const base::Instant most = contract_end_ == base::kForever ? ahead : base::kForever;
    const bool from_file = expires_ != nullptr && said && *said <= most;
    base::Instant end = from_file ? *said : ahead;
    if (const auto kept = old != nullptr && !from_file ? people_.EndOf(*old) : std::nullopt; kept) {
      if (*kept - in_.now > days * kDay / 2 && *kept <= ahead) end = *kept;
    }
    people_.SetEnd(std::min(end, contract_end_), person);
    return from_file;
  }

  void Update(size_t row, size_t person) {
    Known& known = people_.all[person];
    decl::RosterPerson next = known.person;
    if (known.person.left()) {
      next.clear_left();
      people_.iam ? next.mutable_iam_user()->clear_active() : next.mutable_user()->clear_enabled();
    }
    if (const std::string why = Fill(rows_[row], &next); !why.empty()) {
      return Refuse(row, code::kRosterLogin, why);
    }
    const bool end_said =
        people_.attributes || Expire(known.is_new ? nullptr : &known.person, &next);
    if (const std::string why = people_.WhyAnothers(&known.person, next); !why.empty()) {
      return Refuse(row, code::kRosterScope, why);
    }
    if (!LoginIsFree(row, next, person)) return;
    const Step step = StepOf(known.person, next, end_said);
    if (const std::string why = WhyItMayNot(step, known.person.name()); !why.empty()) {
      return Refuse(row, code::kRosterMayNot, why);
    }
    out_.counts.disable += step.disables ? 1 : 0;
    out_.counts.back += step.enables ? 1 : 0;
    out_.counts.change += step.changes && !step.disables && !step.enables ? 1 : 0;
    known.person = std::move(next);
    known.is_new = false;
  }

  // What a row does to somebody known. An end of ours that is renewed is nothing that the file
  // does.
  struct Step {
    bool disables = false, enables = false, changes = false;
  };

  // Who ends by tomorrow is disabled: nobody would look at it before.
  Step StepOf(const decl::RosterPerson& before, const decl::RosterPerson& after,
              bool end_said) const {
    Step step;
    const base::Instant soon = in_.now + kDay;
    step.disables = people_.IsEnabled(before, soon) && !people_.IsEnabled(after, soon);
    step.enables = !people_.IsEnabled(before, in_.now) && people_.IsEnabled(after, in_.now);
    const auto [flag_before, rest_before] = people_.Parts(before);
    const auto [flag_after, rest_after] = people_.Parts(after);
    const bool end = end_said && people_.EndOf(before) != people_.EndOf(after);
    step.changes = rest_before != rest_after ||
                   (!step.disables && !step.enables && (end || flag_before != flag_after));
    return step;
  }

  // Each of what the row does needs its own right.
  std::string WhyItMayNot(const Step& step, const std::string& name) const {
    const auto lacks = [&](bool does, const char* right) {
      return does && !may_.contains(people_.attributes ? "update" : right);
    };
    const char* does = nullptr;
    const char* right = "update";
    if (lacks(step.changes, right)) does = "change";
    if (lacks(step.enables, "create")) does = "be back", right = "create";
    if (lacks(step.disables, "disable")) does = "be disabled", right = "disable";
    if (does == nullptr) return "";
    return fmt::format("{} would {}, and the import may not {}", name, does, right);
  }

  // Whether nobody else of this import has, or had, the login.
  bool LoginIsFree(size_t row, const decl::RosterPerson& person, size_t self) {
    if (people_.attributes) return true;
    const size_t has = people_.TakeLogin(person, self);
    if (has == self) return true;
    const decl::RosterPerson& other = people_.all[has].person;
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
    const auto& key = KeyOf(rows_[row]);
    Known known;
    known.person.set_name(people_.NewName(key.empty() ? "" : key[0]));
    if (const std::string why = Fill(rows_[row], &known.person); !why.empty()) {
      return Refuse(row, code::kRosterLogin, why);
    }
    if (!people_.attributes) Expire(nullptr, &known.person);
    if (const std::string why = people_.WhyAnothers(nullptr, known.person); !why.empty()) {
      return Refuse(row, code::kRosterScope, why);
    }
    if (!LoginIsFree(row, known.person, people_.all.size())) return;
    known.spoken_of = true;
    if (people_.IsEnabled(known.person, in_.now)) ++out_.counts.create;
    people_.Add(std::move(known));
  }

  // A refused row speaks of its person all the same. False: one can't even say whose it is, so it
  // may be anybody's, and nobody counts as missing.
  bool SeeRefused() {
    const auto& match = import_.match().values();
    for (const RefusedRow& row : file_.refused) {
      if (row.whole_key.empty()) return false;
      bool found = SpeakOf(match[0], row.whole_key);
      for (const auto& [attribute, value] : row.further) found = SpeakOf(attribute, value) || found;
      // His key may have changed in this row, and what else would find him wasn't read.
      if (!found && !row.all_read && match.size() > 1) return false;
    }
    for (const size_t row : refused_) {
      for (const std::string& attribute : match) {
        for (const std::string& element : ElementsOf(rows_[row], attribute)) {
          SpeakOf(attribute, element);
        }
      }
    }
    return true;
  }

  bool SpeakOf(const std::string& attribute, const std::string& value) {
    const auto& people = people_.With(attribute, value);
    for (const size_t one : people) people_.all[one].spoken_of = true;
    return !people.empty();
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
    std::sort(people_.all.begin(), people_.all.end(),
              [](const Known& a, const Known& b) { return a.person.name() < b.person.name(); });
    for (Known& known : people_.all) {
      if (known.declared != nullptr && known.is_new) continue;  // nothing is said of it
      *roster.add_people() = std::move(known.person);
    }
    std::stable_sort(out_.refused.begin(), out_.refused.end(),
                     [](const RefusedRow& a, const RefusedRow& b) { return a.line < b.line; });
  }

  const MatchInput& in_;
  const decl::Import& import_;
  const RosterFile& file_;
  const std::vector<RosterRow>& rows_;
  std::vector<const FieldDescriptor*> fields_;
  const FieldDescriptor* expires_ = nullptr;
  base::Instant contract_end_ = base::kForever;
  std::set<std::string> may_;
  std::set<size_t> refused_;
  Matched out_;
  People people_;  // after out_, whose counts it fills
};

}  // namespace

Matched MatchRoster(const MatchInput& input, const RosterFile& file) {
  return Matcher(input, file).Run();
}

}  // namespace postern::jobs
