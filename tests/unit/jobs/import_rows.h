// tests/unit/jobs/import_rows.h: rows of a file through the eyes of an import, and the people that
// they find. One thread.
#pragma once
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "core/jobs/match.h"
#include "core/jobs/roster.h"

namespace postern::jobs::test {

inline constexpr base::Instant kNow = 1'767'225'600;  // 2026-01-01T00:00:00Z

inline constexpr char kRosterColumns[] = R"(
  columns {
    values { name: "ID" to: "employee_number" required: true pattern: "[A-Z][0-9]{1,5}" }
    values { name: "UID" to: "uid" required: true }
    values { name: "NAME" to: "surname" }
    values { name: "MAIL" to: "mail" domains { values: "acme.test" } }
    values { name: "UNTIL" to: "expires" format: "%Y-%m-%d" }
  })";

inline decl::Import Acme(const std::string& more = "") {
  const std::string text = std::string(R"(name: "acme" owner: "partner:acme" what: "roster"
    to: "directory:corp" base: "ou=acme,dc=x" format { type: "csv" eol: "lf" }
    may { values: "create" values: "update" values: "disable" }
    match { values: "employee_number" values: "mail" })") +
                           kRosterColumns + more;
  decl::Import import;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &import));
  return import;
}

inline constexpr char kRosterHeader[] = "ID,UID,NAME,MAIL,UNTIL\n";

inline RosterFile ReadIt(const decl::Import& import, const std::string& rows) {
  static std::string text;  // outlives the source
  text = kRosterHeader + rows;
  auto file = ReadRoster(import, TextSource(text), "roster.csv", 0);
  if (!file) ADD_FAILURE() << file.error().message;
  return file ? *std::move(file) : RosterFile{};
}

// "3 E0886 UID: ...", a line each.
inline std::string Lines(const std::vector<RefusedRow>& refused) {
  std::string out;
  for (const RefusedRow& row : refused) {
    out += std::to_string(row.line) + " " + row.code + " " + row.column +
           (row.column.empty() ? "" : ": ") + row.text + "\n";
  }
  return out;
}

inline config::Declarations World() {
  config::Declarations all;
  decl::Partner acme;
  acme.set_name("acme");
  acme.mutable_contract()->set_ends(kNow + 100 * 86400);
  all.partners.push_back({acme, {}, {}});
  return all;
}

inline Matched Next(const decl::Import& import, const std::string& rows,
                    const decl::AcceptedRoster* before = nullptr, base::Instant now = kNow) {
  static const config::Declarations world = World();
  const MatchInput input{import, before, &world, now, "00"};
  return MatchRoster(input, ReadIt(import, rows));
}

inline const decl::RosterPerson* Named(const Matched& matched, const std::string& name) {
  for (const auto& person : matched.roster.people()) {
    if (person.name() == name) return &person;
  }
  return nullptr;
}

inline std::vector<std::string> Names(const Matched& matched) {
  std::vector<std::string> out;
  for (const auto& person : matched.roster.people()) {
    out.push_back(person.name() + (person.left() ? " left" : ""));
  }
  return out;
}

}  // namespace postern::jobs::test
