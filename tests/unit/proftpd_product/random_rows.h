// tests/unit/proftpd_product/random_rows.h: seeded sets of grant rows, small enough to collide
// often.
#pragma once
#include <random>
#include <vector>

#include "core/access/rights.h"

namespace postern::proftpd::testing {

inline const std::vector<std::string>& Folders() {
  static const std::vector<std::string> folders = {
      "/srv/x",     "/srv/x/a",   "/srv/x/a/b", "/srv/x/a/b/c", "/srv/x/a b",
      "/srv/x/a-b", "/srv/x/[a]", "/srv/x/d/e", "/srv/y/f",     "/srv/y/f/g*"};
  return folders;
}

inline std::vector<access::Subject> Subjects() {
  using Type = access::Subject::Type;
  return {{Type::kAccount, "u1"}, {Type::kAccount, "u2"}, {Type::kAccount, "u3"},
          {Type::kGroup, "g1"},   {Type::kGroup, "g2"},   {Type::kEveryone, ""}};
}

inline std::vector<access::GrantRow> RandomRows(std::mt19937& random, size_t most) {
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::vector<access::Subject> subjects = Subjects();
  std::vector<access::GrantRow> rows(below(most + 1));
  for (access::GrantRow& row : rows) {
    row.path = Folders()[below(Folders().size())];
    row.depth = below(2) == 0 ? access::Depth::kThis : access::Depth::kSubtree;
    row.subject = subjects[below(subjects.size())];
    row.rights = access::Rights(static_cast<uint32_t>(random()) & 0x1ff);
    if (below(2) == 0)
      row.rights = row.rights & access::Rights(0x1ff & static_cast<uint32_t>(random()));
  }
  return rows;
}

// What the rows mean at one path, straight from the words: `this` is the path and its direct
// entries, `subtree` everything.
inline access::Rights Meaning(const std::vector<access::GrantRow>& rows,
                              const access::Subject& subject, const std::string& path) {
  access::Rights rights;
  for (const access::GrantRow& row : rows) {
    if (row.subject != subject) continue;
    const bool covers = row.depth == access::Depth::kSubtree
                            ? access::IsWithin(path, row.path)
                            : path == row.path || access::ParentOf(path) == row.path;
    if (covers) rights |= row.rights;
  }
  return rights;
}

}  // namespace postern::proftpd::testing
