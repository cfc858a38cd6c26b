#include "core/plan/import_access.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/compile/identity.h"
#include "core/compile/role_values.h"
#include "core/config/placeholders.h"
#include "core/config/roster.h"
#include "core/plan/import_scope.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using compile::Attribute;
using compile::InRole;

constexpr size_t kMost = 20;

std::string MembershipOf(std::string_view role, std::string_view identity) {
  return fmt::format("{}{}{}", role, object::kKeySeparator, identity);
}

std::string MembershipOf(const compile::Desired& desired, const InRole& one) {
  const std::string& owner = desired.provenance[one.source].owner;
  return MembershipOf(compile::RolesInOwner(owner).front(), compile::IdentityInOwner(owner));
}

constexpr uint16_t Bit(Attribute attribute) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(attribute));
}

bool IsPerson(const Change& change) {
  return change.kind == object::Kind::kUser || change.kind == object::Kind::kIamUser;
}

class Opened {
 public:
  Opened(const decl::Import& import, const WithoutFile& without, const Plan& with,
         const compile::Desired& desired, const config::Declarations& declarations)
      : import_(import),
        without_(without),
        with_(with),
        desired_(desired),
        declarations_(declarations) {
    for (const std::string& role : import.roles().values()) allowed_.insert(role);
  }

  std::vector<std::string> Run() {
    for (const InRole& one : desired_.in_roles) TakeMember(one);
    for (const RoleNote& note : with_.role_notes) {
      const bool known = without_.undecided.contains(MembershipOf(note.role, note.identity));
      if (note.held && !known && IsNew(note.role, note.identity)) Say(WhoMayBe(note));
    }
    std::vector<bool> seen(with_.changes.size(), false);
    for (const Step& step : with_.steps) {
      if (!Opens(with_, step) || seen[step.change]) continue;
      seen[step.change] = true;
      TakeChange(with_.changes[step.change]);
    }
    if (more_ != 0) lines_.push_back(fmt::format("and {} more", more_));
    return std::move(lines_);
  }

 private:
  // Comes with the file into a role that the import isn't allowed; each is told once.
  bool IsNew(std::string_view role, std::string_view identity) {
    std::string membership = MembershipOf(role, identity);
    if (allowed_.contains(role) || without_.in_roles.contains(membership)) return false;
    return told_.insert(std::move(membership)).second;
  }

  void Say(std::string line) {
    if (lines_.size() == kMost) {
      ++more_;
      return;
    }
    lines_.push_back(std::move(line));
  }

  void TakeMember(const InRole& one) {
    const compile::Provenance& provenance = desired_.provenance[one.source];
    const std::string_view role = compile::RolesInOwner(provenance.owner).front();
    const std::string_view identity = compile::IdentityInOwner(provenance.owner);
    if (!IsNew(role, identity)) return;
    Say(fmt::format("{} would come into role \"{}\" by {}{}", compile::LabelOf(identity), role,
                    ColumnsOf(one.asked), FactBehind(provenance)));
  }

  // Without when it was seen: the next run, which holds the file for the same reason, says the
  // same.
  std::string FactBehind(const compile::Provenance& provenance) const {
    const compile::ByFact* fact = desired_.FactsBehind(provenance);
    if (fact == nullptr || fact->cause.empty()) return "";
    return ": " + fact->cause.substr(0, fact->cause.rfind(", seen in "));
  }

  static std::string WhoMayBe(const RoleNote& note) {
    return fmt::format("{} may come into role \"{}\" by the file, which isn't decided yet: {}",
                       compile::LabelOf(note.identity), note.role, note.why);
  }

  // What isn't somebody's coming into a role: another login or folder by a template, say.
  void TakeChange(const Change& change) {
    const std::string& target = with_.targets[change.target].name;
    if (IsPerson(change) && target == import_.to()) return;  // core/plan/import_scope.h judges it
    const auto& before = without_.marks;
    if (std::binary_search(before.begin(), before.end(), MarkOf(with_, change))) return;
    const auto roles = compile::RolesInOwner(change.owner);
    const std::string_view identity = compile::IdentityInOwner(change.owner);
    uint16_t filled = 0;
    bool asks = roles.empty();
    for (const std::string_view role : roles) {
      if (told_.contains(MembershipOf(role, identity))) return;
      if (allowed_.contains(role)) continue;
      asks = true;
      filled |= FilledIn(role);
    }
    if (!asks) return;
    const std::string what = target + " " + object::Describe(change.kind, change.key);
    if (roles.empty()) return Say(fmt::format("{} would open by the file", what));
    Say(fmt::format("{} would have more by role \"{}\", {}: {}", compile::LabelOf(identity),
                    fmt::join(roles, "\", \""), ColumnsOf(filled), what));
  }

  // What the role's logins and login folders take of its members.
  uint16_t FilledIn(std::string_view role) const {
    uint16_t filled = 0;
    for (const auto& declared : declarations_.roles) {
      if (declared.message.name() != role) continue;
      const decl::RoleAccount& account = declared.message.account();
      if (!account.has_login()) filled |= Bit(Attribute::kUserName);
      for (const std::string_view name : config::PlaceholderNames()) {
        const std::string hole = fmt::format("{{{}}}", name);
        if (account.login().find(hole) == std::string::npos &&
            account.home().find(hole) == std::string::npos) {
          continue;
        }
        filled |= Bit(compile::AttributeOf(*config::FindPlaceholder(name)));
      }
    }
    return filled;
  }

  // "column MAIL"; by its presence alone where no column gives any of them.
  std::string ColumnsOf(uint16_t attributes) const {
    std::vector<std::string_view> names;
    for (const auto& column : import_.columns().values()) {
      for (size_t i = 0; i <= compile::kTextAttributes; ++i) {
        const auto attribute = static_cast<Attribute>(i);
        if ((attributes & Bit(attribute)) != 0 && column.to() == FieldOf(attribute)) {
          names.push_back(column.name());
        }
      }
    }
    if (names.empty()) return "being in the file";
    return fmt::format("column{} {}", names.size() == 1 ? "" : "s", fmt::join(names, ", "));
  }

  // As a column's `to` names it.
  std::string_view FieldOf(Attribute attribute) const {
    if (attribute == Attribute::kUserName && !config::IsIam(import_)) return "uid";
    return compile::NameOf(attribute);
  }

  const decl::Import& import_;
  const WithoutFile& without_;
  const Plan& with_;
  const compile::Desired& desired_;
  const config::Declarations& declarations_;
  std::unordered_set<std::string_view> allowed_;
  std::unordered_set<std::string> told_;
  std::vector<std::string> lines_;
  size_t more_ = 0;
};

}  // namespace

WithoutFile NoteWithout(const Plan& plan, const compile::Desired& desired) {
  WithoutFile out;
  for (const InRole& one : desired.in_roles) out.in_roles.insert(MembershipOf(desired, one));
  for (const RoleNote& note : plan.role_notes) {
    if (note.held) out.undecided.insert(MembershipOf(note.role, note.identity));
  }
  out.marks = MarksOf(plan);
  return out;
}

std::vector<std::string> OpenedByFile(const decl::Import& import, const WithoutFile& without,
                                      const Plan& with, const compile::Desired& desired,
                                      const config::Declarations& declarations) {
  return Opened(import, without, with, desired, declarations).Run();
}

}  // namespace postern::plan
