#include "core/jobs/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/check.h"
#include "core/diag/codes.h"

namespace postern::jobs {
namespace {

using object::Comparator;
using object::Kind;

std::string Folded(std::string_view text) {
  return object::Normalise(Comparator::kCaseIgnore, text);
}

size_t Position(const std::vector<Attribute>& attributes, std::string_view name) {
  std::string hint;
  const auto at = FindAttribute(attributes, name, &hint);
  POSTERN_CHECK(at.has_value(), "an attribute of every user");
  return *at;
}

void Refuse(diag::Diagnostics* diagnostics, const std::string& subject, std::string summary,
            std::string note = "leave it out of `select`") {
  diagnostics->Add({.code = diag::code::kSelectForm,
                    .summary = std::move(summary),
                    .subject = subject,
                    .notes = {std::move(note)}});
}

// Groups and memberships of a source, while the members of one are looked for.
class Edges final : public object::ObjectSink {
 public:
  explicit Edges(bool iam) : iam_(iam) {}

  bool Add(const object::ObjectView& object) override {
    if (object.kind == Kind::kDirectoryGroup || object.kind == Kind::kIamGroup) {
      groups_.insert(iam_ ? fmt::format("group:{}", object.key) : std::string(object.key));
    } else if (object.kind == Kind::kMembership || object.kind == Kind::kIamMembership) {
      const object::KeyParts parts = object::SplitKey(object.key);
      members_[std::string(parts[0])].emplace_back(parts[1]);
    }
    return true;
  }

  // The group's key by its name or DN; empty: none, or several.
  std::string Find(std::string_view name) const {
    if (iam_) {
      std::string set = "group:" + object::MakeKey(Kind::kIamGroup, {name});
      return groups_.contains(set) || members_.contains(set) ? set : std::string();
    }
    std::string dn = object::Normalise(Comparator::kDn, name);
    if (groups_.contains(dn) || members_.contains(dn)) return dn;
    const std::string start = object::Normalise(Comparator::kDn, fmt::format("cn={},dc=x", name));
    const std::string_view first(start.data(), start.size() - 4);  // "cn=name,"
    std::string found;
    for (const std::string& group : groups_) {
      if (!group.starts_with(first)) continue;
      if (!found.empty()) return "";
      found = group;
    }
    return found;
  }

  // The group, the groups in it, and all their members.
  void Flatten(const std::string& group, std::unordered_set<std::string>* groups,
               std::unordered_set<std::string>* members) const {
    std::vector<const std::string*> open = {&*groups->insert(group).first};
    while (!open.empty()) {
      const auto at = members_.find(*open.back());
      open.pop_back();
      if (at == members_.end()) continue;
      for (const std::string& member : at->second) {
        if (groups_.contains(member)) {
          const auto [inner, fresh] = groups->insert(member);
          if (fresh) open.push_back(&*inner);
        } else {
          members->insert(member);
        }
      }
    }
  }

 private:
  const bool iam_;
  std::unordered_set<std::string> groups_;
  std::unordered_map<std::string, std::vector<std::string>> members_;
};

}  // namespace

std::optional<Selection> Selection::Make(const decl::Select& select, What what, SourceType source,
                                         base::Instant now, const std::string& subject,
                                         diag::Diagnostics* diagnostics) {
  Selection made;
  made.what_ = what;
  made.source_ = source;
  made.now_ = now;
  made.attributes_ = AttributesOf(what, source);
  bool fine = true;
  const auto refuse = [&](bool wrong, const char* text) {
    if (!wrong) return;
    Refuse(diagnostics, subject, text);
    fine = false;
  };
  const bool users = what == What::kUsers;
  const bool grouped = users || what == What::kGroups || what == What::kMemberships;
  refuse(select.has_base() && source != SourceType::kDirectory, "`base` is of directories");
  refuse(select.has_partition() && source != SourceType::kIam, "`partition` is of IAM systems");
  refuse(select.has_group() && !grouped, "`group` is of users, groups and memberships");
  refuse(select.has_status() && !users, "`status` is of users");
  refuse(select.has_where() && !users, "`where` is of users");
  const bool servers = what == What::kEntitlements;
  refuse(select.has_servers() && !servers, "`servers` is of entitlements");
  refuse(select.has_folders() && !servers, "`folders` is of entitlements");
  if (select.has_base()) made.base_ = object::Normalise(Comparator::kDn, select.base());
  if (select.has_partition()) made.partition_ = "@" + Folded(select.partition());
  made.group_ = select.group();
  if (users) {
    const std::string& status = select.status();
    if (status.empty() || status == "active") made.active_ = true;
    if (status == "inactive") made.active_ = false;
    const bool iam = source == SourceType::kIam;
    made.switched_ = Position(made.attributes_, iam ? "active" : "enabled");
    if (!iam) made.expires_ = Position(made.attributes_, "expires");
    fine = made.TakeWhere(select.where(), subject, diagnostics) && fine;
  }
  if (!fine) return std::nullopt;
  return made;
}

bool Selection::TakeWhere(const decl::Where& where, const std::string& subject,
                          diag::Diagnostics* diagnostics) {
  const bool iam = source_ == SourceType::kIam;
  bool fine = true;
  const auto ask = [&](bool has, const char* name, const std::string& value) {
    if (!has) return;
    std::string hint;
    const auto at = FindAttribute(attributes_, name, &hint);
    if (at) {
      asks_.push_back({*at, Folded(value)});
      return;
    }
    fine = false;
    Refuse(diagnostics, subject, fmt::format("users of this source have no {}", name), hint);
  };
  ask(where.has_department(), "department", where.department());
  ask(where.has_division(), "division", where.division());
  ask(where.has_organization(), "organization", where.organization());
  ask(where.has_cost_center(), "cost_center", where.cost_center());
  ask(where.has_title(), "title", where.title());
  ask(where.has_user_type(), "user_type", where.user_type());
  ask(where.has_employee_number(), "employee_number", where.employee_number());
  ask(where.has_external_id(), "external_id", where.external_id());
  ask(where.has_user_name(), iam ? "user_name" : "uid", where.user_name());
  ask(where.has_mail(), "mail", where.mail());
  if (where.has_active()) active_ = where.active();
  return fine;
}

Result<bool> Selection::Prepare(object::Target& target, const std::string& name,
                                const std::string& subject, CensusReport* report,
                                diag::Diagnostics* diagnostics) {
  if (group_.empty()) return true;
  const bool iam = source_ == SourceType::kIam;
  Edges edges(iam);
  const Kind kinds[] = {iam ? Kind::kIamGroup : Kind::kDirectoryGroup,
                        iam ? Kind::kIamMembership : Kind::kMembership};
  const auto scopes = target.Enumerate(kinds, edges);
  if (!scopes) return base::Wrap("read groups of " + name, scopes.error());
  Judge(name, *scopes, report);
  const std::string group = edges.Find(group_);
  // What wasn't read as a whole doesn't say that there is no group.
  if (group.empty() && report->good()) {
    diagnostics->Add({.code = diag::code::kSelectGroup,
                      .summary = fmt::format("no group \"{}\" in {}", group_, name),
                      .subject = subject,
                      .notes = {"its name where one group has it, or its DN"}});
    return false;
  }
  std::unordered_set<std::string> groups, members;
  if (!group.empty()) edges.Flatten(group, &groups, &members);
  chosen_ = what_ == What::kUsers ? std::move(members) : std::move(groups);
  return true;
}

Selection::Verdict Selection::Active(const SourceRow& row) const {
  if ((row.unreadable >> switched_ & 1) != 0) return Verdict::kUnknown;
  bool active = row.cells[switched_].text != "false";
  if (expires_) {
    if ((row.unreadable >> *expires_ & 1) != 0) return Verdict::kUnknown;
    const Cell& cell = row.cells[*expires_];
    const auto end = cell.state == Cell::State::kOne ? base::ParseInstant(cell.text)
                                                     : std::optional<base::Instant>();
    active = active && (!end || *end >= now_);
  }
  return active == *active_ ? Verdict::kYes : Verdict::kNo;
}

Selection::Verdict Selection::Has(const SourceRow& row, const Ask& ask) {
  if ((row.unreadable >> ask.attribute & 1) != 0) return Verdict::kUnknown;
  const Cell& cell = row.cells[ask.attribute];
  const auto same = [&](std::string_view text) { return Folded(text) == ask.value; };
  const bool has = cell.state == Cell::State::kList
                       ? std::any_of(cell.items.begin(), cell.items.end(), same)
                       : cell.state == Cell::State::kOne && same(cell.text);
  return has ? Verdict::kYes : Verdict::kNo;
}

bool Selection::InPlace(std::string_view key) const {
  const std::string_view first = object::SplitKey(key)[0];
  if (!partition_.empty() && !first.ends_with(partition_)) return false;
  if (base_.empty() || first == base_) return true;
  return first.size() > base_.size() && first.ends_with(base_) &&
         first[first.size() - base_.size() - 1] == ',';
}

bool Selection::InGroup(std::string_view key) const {
  if (group_.empty()) return true;
  if (what_ == What::kMemberships) return chosen_.contains(std::string(object::SplitKey(key)[0]));
  const char* prefix = source_ != SourceType::kIam ? ""
                       : what_ == What::kUsers     ? "user:"
                                                   : "group:";
  return chosen_.contains(fmt::format("{}{}", prefix, key));
}

AttributeSet Selection::needs() const {
  AttributeSet needed = 0;
  if (active_) needed |= AttributeBit(switched_);
  if (active_ && expires_) needed |= AttributeBit(*expires_);
  for (const Ask& ask : asks_) needed |= AttributeBit(ask.attribute);
  return needed;
}

bool Selection::Keeps(const SourceRow& row, CensusReport* report) {
  if (!InPlace(row.key) || !InGroup(row.key)) return false;
  Verdict verdict = active_ ? Active(row) : Verdict::kYes;
  for (const Ask& ask : asks_) {
    if (verdict == Verdict::kNo) return false;
    const Verdict has = Has(row, ask);
    if (has != Verdict::kYes) verdict = has;
  }
  if (verdict == Verdict::kUnknown) {
    report->incomplete.push_back(
        fmt::format("{}: what the selection asks for could not be read", ShownKey(row.key)));
  }
  return verdict == Verdict::kYes;
}

}  // namespace postern::jobs
