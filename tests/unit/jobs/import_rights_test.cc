// What a file may do to whom it finds: each of it needs its right, and what locks somebody counts
// as that, however the file says it.
#include "core/jobs/thresholds.h"
#include "tests/unit/jobs/import_rows.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr base::Instant kDay = 86400;

decl::Import With(const std::string& more, const std::vector<std::string>& may) {
  decl::Import import = Acme(more);
  import.mutable_may()->clear_values();
  for (const std::string& right : may) import.mutable_may()->add_values(right);
  return import;
}

// A0.. of `count`, the first `ended` of them with that end.
std::string Rows(int count, int ended, const std::string& end) {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    rows += "A" + n + ",u" + n + ",N,u" + n + "@acme.test," + (i < ended ? end : "") + "\n";
  }
  return rows;
}

TEST(ImportEnds, AnEndByTomorrowDisables) {
  const Matched first = Next(Acme(), Rows(40, 0, ""));
  for (const char* end : {"2020-01-01", "2025-12-31", "2026-01-01"}) {
    const Matched ended = Next(Acme(), Rows(40, 12, end), &first.roster);
    EXPECT_EQ(ended.counts.disable, 12u) << end;
    EXPECT_EQ(ended.counts.change, 0u) << end;
    EXPECT_THAT(Exceeded(Acme(), ended.counts),
                ElementsAre("12 of 40 people would be disabled; 2 may be"))
        << end;
  }
  const Matched announced = Next(Acme(), Rows(40, 2, "2026-02-01"), &first.roster);
  EXPECT_EQ(announced.counts.disable, 0u);
  EXPECT_EQ(announced.counts.change, 2u);
}

TEST(ImportEnds, WhoseEndIsOverComesBackByALaterOne) {
  const Matched first = Next(Acme(), Rows(2, 2, "2026-02-01"));
  EXPECT_EQ(first.counts.create, 2u);
  const base::Instant later = kNow + 40 * kDay;
  const Matched over = Next(Acme(), Rows(2, 2, "2026-02-01"), &first.roster, later);
  EXPECT_EQ(over.counts.disable + over.counts.change, 0u) << "it was told when it was given";
  const Matched missing = Next(Acme(), Rows(1, 1, "2026-02-01"), &first.roster, later);
  EXPECT_EQ(missing.counts.disable, 0u) << "locked already";
  const Matched back = Next(Acme(), Rows(2, 1, "2026-02-01"), &first.roster, later);
  EXPECT_EQ(back.counts.back, 1u);
  const Matched refused =
      Next(With("", {"update"}), Rows(2, 1, "2026-02-01"), &first.roster, later);
  EXPECT_EQ(Lines(refused.refused),
            "3 E0889 acme.a1 would be back, and the import may not create\n");
}

TEST(ImportEnds, AnEndNeedsItsRight) {
  const Matched first = Next(Acme(), Rows(2, 0, ""));
  const Matched over = Next(With("", {"update"}), Rows(2, 1, "2025-12-01"), &first.roster);
  EXPECT_EQ(Lines(over.refused),
            "2 E0889 acme.a0 would be disabled, and the import may not disable\n");
  const Matched later = Next(With("", {"disable"}), Rows(2, 1, "2026-02-01"), &first.roster);
  EXPECT_EQ(Lines(later.refused), "2 E0889 acme.a0 would change, and the import may not update\n");
  EXPECT_EQ(Lines(Next(With("", {"disable"}), Rows(2, 1, "2025-12-01"), &first.roster).refused),
            "");
}

// Else a file without ends would be held, or refused, every half year.
TEST(ImportEnds, OursAreRenewedWithoutARightOrACount) {
  const decl::Import import = With("expires_days: 30", {"create"});
  const Matched first = Next(import, Rows(3, 0, ""));
  const Matched later = Next(import, Rows(3, 0, ""), &first.roster, kNow + 20 * kDay);
  EXPECT_EQ(Lines(later.refused), "");
  EXPECT_EQ(later.counts.change, 0u);
  EXPECT_GT(later.roster.people(0).user().expires(), first.roster.people(0).user().expires());
}

TEST(ImportEnds, NobodyIsWithoutAnEnd) {
  decl::Import import = Acme("expires_days: 30");
  import.set_owner("person:li");  // no contract
  const base::Instant most = kNow + 31 * kDay - 1;
  const Matched first = Next(import, Rows(2, 2, "9999-12-31"));
  EXPECT_EQ(first.roster.people(0).user().expires(), most);
  const Matched next = Next(import, Rows(2, 2, "9999-12-31"), &first.roster, kNow + 5 * kDay);
  EXPECT_EQ(next.roster.people(0).user().expires(), most) << "not another one every day";
  EXPECT_EQ(Next(import, Rows(1, 1, "2026-01-20")).roster.people(0).user().expires(),
            *base::ParseInstant("2026-01-20T23:59:59Z"));
  EXPECT_EQ(
      Next(Acme("expires_days: 30"), Rows(1, 1, "9999-12-31")).roster.people(0).user().expires(),
      kNow + 100 * kDay)
      << "the contract's";
}

std::string Row(const std::string& login, const std::string& mail, bool enabled) {
  return "A1," + login + ",N," + mail + ",," + (enabled ? "true" : "false") + "\n";
}

Matched Switched(const std::vector<std::string>& may, const std::string& row,
                 const decl::AcceptedRoster* before) {
  decl::Import import = With("", may);
  auto& column = *import.mutable_columns()->add_values();
  column.set_name("ON");
  column.set_to("enabled");
  const std::string text = "ID,UID,NAME,MAIL,UNTIL,ON\n" + row;
  const auto file = ReadRoster(import, TextSource(text), "roster.csv", 0);
  EXPECT_TRUE(file) << file.error().message;
  const config::Declarations world = World();
  return MatchRoster({import, before, &world, kNow, "00"}, *file);
}

// Somebody renumbered whose row is refused is found by what else `match` names.
TEST(ImportRefused, ARowWithANewKeyIsItsPersons) {
  const std::string two = "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n";
  const Matched first = Next(Acme(), two);
  const std::string rest = "A2,an,A,an@acme.test,\n";
  for (const char* row : {"B0,root,J,jo@acme.test,\n", "B0,jo,J,jo@acme.test,nonsense\n"}) {
    const Matched second = Next(Acme(), row + rest, &first.roster);
    EXPECT_EQ(second.refused.size(), 1u) << row;
    EXPECT_THAT(Names(second), ElementsAre("acme.a1", "acme.a2")) << row;
  }
  const std::string twins = "B0,jo,J,jo@acme.test,\nB0,jo,J,jo@acme.test,\n";
  EXPECT_THAT(Names(Next(Acme(), twins + rest, &first.roster)), ElementsAre("acme.a1", "acme.a2"));
  // The mail itself is what is wrong, or the row has too few fields: it may be anybody's.
  for (const char* row : {"B0,jo,J,jo@other.test,\n", "B0,jo\n"}) {
    EXPECT_THAT(Names(Next(Acme(), row + rest, &first.roster)), ElementsAre("acme.a1", "acme.a2"))
        << row;
  }
  // Who is new and refused keeps nobody else from leaving.
  const Matched other = Next(Acme(), "B9,root,N,new@acme.test,\n" + rest, &first.roster);
  EXPECT_THAT(Names(other), ElementsAre("acme.a1 left", "acme.a2"));
}

TEST(ImportRights, WhoDisablesDoesntChangeByTheWay) {
  const std::vector<std::string> may = {"create", "disable"};
  const Matched first = Switched(may, Row("jo", "jo@acme.test", true), nullptr);
  const Matched renamed = Switched(may, Row("chief", "evil@acme.test", false), &first.roster);
  EXPECT_EQ(Lines(renamed.refused),
            "2 E0889 acme.a1 would change, and the import may not update\n");
  const Matched off = Switched(may, Row("jo", "jo@acme.test", false), &first.roster);
  EXPECT_THAT(off.refused, IsEmpty());
  EXPECT_EQ(off.counts.disable, 1u);
  const Matched on = Switched(may, Row("chief", "evil@acme.test", true), &off.roster);
  EXPECT_EQ(Lines(on.refused), "2 E0889 acme.a1 would change, and the import may not update\n");
  EXPECT_EQ(Switched(may, Row("jo", "jo@acme.test", true), &off.roster).counts.back, 1u);
  const Matched both =
      Switched({"create", "update", "disable"}, Row("chief", "n@acme.test", false), &first.roster);
  EXPECT_THAT(both.refused, IsEmpty());
}

}  // namespace
}  // namespace postern::jobs::test
