#include "core/object/object.h"

#include <gtest/gtest.h>

#include "core/object/fields.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::object {
namespace {

struct NormaliseCase {
  const char* name;
  Comparator comparator;
  const char* value;
  const char* normal;
};
class NormaliseTest : public testing::TestWithParam<NormaliseCase> {};

TEST_P(NormaliseTest, HasOneSpelling) {
  EXPECT_EQ(Normalise(GetParam().comparator, GetParam().value), GetParam().normal);
}
INSTANTIATE_TEST_SUITE_P(
    All, NormaliseTest,
    testing::Values(
        NormaliseCase{"ExactStays", Comparator::kExact, " A  b ", " A  b "},
        NormaliseCase{"CaseAndSpaces", Comparator::kCaseIgnore, "  Two   Words ", "two words"},
        NormaliseCase{"FoldsUmlaut", Comparator::kCaseIgnore, "MÜLLER", "müller"},
        NormaliseCase{"PathSlashes", Comparator::kPath, "/a//b/", "/a/b"},
        NormaliseCase{"PathRoot", Comparator::kPath, "/", "/"},
        NormaliseCase{"DnSpacesAndCase", Comparator::kDn, "CN = Bea  Ode , OU=People,DC=corp",
                      "cn=bea ode,ou=people,dc=corp"},
        NormaliseCase{"DnAliases", Comparator::kDn, "commonName=x,2.5.4.11=y", "cn=x,ou=y"},
        NormaliseCase{"DnMultiValuedRdnSorted", Comparator::kDn, "uid=b+cn=a,dc=x",
                      "cn=a+uid=b,dc=x"},
        NormaliseCase{"DnHexEscape", Comparator::kDn, "cn=a\\2Cb,dc=x", "cn=a\\,b,dc=x"},
        NormaliseCase{"DnUtf8Hex", Comparator::kDn, "cn=M\\C3\\BCller,dc=x", "cn=müller,dc=x"},
        NormaliseCase{"DnLeadingHash", Comparator::kDn, "cn=\\#1,dc=x", "cn=\\#1,dc=x"},
        NormaliseCase{"DnNotADn", Comparator::kDn, "no equals", "no equals"}),
    [](const auto& info) { return std::string(info.param.name); });

kinds::Account Account() {
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("acme");
  account.set_home("/srv/acme");
  account.set_enabled(true);
  return account;
}

TEST(Object, KeyAndBodyComeFromTheMessage) {
  const Object object = Encode(Account());
  EXPECT_EQ(object.kind, Kind::kAccount);
  EXPECT_EQ(object.key, MakeKey(Kind::kAccount, {"edge-ftp", "acme"}));
  EXPECT_EQ(Address(object.kind, object.key), "account:edge-ftp/acme");
  kinds::Account back;
  ASSERT_TRUE(Decode(object.body, &back));
  EXPECT_EQ(back.home(), "/srv/acme");
}

TEST(Object, SetsAreSortedAndUnique) {
  kinds::User user;
  user.set_dn("uid=a,dc=x");
  for (const char* mail : {"b@x.test", "a@x.test", "b@x.test"})
    user.mutable_mail()->add_values(mail);
  kinds::User same;
  same.set_dn("uid=a,dc=x");
  for (const char* mail : {"a@x.test", "b@x.test"}) same.mutable_mail()->add_values(mail);
  EXPECT_EQ(EncodeBody(user), EncodeBody(same));
}

TEST(Object, UnknownFieldsAreRefused) {
  std::string body = EncodeBody(Account());
  body += '\xf8';
  body += '\x01';
  body += '\x01';  // field 31, varint 1
  kinds::Account account;
  EXPECT_FALSE(Decode(body, &account));
}

TEST(Object, UnsetFieldsAreNotManaged) {
  kinds::Account live = Account();
  live.set_uid(30001);
  EXPECT_TRUE(Satisfies(Kind::kAccount, EncodeBody(Account()), EncodeBody(live)));
  EXPECT_FALSE(Satisfies(Kind::kAccount, EncodeBody(live), EncodeBody(Account())));
}

TEST(Object, ComparatorsDecide) {
  kinds::User wanted, live;
  wanted.set_dn("uid=a,dc=x");
  wanted.set_common_name("Bea Ode");
  live.set_dn("UID=a, dc=x");
  live.set_common_name("bea  ODE");
  EXPECT_TRUE(Satisfies(Kind::kUser, EncodeBody(wanted), EncodeBody(live)));
  live.set_common_name("Bea Odo");
  const auto differences = Differences(Kind::kUser, EncodeBody(wanted), EncodeBody(live));
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].name, "common_name");
  EXPECT_EQ(differences[0].before, "Bea Odo");
  EXPECT_EQ(differences[0].after, "Bea Ode");
}

TEST(Object, AnEmptyCollectionIsAValue) {
  kinds::User wanted, live;
  wanted.set_dn("uid=a,dc=x");
  wanted.mutable_mail();
  live.set_dn("uid=a,dc=x");
  live.mutable_mail()->add_values("a@x.test");
  const auto differences = Differences(Kind::kUser, EncodeBody(wanted), EncodeBody(live));
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].after, "none");
}

TEST(Object, AnEmptyWishIsMetByAbsence) {
  kinds::User wanted, live;
  wanted.set_dn("uid=a,dc=x");
  wanted.mutable_mail();
  wanted.set_description("");
  live.set_dn("uid=a,dc=x");
  EXPECT_TRUE(Satisfies(Kind::kUser, EncodeBody(wanted), EncodeBody(live)));
  live.set_description("x");
  EXPECT_FALSE(Satisfies(Kind::kUser, EncodeBody(wanted), EncodeBody(live)));
}

TEST(Object, OverlayReplacesWhatIsSet) {
  kinds::Account change;
  change.set_server("edge-ftp");
  change.set_login("acme");
  change.set_enabled(false);
  change.set_uid(7);
  const std::string merged = Overlay(Kind::kAccount, EncodeBody(Account()), EncodeBody(change));
  const auto account = DecodeAs<kinds::Account>(merged);
  EXPECT_FALSE(account.enabled());
  EXPECT_EQ(account.home(), "/srv/acme");
  EXPECT_EQ(account.uid(), 7u);
  EXPECT_EQ(merged, EncodeBody(account)) << "an overlay of canonical bodies is canonical";
}

TEST(Fields, RestrictKeepsWhatTheMaskNames) {
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("bea");
  account.set_enabled(true);
  account.set_password("$6$salt$hash");
  const std::string body = EncodeBody(account);
  EXPECT_EQ(SecretIn(Kind::kAccount, body), "$6$salt$hash");
  const std::string open = Restrict(body, ~SecretMask(Kind::kAccount));
  EXPECT_EQ(SecretIn(Kind::kAccount, open), "");
  EXPECT_EQ(FieldsSet(open) | SecretMask(Kind::kAccount), FieldsSet(body));
  EXPECT_EQ(FieldsSet(Restrict(body, KeyMask(Kind::kAccount))), KeyMask(Kind::kAccount));
  // A kind without a secret has none, whatever stands in the body.
  EXPECT_EQ(SecretMask(Kind::kGrant), 0u);
  EXPECT_EQ(SecretIn(Kind::kGrant, body), "");
}

TEST(Object, WalkerRefusesTruncation) {
  const std::string body = EncodeBody(Account());
  for (size_t length = 1; length < body.size(); ++length) {
    FieldWalker walker(std::string_view(body).substr(0, length));
    WireField field;
    size_t seen = 0;
    while (walker.Next(&field)) seen += field.raw.size();
    EXPECT_TRUE(!walker.ok() || seen == length);
  }
}

TEST(ObjectSet, SortsFindsAndReportsDuplicates) {
  ObjectSet set;
  for (const char* login : {"c", "a", "b", "a"}) {
    kinds::Account account = Account();
    account.set_login(login);
    set.Add(Encode(account).view());
  }
  set.Sort();
  EXPECT_EQ(set.all().size(), 3u);
  EXPECT_EQ(set.duplicates().size(), 1u);
  EXPECT_NE(set.Find(Kind::kAccount, MakeKey(Kind::kAccount, {"edge-ftp", "b"})), nullptr);
  EXPECT_EQ(set.Find(Kind::kAccount, MakeKey(Kind::kAccount, {"edge-ftp", "d"})), nullptr);
  EXPECT_EQ(set.OfKind(Kind::kAccount).size(), 3u);
  EXPECT_TRUE(set.OfKind(Kind::kGrant).empty());
}

TEST(KindTables, EveryKindHasAKeyAndADescription) {
  for (const KindTable& table : AllKinds()) {
    EXPECT_FALSE(table.doc.empty()) << table.name;
    bool key = false;
    for (const FieldTable& field : table.fields) key = key || field.key;
    EXPECT_TRUE(key) << table.name;
  }
}

TEST(Ids, OneWithoutItsSecondPartIsComparedByTheFirst) {
  EXPECT_FALSE(IsOtherId("12", "12"));
  EXPECT_TRUE(IsOtherId("12", "13"));
  EXPECT_FALSE(IsOtherId("", "12")) << "not known";
  EXPECT_FALSE(IsOtherId("12.500", "12.500"));
  EXPECT_TRUE(IsOtherId("12.500", "12.501"));
  EXPECT_FALSE(IsOtherId("12", "12.500")) << "recorded before there were second parts";
  EXPECT_FALSE(IsOtherId("12.500", "12"));
  EXPECT_TRUE(IsOtherId("1", "12.500"));
}

}  // namespace
}  // namespace postern::object
