// tests/unit/plan/fake_rules.h: a product whose rules are a small language, so that every effect of
// rules by other hands can be said in a line, and a setting with such rules.
#pragma once
#include <initializer_list>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/access/ways.h"
#include "core/diag/codes.h"
#include "tests/unit/plan/bench.h"

namespace postern::plan {

using access::Answer;
using access::Cell;
using access::Depth;
using access::Part;
using access::Right;
using access::Rights;
using testing_objects::Account;
using testing_objects::Key;
using testing_objects::Row;

inline const Rights kList = Right::kList, kRead = Right::kRead, kDelete = Right::kDelete;

inline bool Reaches(const access::GrantRow& row, const Cell& cell) {
  if (row.depth == Depth::kSubtree) return access::IsWithin(cell.path, row.path);
  if (cell.path == row.path) return cell.part != Part::kDeeper;
  return cell.part == Part::kNode && access::ParentOf(cell.path) == row.path;
}

// Rows, and lines "more|less|unknown LOGIN PATH RIGHT" or "open LOGIN", which hold for a subtree
// and come after the rows, in order.
class FakeEnforced final : public access::Enforced {
 public:
  struct Line {
    std::string word, login, path, right;
    access::ReasonId reason = 0;
  };
  explicit FakeEnforced(const access::RaiseInput& input) : input_(input), reasons_(1) {
    for (const access::ConfigFile& file : input.files) {
      std::istringstream text(file.text);
      uint32_t number = 0;
      for (std::string one; std::getline(text, one);) {
        ++number;
        Line line;
        std::istringstream(one) >> line.word >> line.login >> line.path >> line.right;
        if (line.word.empty() || input.without.contains({file.path, number})) continue;
        reasons_.push_back({file.path, number, one, "it depends on the moon"});
        line.reason = static_cast<access::ReasonId>(reasons_.size() - 1);
        lines_.push_back(line);
      }
    }
  }
  access::CellAnswers AnswersAt(const Cell& cell) const override {
    access::CellAnswers out;
    for (const access::GrantRow& row : input_.rows) {
      if (!Reaches(row, cell)) continue;
      for (size_t i = 0; i < out.size(); ++i) {
        if (row.rights.Has(static_cast<Right>(i))) out[i].yes |= Of(row.subject);
      }
    }
    for (const Line& line : lines_) {
      const auto right = access::ParseRight(line.right);
      if (!right || !access::IsWithin(cell.path, line.path)) continue;
      Answer& answer = out[static_cast<size_t>(*right)];
      const access::AccountSet who = Of({access::Subject::Type::kAccount, line.login});
      if (line.word == "more") answer.yes |= who;
      if (line.word == "less") answer.yes -= who;
      if (line.word != "unknown") continue;
      answer.yes -= who;
      answer.maybe |= who;
      answer.reason = line.reason;
    }
    return out;
  }
  // A daemon that asks for the link's own name where it deletes.
  access::CellAnswers AnswersByLink(const Cell& cell) const override {
    constexpr auto kAt = static_cast<size_t>(Right::kDelete);
    access::CellAnswers out;
    out[kAt] = AnswersAt(cell)[kAt];
    return out;
  }
  std::vector<std::string> NamedPaths() const override {
    std::set<std::string> paths;
    for (const access::GrantRow& row : input_.rows) paths.insert(row.path);
    for (const Line& line : lines_) paths.insert(line.path);
    return {paths.begin(), paths.end()};
  }
  access::AccountSet OpenToAnybody() const override {
    access::AccountSet who;
    for (const Line& line : lines_) {
      if (line.word == "open") who |= Of({access::Subject::Type::kAccount, line.login});
    }
    return who;
  }
  const access::Reason& ReasonOf(access::ReasonId id) const override { return reasons_[id]; }

 private:
  access::AccountSet Of(const access::Subject& subject) const {
    std::vector<uint32_t> ids;
    for (uint32_t i = 0; i < input_.accounts.size(); ++i) {
      const auto& groups = input_.accounts[i].groups;
      const bool in = std::find(groups.begin(), groups.end(), subject.name) != groups.end();
      if (subject.type == access::Subject::Type::kEveryone ||
          (subject.type == access::Subject::Type::kGroup && in) ||
          (subject.type == access::Subject::Type::kAccount &&
           input_.accounts[i].name == subject.name)) {
        ids.push_back(i);
      }
    }
    return access::AccountSet::Of(std::move(ids));
  }
  access::RaiseInput input_;
  std::vector<Line> lines_;
  std::vector<access::Reason> reasons_;
};

class FakeProduct final : public access::Product {
 public:
  std::string_view name() const override { return "fake"; }
  std::vector<access::Capability> Capabilities() const override { return {}; }
  access::Fit FitRows(std::span<const access::GrantRow> rows,
                      std::span<const std::string>) const override {
    return {{rows.begin(), rows.end()}, {}, {}};
  }
  bool RulesByPath() const override { return true; }
  Result<std::unique_ptr<access::Enforced>> Raise(const access::RaiseInput& input) const override {
    ++raises;
    if (broken) return Fail(ErrorCode::kIncomplete, "a file is cut");
    return std::make_unique<FakeEnforced>(input);
  }
  mutable int raises = 0;
  bool broken = false;
};

// Accounts a and b, both with a key; a may list and read /d.
struct Setting {
  Setting() {
    bench.declarations.servers.resize(1);
    bench.declarations.servers[0].message.set_name("ftp");
    bench.declarations.servers[0].message.set_host("edge");
    bench.declarations.servers[0].message.set_product("fake");
    bench.host().mutable_manage()->mutable_roots()->add_values("/d");
    for (const char* login : {"a", "b"}) {
      bench.All(Account(login)).All(Key(login, std::string("SHA256:") + login));
    }
    row = Row("/d", "subtree", "account:a", kList | kRead);
  }
  // Lines of the file /x.conf, each a rule by other hands.
  void Rules(std::initializer_list<const char*> lines, bool config = true) {
    kinds::ServerConfig file;
    file.set_server("ftp");
    file.set_file("/x.conf");
    file.set_role("main");
    uint32_t number = 0;
    for (const char* line : lines) {
      kinds::NativeRule rule;
      rule.set_server("ftp");
      rule.set_file("/x.conf");
      rule.set_line(++number);
      rule.set_text(line);
      rule.set_path("/d");
      rule.set_effect("a line by other hands");
      bench.Live(object::Encode(rule));
      *file.mutable_text() += std::string(line) + "\n";
    }
    if (config) bench.Live(object::Encode(file));
  }
  // Another path of a folder, as providers tell it.
  void Way(const std::string& path, const std::string& real, const std::string& by,
           std::initializer_list<const char*> given = {}) {
    kinds::NativeRule rule;
    rule.set_server("ftp");
    rule.set_file(path);
    rule.set_line(0);
    rule.set_text(by == "link" ? "link to " + real : "another mount of " + real);
    rule.set_path(real);
    rule.set_effect("what lies there has this path as well");
    rule.set_by(by);
    for (const char* one : given) rule.mutable_given()->add_values(one);
    bench.Live(object::Encode(rule));
  }
  Plan Make() {
    bench.products = {{"fake", &product}};
    return bench.Make(&diagnostics);
  }
  std::vector<std::string> Said() const {
    std::vector<std::string> out;
    for (const auto& one : diagnostics.all()) {
      if (one.code == diag::code::kForeignRule) out.push_back(one.summary + " @ " + one.subject);
    }
    return out;
  }

  Bench bench;
  object::Object row;
  FakeProduct product;
  diag::Diagnostics diagnostics;
};

}  // namespace postern::plan
