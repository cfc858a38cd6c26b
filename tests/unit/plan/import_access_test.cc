// What a file opens by roles waits, but for the roles that its import is allowed.
#include "core/plan/import_access.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using compile::Attribute;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kAnn[] = "user:acme.a1";

decl::Import Acme(const std::string& more = "") {
  decl::Import import;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(name: "acme" what: "roster" to: "directory:corp" base: "ou=acme,dc=x"
         columns { values { name: "ID" to: "employee_number" } values { name: "LOGIN" to: "uid" }
                   values { name: "MAIL" to: "mail" } })" +
          more,
      &import));
  return import;
}

constexpr uint16_t Asked(Attribute attribute) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(attribute));
}

class ImportAccess : public testing::Test {
 protected:
  // `who` is in the role from now on; the position of why in Desired::provenance.
  uint32_t Join(const std::string& role, const std::string& who, uint16_t asked = 0,
                const std::string& cause = "") {
    compile::Provenance why;
    why.owner = compile::OwnerOf("role:" + role, who);
    if (!cause.empty()) {
      bench_.desired.by_facts.push_back({cause, "", {}, {}});
      why.by_fact = static_cast<uint32_t>(bench_.desired.by_facts.size());
    }
    bench_.desired.provenance.push_back(why);
    const auto source = static_cast<uint32_t>(bench_.desired.provenance.size() - 1);
    bench_.desired.in_roles.push_back({source, asked});
    return source;
  }
  void MayBe(const std::string& role, const std::string& who) {
    bench_.desired.role_notes.push_back({role, who, "two users have its number", {}, true});
  }
  // What the plan says until now is what it says without the file.
  void NoteWithoutFile() { without_ = NoteWithout(bench_.Make(), bench_.desired); }
  std::vector<std::string> OpenedFor(const decl::Import& import) {
    const Plan plan = bench_.Make();
    return OpenedByFile(import, without_, plan, bench_.desired, bench_.declarations);
  }

  Bench bench_;
  WithoutFile without_;
};

TEST_F(ImportAccess, SaysRolePersonAndColumn) {
  Join("staff", "person:li");
  NoteWithoutFile();
  Join("admins", kAnn, Asked(Attribute::kMail), "acme.a1 is in boss@x (mail), seen in corp 10:02Z");
  Join("all", kAnn);
  Join("ops", kAnn, Asked(Attribute::kUserName) | Asked(Attribute::kEmployeeNumber));
  EXPECT_THAT(
      OpenedFor(Acme()),
      ElementsAre(
          R"(acme.a1 would come into role "admins" by column MAIL: acme.a1 is in boss@x (mail))",
          R"(acme.a1 would come into role "all" by being in the file)",
          R"(acme.a1 would come into role "ops" by columns ID, LOGIN)"));
  EXPECT_THAT(OpenedFor(Acme(R"(roles { values: "admins" values: "all" })")), SizeIs(1));
}

TEST_F(ImportAccess, WhoWasInItAndWhoLeavesItWaitsForNobody) {
  Join("admins", kAnn);
  Join("admins", "person:li");
  NoteWithoutFile();
  bench_.desired.in_roles.pop_back();
  EXPECT_THAT(OpenedFor(Acme()), IsEmpty());
}

// A later plan, when it is decided, is an operator's: nobody would ask then.
TEST_F(ImportAccess, WhoMayComeIntoARoleLater) {
  MayBe("admins", "user:acme.a9");
  NoteWithoutFile();
  MayBe("admins", kAnn);
  EXPECT_THAT(OpenedFor(Acme()),
              ElementsAre(R"(acme.a1 may come into role "admins" by the file, which isn't decided )"
                          "yet: two users have its number"));
  EXPECT_THAT(OpenedFor(Acme(R"(roles { values: "admins" })")), IsEmpty());
  // Then it is decided by a file.
  NoteWithoutFile();
  bench_.desired.role_notes.clear();
  Join("admins", kAnn);
  EXPECT_THAT(OpenedFor(Acme()), SizeIs(1));
}

TEST_F(ImportAccess, AnotherLoginOrFolderByATemplate) {
  auto& role = bench_.declarations.roles.emplace_back().message;
  role.set_name("staff");
  role.mutable_account()->set_home("/srv/{employeeNumber}");
  const uint32_t source = Join("staff", kAnn);
  bench_.All(Account("ann", true, "/srv"));
  NoteWithoutFile();
  bench_.wanted.clear();
  bench_.Want(Account("ann", true, "/srv/17"));
  bench_.wanted[kHost][0].sources = {source};
  EXPECT_THAT(
      OpenedFor(Acme()),
      ElementsAre(HasSubstr(R"(acme.a1 would have more by role "staff", columns ID, LOGIN: )"
                            "host:edge account ftp/ann")));
  EXPECT_THAT(OpenedFor(Acme(R"(roles { values: "staff" })")), IsEmpty());
}

TEST_F(ImportAccess, WhatElseOpensAndWhatWaitedBefore) {
  bench_.All(Account("ann"));
  const access::Rights list = access::Right::kList;
  bench_.Want(Row("/d", "this", "account:ann", list));
  const std::vector<std::string> opened = OpenedFor(Acme());
  ASSERT_THAT(opened, SizeIs(1));
  EXPECT_THAT(opened[0], testing::StartsWith("host:edge grant "));
  EXPECT_THAT(opened[0], testing::EndsWith(" would open by the file"));
  NoteWithoutFile();
  EXPECT_THAT(OpenedFor(Acme()), IsEmpty());
}

// Its own people's entries are judged by what the import may.
TEST_F(ImportAccess, ItsOwnPeopleAreNoAccessByAFile) {
  NoteWithoutFile();
  bench_.Want(User("uid=u1,ou=acme,dc=x"), kCorp);
  EXPECT_THAT(OpenedFor(Acme()), IsEmpty());
}

TEST_F(ImportAccess, ManyAreTwentyAndACount) {
  for (int i = 0; i < 25; ++i) Join("all", "user:acme.a" + std::to_string(i));
  const std::vector<std::string> opened = OpenedFor(Acme());
  ASSERT_THAT(opened, SizeIs(21));
  EXPECT_EQ(opened.back(), "and 5 more");
}

}  // namespace
}  // namespace postern::plan
