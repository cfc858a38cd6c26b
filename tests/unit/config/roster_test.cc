// Accepted rosters as declarations: places, whose they are, and overlaps with the tree.
#include "core/config/roster.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "core/diag/render.h"

namespace postern::config {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kOperator[] = R"(
administrators = ["person:jo"]
[host.edge]
address = "local:"
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
[runner.here]
host = "edge"
user = "jobs"
[secret."*"]
from = "file:/etc/postern/secrets/*"
[endpoint.drop]
for = "partner:acme"
protocol = "sftp"
address = "files.acme.test"
known_host = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWxZSJKWLeR32rx2DA+Yc3Eu4bD0cQnEDw0TEGJ6y8e"
login = "postern"
password = "secret:drop"
)";

constexpr char kTree[] = R"(
[person.jo]
[partner.acme]
[service_account.rosters]
owner = "person:jo"
purpose = "rosters"
[import.acme]
owner = "partner:acme"
reason = "their people"
runner = "here"
as = "service:rosters"
what = "WHAT"
to = "directory:corp"
base = "ou=acme,dc=x"
fetch = { from = "drop", folder = "/hr", pattern = "*.csv", ready = "trigger" }
format = { type = "csv" }
columns = [{ name = "ID", to = "employee_number", required = true }, { name = "MAIL", to = "mail" }]
may = ["create", "update", "disable"]
match = ["employee_number"]
)";

class RosterLoad : public testing::Test {
 protected:
  RosterLoad() {
    std::string name = (fs::temp_directory_path() / "postern-roster-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    roster_.set_import("acme");
    roster_.set_file("roster_7.csv");
    auto* person = roster_.add_people();
    person->set_name("acme.a1");
    person->set_line(17);
    decl::User* user = person->mutable_user();
    user->set_name("acme.a1");
    user->set_directory("corp");
    user->set_dn("uid=a1,ou=acme,dc=x");
    user->set_uid("a1");
    user->mutable_mail()->add_values("a1@acme.test");
  }
  ~RosterLoad() override { fs::remove_all(folder_); }

  Loaded Read(const std::string& more = "", const std::string& what = "roster") {
    std::string tree = kTree;
    tree.replace(tree.find("WHAT"), 4, what);
    if (what == "attributes") {
      const std::string may = "[\"create\", \"update\", \"disable\"]";
      tree.replace(tree.find(may), may.size(), "[\"update\"]");
    }
    Write("operator/postern.toml", kOperator);
    Write("access/all.toml", tree + more);
    return Load({.operator_file = folder_ / "operator/postern.toml",
                 .tree = {},
                 .rosters = [this](const Loaded&, diag::Diagnostics*) {
                   std::vector<decl::AcceptedRoster> all = others_;
                   all.push_back(roster_);
                   return all;
                 }});
  }
  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }

  fs::path folder_;
  decl::AcceptedRoster roster_;
  std::vector<decl::AcceptedRoster> others_;
};

std::string Said(const Loaded& loaded) {
  return diag::Render(loaded.diagnostics, loaded.sources);
}

TEST_F(RosterLoad, PeopleAreDeclaredByLinesOfTheFile) {
  const Loaded loaded = Read();
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << Said(loaded);
  ASSERT_EQ(loaded.declarations.users.size(), 1u);
  EXPECT_EQ(loaded.sources.Place(loaded.declarations.users[0].span), "roster_7.csv:17");
  EXPECT_EQ(loaded.declarations.imported_by.at("user:acme.a1"), "acme");
  const auto with = DigestOf(loaded);
  roster_.mutable_people(0)->mutable_user()->set_surname("Other");
  EXPECT_NE(DigestOf(Read()), with) << "a plan is bound to the roster that it was made from";
}

TEST_F(RosterLoad, OfAnImportThatIsntDeclaredNothingCounts) {
  roster_.set_import("gone");
  EXPECT_TRUE(Read().declarations.users.empty());
}

TEST_F(RosterLoad, TheSameEntryTwiceNamesBothPlaces) {
  const Loaded loaded = Read("[user.eve]\ndirectory = \"corp\"\ndn = \"UID=A1, ou=acme,dc=x\"\n");
  ASSERT_TRUE(loaded.diagnostics.has_errors());
  EXPECT_THAT(Said(loaded), HasSubstr("roster_7.csv:17"));
  EXPECT_THAT(Said(loaded), HasSubstr("all.toml"));
}

TEST_F(RosterLoad, TheSameNameTwiceNamesBothPlaces) {
  const Loaded loaded = Read("[user.\"acme.a1\"]\ndirectory = \"corp\"\n");
  ASSERT_TRUE(loaded.diagnostics.has_errors());
  EXPECT_THAT(Said(loaded), HasSubstr("roster_7.csv:17"));
}

TEST_F(RosterLoad, AttributesFillWhatOthersLeaveOut) {
  decl::RosterPerson* person = roster_.mutable_people(0);
  person->set_name("li");
  person->clear_user();
  person->mutable_user()->mutable_mail()->add_values("li@acme.test");
  person->mutable_user()->set_dn("uid=root,dc=x");  // never a file's to say
  const Loaded loaded =
      Read("[user.li]\ndirectory = \"corp\"\nemployee_number = \"A1\"\n", "attributes");
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << Said(loaded);
  ASSERT_EQ(loaded.declarations.users.size(), 1u);
  const auto& li = loaded.declarations.users[0];
  EXPECT_EQ(li.message.mail().values(0), "li@acme.test");
  EXPECT_FALSE(li.message.has_dn());
  EXPECT_EQ(loaded.sources.Place(li.At(decl::User::kMailFieldNumber)), "roster_7.csv:17");
  EXPECT_TRUE(loaded.declarations.imported_by.empty());
}

TEST_F(RosterLoad, AnAttributeThatBothSayIsAnError) {
  decl::RosterPerson* person = roster_.mutable_people(0);
  person->set_name("li");
  person->clear_user();
  person->mutable_user()->mutable_mail()->add_values("li@acme.test");
  const Loaded loaded =
      Read("[user.li]\ndirectory = \"corp\"\nemployee_number = \"A1\"\nmail = [\"li@x.test\"]\n",
           "attributes");
  ASSERT_TRUE(loaded.diagnostics.has_errors());
  EXPECT_EQ(loaded.diagnostics.all()[0].code, "E0892");
  EXPECT_THAT(Said(loaded), HasSubstr("mail of \"li\" is declared twice"));
  EXPECT_THAT(Said(loaded), HasSubstr("roster_7.csv:17"));
}

// A second import, of attributes of the first one's people.
constexpr char kSecond[] = R"(
[import.hr]
owner = "person:jo"
reason = "their names"
runner = "here"
as = "service:rosters"
what = "attributes"
to = "directory:corp"
base = "ou=acme,dc=x"
fetch = { from = "drop", folder = "/names", pattern = "*.csv", ready = "trigger" }
format = { type = "csv" }
columns = [{ name = "ID", to = "employee_number", required = true }, { name = "NAME", to = "surname" }]
may = ["update"]
match = ["employee_number"]
)";

TEST_F(RosterLoad, TwoImportsShareAPersonButNoAttribute) {
  decl::AcceptedRoster second;
  second.set_import("hr");
  second.set_file("names_2.csv");
  decl::RosterPerson* person = second.add_people();
  person->set_name("acme.a1");
  person->set_line(4);
  person->mutable_user()->set_surname("Hart");
  others_ = {second};
  const Loaded apart = Read(kSecond);
  ASSERT_FALSE(apart.diagnostics.has_errors()) << Said(apart);
  const auto& user = apart.declarations.users[0];
  EXPECT_EQ(user.message.surname(), "Hart");
  EXPECT_EQ(apart.sources.Place(user.At(decl::User::kSurnameFieldNumber)), "names_2.csv:4");
  EXPECT_EQ(apart.declarations.imported_by.at("user:acme.a1"), "acme") << "the person's import";
  roster_.mutable_people(0)->mutable_user()->set_surname("Heart");
  const Loaded both = Read(kSecond);
  ASSERT_TRUE(both.diagnostics.has_errors());
  EXPECT_EQ(both.diagnostics.all()[0].code, "E0892");
  EXPECT_THAT(Said(both), HasSubstr("names_2.csv:4"));
  EXPECT_THAT(Said(both), HasSubstr("roster_7.csv:17"));
}

TEST_F(RosterLoad, TwoImportsOfOneEntryNameBothFiles) {
  decl::AcceptedRoster second = roster_;
  second.set_import("acme-two");
  second.set_file("other_1.csv");
  second.mutable_people(0)->set_name("acme-two.a1");
  second.mutable_people(0)->mutable_user()->set_name("acme-two.a1");
  others_ = {second};
  std::string again = kSecond;
  again.replace(again.find("import.hr"), 9, "import.acme-two");
  again.replace(again.find("\"attributes\""), 12, "\"roster\"");
  const Loaded loaded = Read(again);
  ASSERT_TRUE(loaded.diagnostics.has_errors());
  EXPECT_THAT(Said(loaded), HasSubstr("roster_7.csv:17"));
  EXPECT_THAT(Said(loaded), HasSubstr("other_1.csv:17"));
}

}  // namespace
}  // namespace postern::config
