// Nobody of an import becomes somebody else by a value of his.
#include "core/jobs/others.h"

#include "schemas/kinds.pb.h"
#include "tests/unit/jobs/import_rows.h"

namespace postern::jobs::test {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char kJoin[] = R"(identity { join { iam: "externalId" directory: "employeeNumber" } })";

class ImportOthers : public testing::Test {
 protected:
  ImportOthers() {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kJoin, &all_.operator_file.message));
    for (const auto& [name, owner] :
         {std::pair("acme", "partner:acme"), std::pair("acme-iam", "partner:acme"),
          std::pair("hr", "person:li")}) {
      decl::Import import;
      import.set_name(name);
      import.set_owner(owner);
      all_.imports.push_back({import, {}, {}});
    }
  }

  void Declare(const std::string& name, const std::string& number, const std::string& import = "") {
    decl::User user;
    user.set_name(name);
    user.set_directory("corp");
    user.set_employee_number(number);
    if (!import.empty()) all_.imported_by.emplace("user:" + name, import);
    all_.users.push_back({user, {}, {}});
  }
  void Live(const std::string& uid, const std::string& ou, const std::string& number) {
    kinds::User user;
    user.set_dn("uid=" + uid + ",ou=" + ou + ",dc=x");
    user.set_uid(uid);
    user.set_employee_number(number);
    directory_.Add(object::Encode(user, &arena_));
  }
  void LiveIam(const std::string& name, const std::string& id) {
    kinds::IamUser user;
    user.set_user_name(name);
    user.set_external_id(id);
    iam_.Add(object::Encode(user, &arena_));
  }
  OthersValues Values() {
    directory_.Sort();
    iam_.Sort();
    return ValuesOfOthers(Acme(), all_, {{"directory:corp", &directory_}, {"iam:hr", &iam_}});
  }

  config::Declarations all_;
  object::Arena arena_;
  object::ObjectSet directory_, iam_;
};

TEST_F(ImportOthers, WhoIsDeclaredOrLiveElsewhere) {
  Declare("chief", "1");
  Declare("acme.a1", "2", "acme");
  Declare("acme-iam.b1", "3", "acme-iam");  // the same partner's
  Declare("hr.c1", "4", "hr");
  Live("ann", "staff", "17");
  Live("acme.a1", "acme", "2");
  Live("taken-over", "acme", "18");
  Live("chief", "acme", "1");
  LiveIam("Zed", "Z9");
  const OthersValues values = Values();
  EXPECT_EQ(values.join, "employee_number");
  EXPECT_THAT(values.logins, UnorderedElementsAre("chief", "hr.c1", "ann", "zed"));
  EXPECT_THAT(values.joined, UnorderedElementsAre("1", "4", "17", "z9"));
  all_.operator_file.message.clear_identity();
  EXPECT_THAT(Values().joined, IsEmpty());
}

TEST_F(ImportOthers, OfAnImportIntoAnIamSystem) {
  Live("ann", "staff", "17");
  decl::Import import = Acme();
  import.set_to("iam:hr");
  import.clear_base();
  const OthersValues values = ValuesOfOthers(import, all_, {{"directory:corp", &directory_}});
  EXPECT_EQ(values.join, "external_id");
  EXPECT_TRUE(values.joined.contains("17"));
}

TEST_F(ImportOthers, TheirValuesAreRefusedWhereTheyAreNew) {
  const auto match = [&](const std::string& rows, const decl::AcceptedRoster* before) {
    const OthersValues others{"employee_number", {"chief", "ann"}, {"a17"}};
    const config::Declarations world = World();
    return MatchRoster({Acme(), before, &world, kNow, "00", &others}, ReadIt(Acme(), rows));
  };
  const Matched first =
      match("A17,x17,N,x17@acme.test,\nA8,Chief,N,c@acme.test,\nA9,jo,N,jo@acme.test,\n", nullptr);
  EXPECT_EQ(Lines(first.refused),
            "2 E0893 its employee_number is that of somebody who isn't of this import\n"
            "3 E0893 its uid is that of somebody who isn't of this import\n");
  EXPECT_THAT(Names(first), testing::ElementsAre("acme.a9"));
  const Matched renamed = match("A9,ann,N,jo@acme.test,\n", &first.roster);
  EXPECT_EQ(Lines(renamed.refused),
            "2 E0893 its uid is that of somebody who isn't of this import\n");
  EXPECT_EQ(renamed.roster.people(0).user().uid(), "jo");
  EXPECT_EQ(renamed.counts.disable, 0u);
  // Who has had it for long isn't refused by somebody who comes later.
  const Matched had = Next(Acme(), "A17,ann,N,jo@acme.test,\n");
  EXPECT_THAT(match("A17,ann,Other,jo@acme.test,\n", &had.roster).refused, IsEmpty());
}

}  // namespace
}  // namespace postern::jobs::test
