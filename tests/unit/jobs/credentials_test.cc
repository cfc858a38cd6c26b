// What opens a job's place while a credential is changed.
#include "core/jobs/credentials.h"

#include <gmock/gmock.h>

#include <map>

namespace postern::jobs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

job::JobSpec Changing() {
  job::JobSpec spec;
  decl::ServiceAccount& account = *spec.mutable_service_account();
  account.set_name("feed");
  account.mutable_next()->set_private_key("secret:new");
  account.mutable_current()->set_private_key("secret:old");
  account.mutable_current()->set_password("secret:word");
  return spec;
}

Result<Credentials> With(const job::JobSpec& spec, std::map<std::string, std::string> secrets) {
  return CredentialsOf(spec, [&](const std::string& name) -> Result<std::string> {
    const auto at = secrets.find(name);
    if (at == secrets.end()) return Fail(ErrorCode::kNotFound, "can't read /etc/" + name);
    return at->second;
  });
}

std::vector<std::string> Names(const Credentials& credentials) {
  std::vector<std::string> names;
  for (const object::PlaceCredential& one : credentials.all) {
    names.push_back(one.name + " " + one.login + " " + one.private_key + " " + one.password);
  }
  return names;
}

TEST(Credentials, TheNextOneComesFirst) {
  const auto both = With(Changing(), {{"new", "N"}, {"old", "O"}, {"word", "W"}});
  ASSERT_TRUE(both);
  EXPECT_THAT(Names(*both), ElementsAre("next feed N ", "current feed O W"));
  EXPECT_THAT(both->left_out, IsEmpty());
}

TEST(Credentials, OneWithoutItsSecretIsLeftOutAndSaid) {
  const auto without = With(Changing(), {{"old", "O"}, {"word", "W"}});
  ASSERT_TRUE(without) << without.error().message;
  EXPECT_THAT(Names(*without), ElementsAre("current feed O W"));
  EXPECT_THAT(without->left_out, ElementsAre("next isn't used: secret:new: can't read /etc/new"));
  // Half a credential isn't one.
  const auto half = With(Changing(), {{"new", "N"}, {"old", "O"}});
  ASSERT_TRUE(half);
  EXPECT_THAT(Names(*half), ElementsAre("next feed N "));
  EXPECT_THAT(half->left_out, ElementsAre("current isn't used: secret:word: can't read /etc/word"));
}

TEST(Credentials, NoneLeftIsAnError) {
  EXPECT_EQ(With(Changing(), {}).error().message, "secret:word: can't read /etc/word");
  job::JobSpec foreign;
  foreign.mutable_endpoint()->set_login("wong");
  foreign.mutable_endpoint()->set_password("secret:word");
  EXPECT_EQ(With(foreign, {}).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(Names(*With(foreign, {{"word", "W"}})), ElementsAre("login wong  W"));
}

}  // namespace
}  // namespace postern::jobs
