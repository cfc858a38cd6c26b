// Ways to connect, and what an operator reads when one fails.
#include "tests/live/directory/world.h"

namespace postern::directory {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Error Refusal(const decl::Directory& declared, const object::Secrets& secrets = kSecrets) {
  auto opened = Open(declared, secrets, Impatient());
  if (!opened) return opened.error();
  const auto probe = (*opened)->ProbeTarget();
  EXPECT_FALSE(probe);
  return probe ? Error{} : probe.error();
}

decl::Directory WithTls(const Slapd& slapd, const std::string& url, const std::string& ca) {
  decl::Directory declared = Declare(slapd);
  declared.set_url(url);
  declared.mutable_tls()->clear_start();
  declared.mutable_tls()->set_ca(ca);
  return declared;
}

TEST(DirectoryConnect, StartTlsAndLdapsVerify) {
  World world({.tls = true});
  world.Connect(WithTls(world.slapd, world.slapd.url(), world.slapd.ca()));
  EXPECT_EQ(world.All().all.size(), 2u);
  world.Connect(WithTls(world.slapd, world.slapd.ldaps_url(), world.slapd.ca()));
  EXPECT_EQ(world.All().all.size(), 2u);
}

TEST(DirectoryConnect, WrongAuthorityIsNamed) {
  Slapd slapd({.tls = true});
  for (const std::string& url : {slapd.url(), slapd.ldaps_url()}) {
    const Error error = Refusal(WithTls(slapd, url, slapd.other_ca()));
    EXPECT_EQ(error.code, ErrorCode::kUntrusted);
    EXPECT_THAT(error.message, AllOf(HasSubstr("no authority in " + slapd.other_ca()),
                                     HasSubstr("subject CN=directory"), HasSubstr("issuer CN=ca"),
                                     HasSubstr("nothing was sent")));
  }
}

TEST(DirectoryConnect, WrongNameIsNamed) {
  Slapd slapd({.tls = true, .wrong_name = true});
  for (const std::string& url : {slapd.url(), slapd.ldaps_url()}) {
    const Error error = Refusal(WithTls(slapd, url, slapd.ca()));
    EXPECT_EQ(error.code, ErrorCode::kUntrusted);
    EXPECT_THAT(error.message,
                AllOf(HasSubstr("isn't made out to 127.0.0.1"), HasSubstr("elsewhere.example")));
  }
}

TEST(DirectoryConnect, ExpiredCertificateIsNamed) {
  Slapd slapd({.tls = true, .expired = true});
  for (const std::string& url : {slapd.url(), slapd.ldaps_url()}) {
    const Error error = Refusal(WithTls(slapd, url, slapd.ca()));
    EXPECT_EQ(error.code, ErrorCode::kUntrusted);
    EXPECT_THAT(error.message, AllOf(HasSubstr("it has expired"), HasSubstr("valid "),
                                     HasSubstr("nothing was sent")));
  }
}

TEST(DirectoryConnect, NoTlsIsNotFallenBackTo) {
  Slapd slapd;
  decl::Directory declared = Declare(slapd);
  declared.clear_tls();
  const Error error = Refusal(declared);
  EXPECT_EQ(error.code, ErrorCode::kUntrusted);
  EXPECT_THAT(error.message, HasSubstr("refuses StartTLS"));
}

TEST(DirectoryConnect, PlainBeyondLoopbackIsRefusedUnasked) {
  Slapd slapd;
  decl::Directory declared = Declare(slapd);
  declared.set_url("ldap://192.0.2.1");
  const Error error = Refusal(declared);
  EXPECT_EQ(error.code, ErrorCode::kInvalid);
  EXPECT_THAT(error.message, HasSubstr("loopback only"));
}

TEST(DirectoryConnect, WrongPasswordMissingSecretAndNoServer) {
  Slapd slapd;
  const Error wrong = Refusal(Declare(slapd), {{"bind", "wrong"}});
  EXPECT_EQ(wrong.code, ErrorCode::kAuthentication);
  EXPECT_THAT(wrong.message, AllOf(HasSubstr(Slapd::kBindDn), HasSubstr("password is wrong")));
  EXPECT_EQ(Refusal(Declare(slapd), {}).code, ErrorCode::kInvalid);
  EXPECT_EQ(Refusal(Declare(slapd), {{"bind", ""}}).code, ErrorCode::kInvalid);
  slapd.process().Kill();
  const Error gone = Refusal(Declare(slapd));
  EXPECT_EQ(gone.code, ErrorCode::kUnavailable);
  EXPECT_THAT(gone.message, HasSubstr("can't reach"));
}

TEST(DirectoryConnect, ExternalOverASocket) {
  World world({.ldapi = true});
  decl::Directory declared = Declare(world.slapd);
  declared.set_url(world.slapd.ldapi_url());
  declared.clear_tls();
  declared.clear_bind();
  declared.mutable_bind()->set_mechanism("external");
  world.Connect(declared);
  EXPECT_EQ(world.All().all.size(), 2u);
  EXPECT_EQ(world.target->ProbeTarget()->identity, std::string("dn:") + Slapd::kBindDn);
}

TEST(DirectoryConnect, ExternalWithoutASocketIsNamed) {
  Slapd slapd;
  decl::Directory declared = Declare(slapd);
  declared.set_url("ldapi://%2Fnowhere%2Fldapi");
  declared.clear_tls();
  declared.clear_bind();
  declared.mutable_bind()->set_mechanism("external");
  const Error gone = Refusal(declared);
  EXPECT_EQ(gone.code, ErrorCode::kUnavailable);
  EXPECT_THAT(gone.message, HasSubstr("can't reach ldapi://%2Fnowhere%2Fldapi"));
}

TEST(DirectoryConnect, ServerThatRestartedIsConnectedAgain) {
  World world({.ldapi = true});
  EXPECT_EQ(world.All().all.size(), 2u);
  world.slapd.process().Kill();
  EXPECT_FALSE(world.target->ProbeTarget());
  world.slapd.Restart();
  EXPECT_EQ(world.All().all.size(), 2u);
}

}  // namespace
}  // namespace postern::directory
