// From what a source shows to the rows of a file: census, selection, mapping.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "core/jobs/mapping.h"
#include "core/jobs/row_store.h"
#include "core/jobs/select.h"
#include "schemas/kinds.pb.h"
#include "tests/support/scratch.h"
#include "tests/unit/jobs/shown.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

kinds::User Person(const std::string& uid, const std::string& ou = "people") {
  kinds::User user;
  user.set_dn(fmt::format("uid={},ou={},dc=x", uid, ou));
  user.set_uid(uid);
  user.set_common_name(uid + " Person");
  user.mutable_mail()->add_values(uid + "@x.test");
  user.set_enabled(true);
  return user;
}

std::string Group(const std::string& cn) {
  return fmt::format("cn={},ou=groups,dc=x", cn);
}

object::Object Member(const std::string& group, const std::string& member) {
  kinds::Membership membership;
  membership.set_group(group);
  membership.set_member(member);
  return object::Encode(membership);
}

object::Object GroupEntry(const std::string& cn) {
  kinds::DirectoryGroup group;
  group.set_dn(Group(cn));
  return object::Encode(group);
}

// Keys of the rows that a selection keeps.
struct Kept {
  std::vector<std::string> keys;
  CensusReport report;
  diag::Diagnostics diagnostics;
};
Kept Select(Shown& source, const decl::Select& select, What what = What::kUsers) {
  Kept kept;
  auto selection =
      Selection::Make(select, what, SourceType::kDirectory, 5000, "export.x", &kept.diagnostics);
  if (!selection) return kept;
  const auto ready =
      selection->Prepare(source, "directory:corp", "export.x", &kept.report, &kept.diagnostics);
  EXPECT_TRUE(ready);
  if (!ready || !*ready) return kept;
  const auto read = ReadRows(
      source, "directory:corp", what, SourceType::kDirectory, selection->needs(),
      [&](const SourceRow& row) -> Result<void> {
        if (selection->Keeps(row, &kept.report)) kept.keys.emplace_back(row.key);
        return {};
      },
      &kept.report);
  EXPECT_TRUE(read) << read.error().message;
  return kept;
}

std::string Complaint(const diag::Diagnostics& diagnostics) {
  if (diagnostics.empty()) return "";
  const diag::Diagnostic& first = diagnostics.all().front();
  return fmt::format("{} {}: {} | {}", first.code, first.subject, first.summary,
                     first.notes.empty() ? "" : first.notes.front());
}

TEST(Select, TakesWhoIsActiveUnlessToldOtherwise) {
  Shown source;
  kinds::User locked = Person("bea"), over = Person("cid"), never = Person("dan");
  locked.set_enabled(false);
  over.set_expires(4999);
  never.set_expires(base::kForever);
  for (const auto& user : {Person("ann"), locked, over, never}) {
    source.objects.push_back(object::Encode(user));
  }
  EXPECT_THAT(Select(source, {}).keys,
              UnorderedElementsAre("uid=ann,ou=people,dc=x", "uid=dan,ou=people,dc=x"));
  decl::Select select;
  select.set_status("inactive");
  EXPECT_THAT(Select(source, select).keys,
              UnorderedElementsAre("uid=bea,ou=people,dc=x", "uid=cid,ou=people,dc=x"));
  select.set_status("all");
  EXPECT_EQ(Select(source, select).keys.size(), 4u);
}

TEST(Select, KnowsBasesByWholeNamesAndAttributesWithoutCase) {
  Shown source;
  for (const auto& user : {Person("ann"), Person("bea", "more people"), Person("cid", "guests")}) {
    source.objects.push_back(object::Encode(user));
  }
  decl::Select select;
  select.set_base("OU=People, dc=x");
  EXPECT_THAT(Select(source, select).keys, ElementsAre("uid=ann,ou=people,dc=x"));
  decl::Select where;
  where.mutable_where()->set_mail("CID@x.test");
  EXPECT_THAT(Select(source, where).keys, ElementsAre("uid=cid,ou=guests,dc=x"));
}

TEST(Select, FollowsGroupsInGroupsAndCircles) {
  Shown source;
  for (const char* uid : {"ann", "bea", "cid"}) {
    source.objects.push_back(object::Encode(Person(uid)));
  }
  for (const char* cn : {"erp", "inner"}) source.objects.push_back(GroupEntry(cn));
  source.objects.push_back(Member(Group("erp"), "uid=ann,ou=people,dc=x"));
  source.objects.push_back(Member(Group("erp"), Group("inner")));
  source.objects.push_back(Member(Group("inner"), "uid=bea,ou=people,dc=x"));
  source.objects.push_back(Member(Group("inner"), Group("erp")));
  decl::Select select;
  select.set_group("ERP");
  EXPECT_THAT(Select(source, select).keys,
              UnorderedElementsAre("uid=ann,ou=people,dc=x", "uid=bea,ou=people,dc=x"));
  EXPECT_EQ(Select(source, select, What::kMemberships).keys.size(), 4u);
  select.set_group("EPR");
  EXPECT_THAT(Complaint(Select(source, select).diagnostics),
              HasSubstr("E0873 export.x: no group \"EPR\" in directory:corp"));
}

TEST(Select, DecidesNothingByWhatCouldNotBeRead) {
  Shown source;
  object::Object user = object::Encode(Person("ann"));
  user.unreadable = uint64_t{1} << kinds::User::kEnabledFieldNumber;
  source.objects.push_back(user);
  const Kept kept = Select(source, {});
  EXPECT_THAT(kept.keys, IsEmpty());
  EXPECT_FALSE(kept.report.good());
  decl::Select all;
  all.set_status("all");
  EXPECT_TRUE(Select(source, all).report.good());
}

TEST(Select, RefusesWhatItsSourceHasNot) {
  Shown source;
  decl::Select select;
  select.set_partition("Staff");
  EXPECT_EQ(Complaint(Select(source, select).diagnostics),
            "E0871 export.x: `partition` is of IAM systems | leave it out of `select`");
  decl::Select where;
  where.mutable_where()->set_department("Sales");
  EXPECT_THAT(Complaint(Select(source, where).diagnostics),
              HasSubstr("E0871 export.x: users of this source have no department"));
}

TEST(Census, SaysWhatItCannotStandFor) {
  Shown source;
  source.scopes = {{.scope = "a", .complete = false, .reason = "connection lost"},
                   {.scope = "b", .complete = true, .unstable = "3 entries came", .at = 900},
                   {.scope = "c", .complete = true, .at = 800}};
  const Kept kept = Select(source, {});
  EXPECT_THAT(kept.report.incomplete, ElementsAre("directory:corp a: connection lost"));
  EXPECT_THAT(kept.report.unstable, ElementsAre("directory:corp b: 3 entries came"));
  EXPECT_EQ(kept.report.as_of, 800);
  source.scopes.clear();
  EXPECT_FALSE(Select(source, {}).report.good());
}

TEST(Census, HasEveryFieldButSecrets) {
  std::vector<std::string> names;
  for (const Attribute& one : AttributesOf(What::kUsers, SourceType::kDirectory)) {
    names.push_back(one.name);
  }
  EXPECT_THAT(names, testing::Contains("employee_number"));
  EXPECT_THAT(names, testing::Not(testing::Contains("password")));
  EXPECT_THAT(AttributesOf(What::kRoles, SourceType::kDirectory), IsEmpty());
}

TEST(Census, ReadsFilesBelowAFolder) {
  const support::Scratch scratch;
  scratch.Write("set/a.pdf", "A");
  scratch.Write("set/deep/b.pdf", "BB");
  scratch.Write("set/c.txt", "C");
  std::filesystem::create_symlink("/etc/hostname", scratch.File("set/link.pdf"));
  const auto paths = [&](bool below) {
    std::vector<std::string> out;
    CensusReport report;
    const auto read = ReadFiles(
        scratch.File("set"), "*.pdf", below,
        [&](const SourceRow& row) -> Result<void> {
          out.push_back(fmt::format("{} {} {}", row.cells[0].text, row.cells[1].text,
                                    row.cells[3].text.substr(0, 4)));
          return {};
        },
        &report);
    EXPECT_TRUE(read && report.good());
    return out;
  };
  EXPECT_THAT(paths(false), ElementsAre("a.pdf 1 559a"));  // sha256sum of "A"
  EXPECT_THAT(paths(true),
              UnorderedElementsAre("a.pdf 1 559a", testing::StartsWith("deep/b.pdf 2")));
  CensusReport report;
  ASSERT_TRUE(ReadFiles(scratch.File("gone"), "", true, {}, &report));
  EXPECT_FALSE(report.good());
}

TEST(Census, SpeaksOfTheCopiesThatItMakes) {
  const support::Scratch scratch;
  scratch.Write("set/deep/a.pdf", "A");
  CensusReport report;
  // Written again while the row is taken: the copy stays what was hashed.
  const auto take = [&](const SourceRow& row) -> Result<void> {
    scratch.Write("set/deep/a.pdf", "B");
    EXPECT_EQ(row.cells[3].text.substr(0, 4), "559a");
    return {};
  };
  ASSERT_TRUE(ReadFiles(scratch.File("set"), "", true, take, &report, scratch.File("copies")));
  EXPECT_TRUE(report.good());
  EXPECT_EQ(support::ReadFile(scratch.File("copies/deep/a.pdf")), "A");
  scratch.Write("full", "no folder");
  const auto failed = ReadFiles(scratch.File("set"), "", true, take, &report, scratch.File("full"));
  EXPECT_FALSE(failed) << "copies that can't be written";
}

// A program that writes on: its file is told of and gives no row, whatever was copied of it.
TEST(Census, AFileThatIsWrittenWhileItIsReadIsNotTaken) {
  const support::Scratch scratch;
  scratch.Write("set/big.log", std::string(size_t{64} << 20, 'x'));
  scratch.Write("set/still.pdf", "A");
  std::atomic<bool> stop = false, begun = false;
  std::thread writer([&] {
    const int file = open(scratch.File("set/big.log").c_str(), O_WRONLY | O_CLOEXEC);
    for (; !stop; begun = true) EXPECT_EQ(pwrite(file, "y", 1, 0), 1);
    close(file);
  });
  while (!begun) std::this_thread::yield();
  CensusReport report;
  std::vector<std::string> taken;
  const auto read = ReadFiles(
      scratch.File("set"), "", true,
      [&](const SourceRow& row) -> Result<void> {
        taken.emplace_back(row.cells[0].text);
        return {};
      },
      &report, scratch.File("copies"));
  stop = true;
  writer.join();
  ASSERT_TRUE(read);
  EXPECT_THAT(taken, ElementsAre("still.pdf"));
  EXPECT_THAT(report.unstable, ElementsAre("big.log: was written while it was read"));
  EXPECT_FALSE(report.good());
}

decl::ExportColumn* AddColumn(decl::Export* to, const std::string& from,
                              const std::string& name = "") {
  decl::ExportColumn* column = to->mutable_columns()->add_values();
  column->set_from(from);
  if (!name.empty()) column->set_name(name);
  return column;
}

// The file of these people.
struct File {
  std::string bytes;
  diag::Diagnostics diagnostics;
  bool good = false;
};
File WriteFile(const decl::Export& declared, const std::vector<kinds::User>& people) {
  File file;
  const auto attributes = AttributesOf(What::kUsers, SourceType::kDirectory);
  auto mapping = Mapping::Make(declared, attributes, "users of directory:corp", {{"pepper", "k3y"}},
                               "export.x", &file.diagnostics);
  if (!mapping) return file;
  Shown source;
  for (const auto& person : people) source.objects.push_back(object::Encode(person));
  RowStore store(testing::TempDir());
  CensusReport report;
  const auto emit = [&](std::string_view key, std::string_view record) {
    return store.Add(key, record);
  };
  EXPECT_TRUE(ReadRows(
      source, "directory:corp", What::kUsers, SourceType::kDirectory, mapping->needs(),
      [&](const SourceRow& row) { return mapping->Map(row, emit, &report, &file.diagnostics); },
      &report));
  auto writer = Writer::Make(
      mapping->shape(), mapping->options(),
      [&](std::string_view piece) -> Result<void> {
        file.bytes += piece;
        return {};
      },
      "users", &file.diagnostics);
  EXPECT_TRUE(writer) << writer.error().message;
  UnpackedRow row(mapping->shape().columns.size());
  const auto written = store.Each([&](std::string_view, std::string_view record) {
    return (*writer)->Add({Operation::kNone, row.Unpack(record)});
  });
  EXPECT_TRUE(written);
  file.good = (*writer)->Finish() && mapping->refused() == 0;
  return file;
}

TEST(Mapping, WritesColumnsInTheirOrderAndRowsByKey) {
  decl::Export declared;
  declared.mutable_format()->set_type("csv");
  declared.mutable_format()->set_eol("lf");
  AddColumn(&declared, "uid", "UID")->set_key(true);
  decl::ExportColumn* constant = declared.mutable_columns()->add_values();
  constant->set_name("SOURCE");
  constant->set_constant("corp");
  for (const char* step : {"trim", "upper"}) {
    if (declared.columns().values_size() < 3) AddColumn(&declared, "common_name", "NAME");
    declared.mutable_columns()->mutable_values(2)->mutable_transform()->add_values(step);
  }
  AddColumn(&declared, "mail", "MAIL");
  decl::ExportColumn* end = AddColumn(&declared, "expires", "END");
  end->set_format("%d.%m.%Y %H:%M");
  end->set_zone("Europe/Berlin");
  kinds::User zoe = Person("zoe"), ann = Person("ann");
  zoe.set_common_name("  zo\u00eb stra\u00dfe ");
  zoe.set_expires(1767225599);  // 2025-12-31T23:59:59Z
  ann.set_expires(base::kForever);
  const File file = WriteFile(declared, {zoe, ann});
  EXPECT_TRUE(file.good) << Complaint(file.diagnostics);
  EXPECT_EQ(file.bytes,
            "UID,SOURCE,NAME,MAIL,END\n"
            "ann,corp,ANN PERSON,ann@x.test,\n"
            "zoe,corp,ZO\u00cb STRA\u00dfE,zoe@x.test,01.01.2026 00:59\n");
}

TEST(Mapping, HashesByKeyMasksAndKeepsDigits) {
  decl::Export declared;
  declared.mutable_format()->set_type("csv");
  declared.mutable_format()->set_header(false);
  declared.mutable_format()->set_eol("lf");
  decl::ExportColumn* hashed = AddColumn(&declared, "uid");
  hashed->set_key(true);
  hashed->mutable_transform()->add_values("hash");
  hashed->set_hash_key("secret:pepper");
  AddColumn(&declared, "surname")->mutable_transform()->add_values("mask");
  AddColumn(&declared, "employee_number")->mutable_transform()->add_values("digits");
  kinds::User ann = Person("ann");
  ann.set_surname("M\u00fcller");
  ann.set_employee_number("A-00 17");
  const std::string hash = base::Hex(base::HmacSha256("k3y", "ann"));
  EXPECT_EQ(WriteFile(declared, {ann}).bytes, hash + ",****er,0017\n");
  hashed->set_hash_key("secret:salt");
  EXPECT_THAT(Complaint(WriteFile(declared, {ann}).diagnostics),
              HasSubstr("E0872 export.x: column uid: hash needs a `hash_key` with a value"));
}

TEST(Mapping, WritesARowForEachValueOfAList) {
  decl::Export declared;
  declared.mutable_format()->set_type("csv");
  declared.mutable_format()->set_header(false);
  declared.mutable_format()->set_eol("lf");
  AddColumn(&declared, "uid")->set_key(true);
  AddColumn(&declared, "mail")->set_rows("each");
  kinds::User ann = Person("ann"), bea = Person("bea");
  ann.mutable_mail()->add_values("a2@x.test");
  bea.mutable_mail()->clear_values();
  EXPECT_EQ(WriteFile(declared, {bea, ann}).bytes, "ann,a2@x.test\nann,ann@x.test\n");
}

TEST(Mapping, RefusesWhatIsTooLongOrMissing) {
  decl::Export declared;
  declared.mutable_format()->set_type("csv");
  AddColumn(&declared, "uid")->set_key(true);
  AddColumn(&declared, "common_name", "NAME")->set_max(9);
  const File file = WriteFile(declared, {Person("ann"), Person("\u00e4nn")});
  EXPECT_FALSE(file.good);
  EXPECT_EQ(Complaint(file.diagnostics),
            "E0876 export.x: row uid=ann,ou=people,dc=x, column NAME: 10 characters, at most 9 | "
            "mend the value at its source, or raise `max`");
  decl::Export wants;
  wants.mutable_format()->set_type("csv");
  AddColumn(&wants, "uid")->set_key(true);
  AddColumn(&wants, "employee_number")->set_required(true);
  EXPECT_THAT(Complaint(WriteFile(wants, {Person("ann")}).diagnostics), HasSubstr("E0805"));
}

void AddLookup(decl::ExportColumn* column, const std::string& value, const std::string& as) {
  decl::Lookup* one = column->mutable_lookup()->add_values();
  one->set_value(value);
  one->set_as(as);
}

// After the transforms, so that one spelling is enough; a flag becomes text.
TEST(Mapping, WritesWhatTheReceiverCallsIt) {
  decl::Export declared;
  declared.mutable_format()->set_type("jsonl");
  AddColumn(&declared, "uid")->set_key(true);
  decl::ExportColumn* unit = AddColumn(&declared, "employee_number", "UNIT");
  for (const char* step : {"trim", "upper"}) unit->mutable_transform()->add_values(step);
  AddLookup(unit, "NORTH", "10");
  AddLookup(unit, "SOUTH", "20");
  decl::ExportColumn* enabled = AddColumn(&declared, "enabled", "STATE");
  AddLookup(enabled, "true", "A");
  AddLookup(enabled, "false", "L");
  kinds::User ann = Person("ann"), bea = Person("bea"), cem = Person("cem");
  ann.set_employee_number(" north");
  ann.set_enabled(true);
  bea.set_employee_number("South");
  bea.set_enabled(false);
  const File file = WriteFile(declared, {ann, bea});
  EXPECT_TRUE(file.good) << Complaint(file.diagnostics);
  EXPECT_THAT(file.bytes, HasSubstr(R"({"uid":"ann","UNIT":"10","STATE":"A"})"));
  EXPECT_THAT(file.bytes, HasSubstr(R"({"uid":"bea","UNIT":"20","STATE":"L"})"));

  cem.set_employee_number("west");
  const File unknown = WriteFile(declared, {ann, cem});
  EXPECT_FALSE(unknown.good);
  EXPECT_EQ(
      Complaint(unknown.diagnostics),
      "E0869 export.x: row uid=cem,ou=people,dc=x, column UNIT: its value isn't in lookup | add it "
      "to `lookup`, or say with `otherwise` what all others are");
  unit->set_otherwise("99");
  EXPECT_THAT(WriteFile(declared, {cem}).bytes, HasSubstr("\"UNIT\":\"99\""));
}

TEST(Mapping, SaysWhatADeclarationCannotBe) {
  const auto complaint = [](const std::function<void(decl::Export*)>& change) {
    decl::Export declared;
    declared.mutable_format()->set_type("csv");
    AddColumn(&declared, "dn");
    change(&declared);
    return Complaint(WriteFile(declared, {}).diagnostics);
  };
  EXPECT_EQ(complaint([](decl::Export*) {}), "");
  EXPECT_EQ(complaint([](decl::Export* d) { AddColumn(d, "employe_number"); }),
            "E0870 export.x: no attribute employe_number in users of directory:corp | did you mean "
            "employee_number?");
  EXPECT_THAT(complaint([](decl::Export* d) { AddColumn(d, "password"); }), HasSubstr("E0870"));
  EXPECT_THAT(complaint([](decl::Export* d) { AddColumn(d, "uid")->set_format("%Y"); }),
              HasSubstr("E0872 export.x: column uid: `format` of an attribute that isn't a time"));
  EXPECT_THAT(complaint([](decl::Export* d) { AddColumn(d, "uid")->set_constant("x"); }),
              HasSubstr("column uid: has one of `from` and `constant`"));
  EXPECT_THAT(
      complaint([](decl::Export* d) { d->mutable_columns()->mutable_values(0)->set_from("uid"); }),
      HasSubstr("no column names the row | a column from dn, or key = true"));
  EXPECT_THAT(complaint([](decl::Export* d) { d->mutable_format()->set_delimiter("||"); }),
              HasSubstr("`delimiter` is one ASCII character"));
}

}  // namespace
}  // namespace postern::jobs::test
