// Requests, keys, patterns, configuration and its effective form, from text alone. Whether sshd
// agrees is shown in tests/live/openssh_product.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/hash.h"
#include "providers/filetransfer/openssh/config.h"
#include "providers/filetransfer/openssh/effective.h"
#include "providers/filetransfer/openssh/keys.h"
#include "providers/filetransfer/openssh/raise.h"
#include "providers/filetransfer/openssh/requests.h"
#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = SftpCommand::Kind;

TEST(Requests, CommandForIsAClosureAndReadsBack) {
  for (uint32_t bits = 0; bits <= Rights::All().bits(); ++bits) {
    const Rights wanted = Rights(bits) - Right::kChmod;
    const SftpCommand command = CommandFor(wanted);
    const Rights given = RightsOf(command);
    EXPECT_TRUE(given.Includes(wanted)) << Format(wanted);
    EXPECT_EQ(RightsOf(CommandFor(given)), given) << Format(wanted);
    EXPECT_FALSE(given.Has(Right::kChmod));
    EXPECT_EQ(ParseSftpCommand(Render(command)), command) << Render(command);
  }
}

TEST(Requests, WhatStaysWhenSomeAreDenied) {
  const auto rights = [](std::string_view text) { return RightsOf(ParseSftpCommand(text)); };
  EXPECT_EQ(rights("internal-sftp"), Rights::All());
  EXPECT_EQ(rights("internal-sftp -R"), Rights(Right::kList) | Right::kRead);
  // file-transfer.md section 2: denying remove, rmdir and setstat leaves upload and rename.
  const Rights left = rights("internal-sftp -P remove,rmdir,setstat,fsetstat,lsetstat");
  EXPECT_TRUE(left.Has(Right::kRename) && left.Has(Right::kCreate));
  EXPECT_FALSE(left.Has(Right::kDelete) || left.Has(Right::kChmod));
  EXPECT_TRUE(rights("internal-sftp -P rename").Has(Right::kRename));
  EXPECT_TRUE(rights("internal-sftp -P rename,posix-rename").Has(Right::kRename));
  EXPECT_FALSE(rights("internal-sftp -P rename,posix-rename,hardlink").Has(Right::kRename));
  EXPECT_TRUE(rights("internal-sftp -P write").Has(Right::kOverwrite));
  EXPECT_EQ(rights("internal-sftp -p opendir,readdir"), Rights(Right::kList));
  EXPECT_EQ(rights("/bin/cat"), Rights());
}

TEST(Requests, SshdKeepsNineWords) {
  const SftpCommand cut =
      ParseSftpCommand("internal-sftp -f AUTH -l VERBOSE -u 0027 -d /in -P remove");
  EXPECT_TRUE(RightsOf(cut).Has(Right::kDelete));
  ASSERT_THAT(cut.warnings, SizeIs(1));
  EXPECT_THAT(cut.warnings[0], HasSubstr("-P"));
}

TEST(Requests, OptionsThatEndTheServer) {
  EXPECT_EQ(ParseSftpCommand("internal-sftp -P remove -P mkdir").kind, Kind::kBroken);
  EXPECT_EQ(ParseSftpCommand("internal-sftp -x").kind, Kind::kBroken);
  EXPECT_EQ(ParseSftpCommand("internal-sftp -P").kind, Kind::kBroken);
  EXPECT_EQ(ParseSftpCommand("none").kind, Kind::kNone);
  EXPECT_EQ(ParseSftpCommand("internal-sftpd").kind, Kind::kOther);
  EXPECT_EQ(ParseSftpCommand("/usr/lib/openssh/sftp-server -R").kind, Kind::kExternal);
  EXPECT_THAT(ParseSftpCommand("internal-sftp -P remov").warnings, SizeIs(1));
}

std::string KeyText(const std::string& comment = "") {
  std::string blob("\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
  blob += std::string(32, 'k');
  return "ssh-ed25519 " + base::Base64(blob) + (comment.empty() ? "" : " " + comment);
}

TEST(Keys, LinesReadBackAsWritten) {
  for (const std::string& options :
       {std::string(), std::string("restrict "), std::string("from=\"10.0.0.0/8,!10.1.1.1\" "),
        std::string("restrict,expiry-time=\"20270101123000Z\",command=\"a \\\"b\\\"\",pty "),
        std::string("cert-authority,principals=\"x,y\" ")}) {
    const auto key = ParseKeyLine(options + KeyText("ada @ home"));
    ASSERT_TRUE(key.has_value()) << options << key.error().message;
    const auto line = RenderKeyLine(*key);
    ASSERT_TRUE(line.has_value()) << line.error().message;
    const auto again = ParseKeyLine(*line);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->options, key->options);
    EXPECT_EQ(again->comment, "ada @ home");
    EXPECT_EQ(again->Fingerprint(), key->Fingerprint());
  }
}

TEST(Keys, TheFingerprintIsOfTheBlobAlone) {
  const auto plain = ParseKeyLine(KeyText()), dressed = ParseKeyLine("restrict " + KeyText("x"));
  EXPECT_EQ(plain->Fingerprint(), dressed->Fingerprint());
  EXPECT_THAT(plain->Fingerprint(), ::testing::StartsWith("SHA256:"));
  EXPECT_EQ(plain->Fingerprint().size(), 50u);
}

// file-transfer.md section 2: an unknown option silently disables its line.
TEST(Keys, LinesThatSshdPassesOverAreTold) {
  const auto file =
      ParseAuthorizedKeys("# comment\n\nbogus " + KeyText() + "\n" + KeyText() +
                          "\nfrom=\"a\",from=\"b\" " + KeyText() + "\ncommand=\"open " + KeyText() +
                          "\nexpiry-time=\"soon\" " + KeyText() + "\nssh-ed25519 AAAA\n");
  EXPECT_THAT(file.keys, SizeIs(1));
  EXPECT_EQ(file.keys[0].line, 4u);
  ASSERT_THAT(file.problems, SizeIs(5));
  EXPECT_THAT(file.problems[0].why, HasSubstr("unknown option bogus"));
}

TEST(Keys, ExpiryIsUtcOrToldAsLocal) {
  const auto utc = ParseKeyLine("expiry-time=\"20260101Z\" " + KeyText());
  const auto local = ParseKeyLine("expiry-time=\"202601010000\" " + KeyText());
  EXPECT_EQ(utc->options.not_after, base::ParseInstant("2026-01-01T00:00:00Z"));
  EXPECT_FALSE(utc->options.local_time);
  EXPECT_TRUE(local->options.local_time);
  const base::Instant at = *utc->options.not_after;
  EXPECT_TRUE(OpensAt(utc->options, at, "h", "127.0.0.1"));
  EXPECT_FALSE(OpensAt(utc->options, at + 1, "h", "127.0.0.1"));
  // Where the zone isn't known the later time is taken: never less access than there is.
  EXPECT_TRUE(OpensAt(local->options, at + 3600, "h", "127.0.0.1"));
  EXPECT_THAT(*RenderKeyLine(*local), HasSubstr("20260101000000Z"));
}

TEST(Keys, SourcesWithNegation) {
  const auto opens = [](const std::string& from, const char* address) {
    const auto key = ParseKeyLine("from=\"" + from + "\" " + KeyText());
    return OpensAt(key->options, 0, address, address);
  };
  EXPECT_TRUE(opens("10.0.0.0/8", "10.2.3.4"));
  EXPECT_FALSE(opens("10.0.0.0/8", "11.2.3.4"));
  EXPECT_FALSE(opens("10.0.0.0/8,!10.2.3.4", "10.2.3.4"));
  EXPECT_FALSE(opens("!10.2.3.4", "10.9.9.9"));
  EXPECT_TRUE(opens("2001:db8::/32", "2001:db8::1"));
  EXPECT_TRUE(opens("10.?.3.*", "10.2.3.77"));
}

class MapSource final : public FileSource {
 public:
  explicit MapSource(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  Result<std::string> Read(const std::string& path) const override {
    const auto at = files_.find(path);
    if (at == files_.end()) return Fail(ErrorCode::kNotFound, "no such file");
    if (at->second == "unreadable") return Fail(ErrorCode::kDenied, "permission denied");
    return at->second;
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    std::vector<std::string> found;
    for (const auto& [path, text] : files_) {
      if (MatchesPattern(path, pattern)) found.push_back(path);
    }
    return found;
  }

 private:
  std::map<std::string, std::string> files_;
};

SshdConfig ConfigOf(const std::map<std::string, std::string>& files) {
  const auto config = ReadConfig(MapSource(files), "/etc/ssh/sshd_config");
  EXPECT_TRUE(config.has_value());
  return *config;
}

Connection From(const std::string& user, std::vector<std::string> groups = {}) {
  return {user, std::move(groups), "127.0.0.1", "127.0.0.1", "127.0.0.1", 22};
}

TEST(Config, AMatchEndsWithItsFileAndIncludesWithinABlockInheritIt) {
  const SshdConfig config = ConfigOf(
      {{"/etc/ssh/sshd_config",
        "Include sshd_config.d/*.conf\nPort 22\nMatch Group ops\nInclude /x\nPermitTTY no\n"},
       {"/etc/ssh/sshd_config.d/a.conf", "Match User ada\n  ForceCommand internal-sftp\n"},
       {"/x", "ChrootDirectory=/srv # why\nMatch User bea\nPermitTTY yes\n"}});
  ASSERT_THAT(config.lines, SizeIs(5));
  EXPECT_EQ(config.lines[1].keyword, "port");
  EXPECT_THAT(config.lines[1].within, IsEmpty());
  EXPECT_THAT(config.lines[2].within, SizeIs(1));
  EXPECT_THAT(config.lines[3].within, SizeIs(2));
  EXPECT_THAT(config.lines[4].within, SizeIs(1));
  EXPECT_TRUE(Applies(config, config.lines[4], From("zoe", {"ops"})));
  EXPECT_FALSE(Applies(config, config.lines[3], From("zoe", {"ops"})));
}

TEST(Config, AnIncludedFileThatCantBeReadIsNoEmptyFile) {
  const auto config =
      ReadConfig(MapSource({{"/etc/ssh/sshd_config", "Include /x\n"}, {"/x", "unreadable"}}),
                 "/etc/ssh/sshd_config");
  EXPECT_EQ(config.error().code, ErrorCode::kIncomplete);
}

TEST(Config, AccountsOfOneOutcomeAreAskedForOnce) {
  const SshdConfig config =
      ConfigOf({{"/etc/ssh/sshd_config",
                 "Match User a*,!ada\nPermitTTY no\nMatch Group ops,!no\nX11Forwarding no\n"}});
  const auto groups = OutcomeGroups(config, {From("ada"), From("amy"), From("abe"), From("bea"),
                                             From("cy", {"ops"}), From("di", {"ops", "no"})});
  EXPECT_THAT(groups, ElementsAre(ElementsAre(0u, 3u, 5u), ElementsAre(1u, 2u), ElementsAre(4u)));
}

TEST(Config, ABlockThatCantBeDecidedIsAskedForByEachAccount) {
  const SshdConfig config = ConfigOf({{"/etc/ssh/sshd_config", "Match RDomain x\nPermitTTY no\n"}});
  EXPECT_THAT(config.problems, SizeIs(1));
  EXPECT_THAT(OutcomeGroups(config, {From("ada"), From("bea")}), SizeIs(2));
}

// file-transfer.md section 2: drift to report: an extra Match block earlier than ours.
TEST(Config, AnEarlierMatchShadowsOursAndAGlobalLineDoesNot) {
  const SshdConfig config =
      ConfigOf({{"/etc/ssh/sshd_config",
                 "ForceCommand /bin/false\nMatch Group ops\n  ForceCommand internal-sftp\nMatch "
                 "all\nInclude /ours\n"},
                {"/ours", "Match User ada\n  ForceCommand internal-sftp -R\n  PermitTTY no\n"}});
  const auto shadows = ShadowsOf(config, "/ours", From("ada", {"ops"}));
  ASSERT_THAT(shadows, SizeIs(1));
  EXPECT_EQ(shadows[0].keyword, "forcecommand");
  EXPECT_EQ(shadows[0].by.line, 3u);
  EXPECT_THAT(ShadowsOf(config, "/ours", From("ada")), IsEmpty());
}

TEST(Config, AddressesThatTellBlocksApart) {
  const SshdConfig config = ConfigOf({{"/etc/ssh/sshd_config",
                                       "AllowUsers ada bea@192.0.2.0/24 c@*.example\n"
                                       "Match Address 10.0.0.0/8,!10.1.0.0/16\nPermitTTY no\n"}});
  EXPECT_THAT(AddressesToAsk(config, "203.0.113.1"),
              ElementsAre("203.0.113.1", "10.0.0.0", "10.1.0.0", "192.0.2.0"));
}

constexpr std::string_view kEffective =
    "usepam yes\npubkeyauthentication yes\npasswordauthentication no\nstrictmodes yes\n"
    "forcecommand internal-sftp -P remove\nchrootdirectory /srv/%u\n"
    "authorizedkeysfile .ssh/authorized_keys /etc/keys/%u\npermitrootlogin no\n"
    "allowusers ada\nallowusers bea@10.*\nauthenticationmethods publickey,password publickey\n"
    "subsystem sftp internal-sftp -R\nrevokedkeys none\ndisableforwarding yes\n";

TEST(Effective, AnswersAreTyped) {
  const auto settings = ParseSettings(kEffective);
  ASSERT_TRUE(settings.has_value());
  EXPECT_TRUE(settings->pam && settings->pubkey && !settings->password);
  EXPECT_EQ(settings->chroot, "/srv/%u");
  EXPECT_EQ(settings->forced.kind, Kind::kInternal);
  EXPECT_TRUE(settings->subsystem.read_only);
  EXPECT_THAT(settings->allow_users, ElementsAre("ada", "bea@10.*"));
  EXPECT_THAT(settings->methods, SizeIs(2));
  EXPECT_THAT(settings->key_files, ElementsAre(".ssh/authorized_keys", "/etc/keys/%u"));
  EXPECT_EQ(settings->revoked_keys, "");
  const posix::User user{.name = "ada", .home = "/home/ada"};
  EXPECT_THAT(*KeyFilesOf(*settings, user),
              ElementsAre("/home/ada/.ssh/authorized_keys", "/etc/keys/ada"));
}

TEST(Effective, ACutAnswerIsIncomplete) {
  EXPECT_EQ(ParseSettings(kEffective.substr(0, 60)).error().code, ErrorCode::kIncomplete);
}

TEST(Paths, ThroughTheChrootAndBack) {
  EXPECT_EQ(ClientPath("/srv/ada/in", "/srv/ada"), "/in");
  EXPECT_EQ(ClientPath("/srv/ada", "/srv/ada"), "/");
  EXPECT_EQ(ClientPath("/srv/adam", "/srv/ada"), std::nullopt);
  EXPECT_EQ(HostPath("/in/../../../etc//x/.", "/srv/ada"), "/srv/ada/etc/x");
  EXPECT_EQ(HostPath("/", "/"), "/");
  EXPECT_EQ(ExpandTokens("/a/%u/%%h/%U", "ada", "/h", 7), "/a/ada/%h/7");
  EXPECT_EQ(ExpandTokens("/a/%k", "ada", "/h", 7), std::nullopt);
}

}  // namespace
}  // namespace postern::openssh
