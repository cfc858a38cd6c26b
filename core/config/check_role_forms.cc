// Roles, as far as no fact is needed: members, rows, and the templates of logins and folders.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/config/check.h"
#include "core/config/placeholders.h"
#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using decl::Role;

class RoleChecks {
 public:
  RoleChecks(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  void Run() {
    for (const auto& role : input_.declarations.roles) {
      CheckMembers(role);
      CheckAccount(role);
      CheckRows(role);
    }
  }

 private:
  diag::Diagnostic& Error(const char* code, std::string summary, diag::Span span, std::string label,
                          std::string note) {
    auto& d = diagnostics_.Add(
        {.code = code, .summary = std::move(summary), .span = span, .label = std::move(label)});
    if (!note.empty()) d.notes.push_back(std::move(note));
    return d;
  }

  void CheckMembers(const Declared<Role>& role) {
    const auto& members = role.message.members().values();
    for (int i = 0; i < members.size(); ++i) {
      const decl::RoleMember& member = members[i];
      const diag::Span span = role.At(Role::kMembersFieldNumber, i);
      const int ways = member.has_who() + member.has_iam() + member.has_directory();
      if (ways != 1) {
        Error(code::kRoleMember,
              fmt::format("a member of role \"{}\" {}", role.message.name(),
                          ways == 0 ? "names nobody and no source" : "names more than one source"),
              span, "one of who, iam and directory",
              "write \"person:NAME\", or { iam = \"NAME\", where = { department = \"...\" } }");
      } else if (member.has_who() && (member.has_where() || member.has_group())) {
        Error(code::kRoleMember,
              fmt::format("a member of role \"{}\" is named and searched for", role.message.name()),
              span, "where and group are for a source", "");
      } else if (member.has_directory()) {
        CheckWhere(role, member.where(), span);
      }
    }
  }

  // What entries of a directory don't have.
  void CheckWhere(const Declared<Role>& role, const decl::Where& where, diag::Span span) {
    const char* lacks = where.has_division()       ? "division"
                        : where.has_organization() ? "organization"
                        : where.has_cost_center()  ? "cost_center"
                        : where.has_user_type()    ? "user_type"
                        : where.has_external_id()  ? "external_id"
                        : where.has_department()   ? "department"
                        : where.has_title()        ? "title"
                                                   : nullptr;
    if (lacks == nullptr) return;
    Error(code::kRoleMember,
          fmt::format("role \"{}\" asks entries of a directory for {}", role.message.name(), lacks),
          span, "only IAM users have it",
          "a directory has user_name, employee_number, mail, active, and groups");
  }

  void CheckAccount(const Declared<Role>& role) {
    if (!role.message.has_account()) return;
    const decl::RoleAccount& account = role.message.account();
    const auto at = [&](int field) { return role.At(Nested(Role::kAccountFieldNumber, field)); };
    if (account.has_home()) {
      const diag::Span span = at(decl::RoleAccount::kHomeFieldNumber);
      const auto filled = Fill("home", account.home(), span);
      if (filled) {
        if (auto problem = CheckFormat(schema::ABSOLUTE_PATH, *filled)) {
          Error(code::kBadTemplate, fmt::format("\"{}\" is no login folder", account.home()), span,
                problem->label, "write for instance \"/srv/ftp/{userName}\"");
        }
      }
    }
    if (!account.has_login()) return;
    const diag::Span span = at(decl::RoleAccount::kLoginFieldNumber);
    const auto filled = Fill("login", account.login(), span);
    if (!filled) return;
    if (CheckFormat(schema::LOGIN, *filled)) {
      Error(code::kBadTemplate, fmt::format("\"{}\" is no login", account.login()), span,
            "not a login that servers take", "write for instance \"{userName}\"");
    } else if (account.login().find('{') == std::string::npos) {
      Error(code::kBadTemplate, "all members would share one login", span, "names no member",
            "write for instance \"{userName}\"");
    }
  }

  // The template with a plain word in each place; nothing when it can't be filled.
  std::optional<std::string> Fill(std::string_view key, std::string_view text, diag::Span span) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '}') return Broken(key, span, "a } without its {");
      if (text[i] != '{') {
        out += text[i];
        continue;
      }
      const size_t end = text.find_first_of("{}", i + 1);
      if (end == std::string_view::npos || text[end] == '{') {
        return Broken(key, span, "a { without its }");
      }
      const std::string_view name = text.substr(i + 1, end - i - 1);
      if (!FindPlaceholder(name)) {
        auto& d = Error(code::kBadTemplate, fmt::format("{} has no {{{}}} to fill in", key, name),
                        span, "not known", "one of: " + ListOfPlaceholders());
        if (const auto near = diag::Nearest(name, PlaceholderNames())) {
          d.label = fmt::format("did you mean {{{}}}?", *near);
        }
        return std::nullopt;
      }
      out += 'x';
      i = end;
    }
    return out;
  }

  std::optional<std::string> Broken(std::string_view key, diag::Span span, const char* label) {
    Error(code::kBadTemplate, fmt::format("the braces in {} don't match", key), span, label, "");
    return std::nullopt;
  }

  void CheckRows(const Declared<Role>& role) {
    std::map<std::pair<std::string_view, bool>, int> first;
    const auto& rows = role.message.rows().values();
    for (int i = 0; i < rows.size(); ++i) {
      const auto [at, is_new] = first.try_emplace({rows[i].folder(), rows[i].depth() == "this"}, i);
      if (is_new) continue;
      auto& d = Error(code::kSameRow,
                      fmt::format("role \"{}\" has two rows for folder \"{}\"", role.message.name(),
                                  rows[i].folder()),
                      role.At(Role::kRowsFieldNumber, i), "again, at the same depth", "");
      d.also.push_back({role.At(Role::kRowsFieldNumber, at->second), "first here"});
    }
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

void CheckRoleForms(const CheckInput& input, diag::Diagnostics* diagnostics) {
  RoleChecks(input, diagnostics).Run();
}

}  // namespace postern::config
