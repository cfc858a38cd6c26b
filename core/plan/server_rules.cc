#include "core/plan/server_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace postern::plan {
namespace {

// Attribution costs a raise a unit.
constexpr size_t kMostUnits = 8;

access::ConfigFile::Role RoleOf(const std::string& role) {
  using Role = access::ConfigFile::Role;
  if (role == "main") return Role::kMain;
  if (role == "generated") return Role::kGenerated;
  return role == "access" ? Role::kAccess : Role::kIncluded;
}

// Rights and login of "3 acme-in".
access::SecondWay WayOf(const kinds::NativeRule& rule) {
  access::SecondWay way{.path = rule.file(), .real = rule.path(), .target = {}, .given = {}};
  way.is_link = rule.by() == "link";
  constexpr std::string_view kText = "link to ";
  if (rule.text().starts_with(kText)) way.target = rule.text().substr(kText.size());
  if (!rule.has_given()) return way;
  way.given.emplace();
  for (const std::string& one : rule.given().values()) {
    uint32_t bits = 0;
    const auto end = std::from_chars(one.data(), one.data() + one.size(), bits).ptr;
    const size_t skip = static_cast<size_t>(end - one.data()) + 1;
    if (skip < one.size()) (*way.given)[one.substr(skip)] = access::Rights(bits);
  }
  return way;
}

}  // namespace

std::string ForeignRule::Place() const {
  return rule.line() == 0 ? rule.file() : fmt::format("{}:{}", rule.file(), rule.line());
}

void ServerRules::AddFile(const kinds::ServerConfig& file) {
  files_.push_back({.role = RoleOf(file.role()),
                    .path = file.file(),
                    .text = file.text(),
                    .has_text = file.has_text()});
  defines_.insert(defines_.end(), file.defines().values().begin(), file.defines().values().end());
}

std::string ForeignRule::WayOut() const {
  if (IsWay()) {
    return fmt::format("take {} away, or narrow `manage.roots` so that {} is not managed",
                       rule.file(), rule.path());
  }
  return fmt::format(
      "take this rule out of {} (line {}), or narrow `manage.roots` so that {} is "
      "not managed",
      rule.file(), rule.line(), rule.path());
}

void ServerRules::AddRule(const object::ObjectView& object) {
  rules_.push_back({&object, object::DecodeAs<kinds::NativeRule>(object.body)});
}

RuleUnit ServerRules::Whole() const {
  RuleUnit all(rules_.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<RuleUnit> ServerRules::Units() const {
  std::vector<RuleUnit> units;
  std::map<std::string, RuleUnit> by_file;
  for (size_t i = 0; i < rules_.size(); ++i) by_file[rules_[i].rule.file()].push_back(i);
  if (rules_.size() <= kMostUnits) {
    for (size_t i = 0; i < rules_.size(); ++i) units.push_back({i});
  } else if (by_file.size() <= kMostUnits) {
    for (auto& [file, unit] : by_file) units.push_back(std::move(unit));
  } else {
    units.push_back(Whole());
  }
  return units;
}

Result<std::shared_ptr<const access::Enforced>> ServerRules::RaiseWithout(
    access::RaiseInput input, const RuleUnit& unit,
    const std::function<bool(const std::string&)>& exists) const {
  std::vector<access::SecondWay> ways;
  for (size_t i = 0; i < rules_.size(); ++i) {
    const bool without = std::binary_search(unit.begin(), unit.end(), i);
    if (rules_[i].IsWay()) {
      if (!without) ways.push_back(WayOf(rules_[i].rule));
    } else if (without) {
      input.without.emplace(rules_[i].rule.file(), rules_[i].rule.line());
    }
  }
  auto raised = product_->Raise(input);
  if (!raised) return tl::unexpected(raised.error());
  if (*raised == nullptr) return Fail(ErrorCode::kNotFound, "this product has no rules to raise");
  return access::OverWays(*std::move(raised), ways, input.accounts, exists);
}

Result<RaisedServer> ServerRules::Raise(const ServerState& state) const {
  const bool observed = std::any_of(files_.begin(), files_.end(), [](const auto& file) {
    return file.role == access::ConfigFile::Role::kMain;
  });
  if (product_ == nullptr || !observed) {
    return Fail(ErrorCode::kNotFound, "the server's configuration wasn't observed");
  }
  RaisedServer out;
  out.rules_ = this;
  out.input_ = {.files = files_,
                .defines = defines_,
                .rows = state.rows,
                .roots = state.roots,
                .generated_anew = state.rewritten,
                .accounts = state.accounts,
                .without = {}};
  out.managed_ = state.managed;
  out.exists_ = state.exists;
  out.paths_.insert(state.managed.begin(), state.managed.end());
  for (const access::GrantRow& row : state.rows) out.paths_.insert(row.path);
  access::Overlay::Logins logins;
  for (uint32_t i = 0; i < state.accounts.size(); ++i) logins.emplace(state.accounts[i].name, i);
  out.logins_ = std::make_shared<const access::Overlay::Logins>(std::move(logins));
  auto live = RaiseWithout(out.input_, {}, state.exists);
  if (!live) return tl::unexpected(live.error());
  out.live_ = *std::move(live);
  auto all = out.Of(Whole());
  if (!all) return tl::unexpected(all.error());
  out.all_ = *std::move(all);
  return out;
}

Result<RaisedServer::Enforced> RaisedServer::Lacking(const RuleUnit& unit) const {
  if (const auto known = lacking_.find(unit); known != lacking_.end()) return known->second;
  auto raised = rules_->RaiseWithout(input_, unit, exists_);
  if (raised) lacking_.emplace(unit, *raised);
  return raised;
}

Result<std::shared_ptr<const access::Overlay>> RaisedServer::Of(const RuleUnit& unit) const {
  if (const auto known = known_.find(unit); known != known_.end()) return known->second;
  auto without = Lacking(unit);
  if (!without) return tl::unexpected(without.error());
  auto overlay = std::make_shared<const access::Overlay>(
      access::Overlay::Between(**without, live_, logins_, paths_, managed_));
  known_.emplace(unit, overlay);
  return overlay;
}

Result<std::shared_ptr<const access::Overlay>> RaisedServer::Without(const RuleUnit& unit) const {
  // Without all of them there is nothing left to differ.
  if (unit == rules_->Whole()) return std::shared_ptr<const access::Overlay>();
  auto others = Lacking(unit);
  if (!others) return tl::unexpected(others.error());
  auto clean = Lacking(rules_->Whole());
  if (!clean) return tl::unexpected(clean.error());
  return std::make_shared<const access::Overlay>(
      access::Overlay::Between(**clean, *std::move(others), logins_, paths_, managed_));
}

std::string_view ShortIdentity(std::string_view identity) {
  return identity.substr(identity.find(':') + 1);
}

std::string ReasonText(const access::Reason& reason) {
  if (reason.file.empty()) return fmt::format("{} ({})", reason.why, reason.text);
  return fmt::format("{} ({}:{}: {})", reason.why, reason.file, reason.line, reason.text);
}

}  // namespace postern::plan
