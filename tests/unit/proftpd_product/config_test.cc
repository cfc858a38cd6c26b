// The daemon's whole configuration: settings, rules by other hands, missing lines, traps.
#include "providers/filetransfer/proftpd/config.h"

#include <gmock/gmock.h>

#include <map>

#include "providers/filetransfer/proftpd/statement.h"
#include "tests/unit/proftpd_product/memory_files.h"

namespace postern::proftpd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using testing::Files;

// Everything that Postern needs and nothing else.
constexpr char kGood[] =
    "ServerName test\nUser proftpd\nGroup nogroup\nPort 2121\nLoadModule mod_sftp.c\n"
    "PidFile /run/p.pid\nScoreboardFile /run/score\nControlsSocket /run/ctl\n"
    "<Global>\n  Include /etc/p/postern.conf\n  AllowOverride off\n  AllowStoreRestart off\n"
    "  RequireValidShell off\n  AuthOrder mod_auth_file.c\n  AuthUserFile /etc/p/passwd\n"
    "  AuthGroupFile /etc/p/group\n</Global>\n"
    "<VirtualHost 127.0.0.1>\n  Port 2222\n  SFTPEngine on\n"
    "  SFTPAuthorizedUserKeys file:/etc/p/keys/%u\n  SFTPOptions IgnoreSFTPUploadPerms\n"
    "  SFTPExtensions -copyFile -hardlink -posixRename\n</VirtualHost>\n";

class Config : public ::testing::Test {
 protected:
  LiveConfig Read(const std::string& extra, const std::string& base = kGood) {
    files_.texts["/etc/p/main.conf"] = base + extra;
    const Result<LiveConfig> config = ReadConfig(files_, question_);
    EXPECT_TRUE(config.has_value()) << config.error().message;
    return config.value_or(LiveConfig());
  }
  // The one finding that `extra` makes; its `why` is empty when there is none.
  Finding Foreign(const std::string& extra) {
    const LiveConfig config = Read(extra);
    EXPECT_THAT(config.foreign, SizeIs(1)) << extra;
    return config.foreign.empty() ? Finding() : config.foreign[0];
  }
  Files files_;
  ConfigQuestion question_{
      .main_file = "/etc/p/main.conf", .include_file = "/etc/p/postern.conf", .roots = {"/srv/x"}};
};

TEST_F(Config, AGoodOneHasNothingToSay) {
  const LiveConfig config = Read("");
  EXPECT_THAT(config.foreign, IsEmpty());
  EXPECT_THAT(config.missing, IsEmpty());
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_TRUE(config.include_in_global);
  ASSERT_THAT(config.servers, SizeIs(2));
  EXPECT_EQ(config.servers[0].port, 2121);
  EXPECT_FALSE(config.servers[0].sftp);
  EXPECT_EQ(config.servers[1].port, 2222);
  EXPECT_TRUE(config.servers[1].sftp);
  EXPECT_EQ(config.servers[1].auth_user_file, "/etc/p/passwd");
  EXPECT_THAT(config.servers[1].authorized_user_keys, ElementsAre("file:/etc/p/keys/%u"));
  EXPECT_EQ(config.user, "proftpd");
  EXPECT_EQ(config.pid_file, "/run/p.pid");
  EXPECT_EQ(config.scoreboard_file, "/run/score");
  EXPECT_EQ(config.controls_socket, "/run/ctl");
}

TEST_F(Config, EveryNeededLineIsMissedWhenItIsGone) {
  const std::string good = kGood;
  for (const char* line :
       {"Include /etc/p/postern.conf", "AllowOverride off", "AllowStoreRestart off",
        "RequireValidShell off", "AuthOrder mod_auth_file.c", "AuthUserFile /etc/p/passwd",
        "AuthGroupFile /etc/p/group", "SFTPAuthorizedUserKeys file:/etc/p/keys/%u",
        "SFTPOptions IgnoreSFTPUploadPerms", "SFTPExtensions -copyFile -hardlink -posixRename"}) {
    std::string text = good;
    text.erase(text.find(line), std::string_view(line).size());
    const LiveConfig config = Read("", text);
    ASSERT_THAT(config.missing, SizeIs(1)) << line;
    const std::string word(line, std::string_view(line).find(' '));
    EXPECT_THAT(config.missing[0].line, HasSubstr(word));
  }
}

struct ForeignCase {
  const char* name;
  const char* text;
  const char* why;
};
class ConfigForeign : public Config, public ::testing::WithParamInterface<ForeignCase> {};

TEST_P(ConfigForeign, IsFoundWithItsLine) {
  const Finding found = Foreign(GetParam().text);
  const std::string good = kGood;
  EXPECT_EQ(found.file, "/etc/p/main.conf");
  EXPECT_EQ(found.line, 1u + std::count(good.begin(), good.end(), '\n'));
  EXPECT_THAT(found.why, HasSubstr(GetParam().why));
  EXPECT_FALSE(found.text.empty());
}
INSTANTIATE_TEST_SUITE_P(
    All, ConfigForeign,
    ::testing::Values(
        ForeignCase{"BlockInside", "<Directory /srv/x/a>\nUmask 022\n</Directory>\n",
                    "another hand"},
        ForeignCase{"BlockOnTheRoot", "<Directory /srv/x/>\n</Directory>\n", "another hand"},
        ForeignCase{"Pattern", "<Directory /*>\nUmask 022\n</Directory>\n", "pattern"},
        ForeignCase{"HomePattern", "<Directory ~>\n</Directory>\n", "pattern"},
        ForeignCase{"Anonymous", "<Anonymous ~ftp>\nUser ftp\n</Anonymous>\n", "anonymous"},
        ForeignCase{"IfUser", "<IfUser bea>\nAllowOverwrite off\n</IfUser>\n", "ahead of all"},
        ForeignCase{"LimitLogin", "<Limit LOGIN>\nDenyAll\n</Limit>\n", "log in"},
        ForeignCase{"LimitStat", "<Limit STAT>\nAllowAll\n</Limit>\n", "groups"},
        ForeignCase{"Alias", "UserAlias al bea\n", "another account"},
        ForeignCase{"Hide", "HideNoAccess on\n", "visible"},
        ForeignCase{"Filter", "PathDenyFilter x$\n", "name"},
        ForeignCase{"DenyFilter", "DenyFilter secret\n", "name"},
        ForeignCase{"Rewrite", "RewriteEngine on\n", "rewritten"},
        ForeignCase{"Vroot", "VRootEngine on\n", "rewritten"},
        ForeignCase{"Sql", "SQLBackend sqlite3\n", "another source"},
        ForeignCase{"Unknown", "NoSuchThing on\n", "doesn't know"},
        ForeignCase{"UnknownModule", "LoadModule mod_mine.c\n", "mod_mine.c"},
        ForeignCase{"UnknownSection", "<Odd x>\nDenyAll\n</Odd>\n", "section"},
        ForeignCase{"OtherAuth", "AuthOrder mod_auth_pam.c\n", "mod_auth_pam.c"},
        ForeignCase{"LostInclude", "Include /etc/p/lost.conf\n", "isn't there"},
        ForeignCase{"IncludeOutsideGlobal", "Include /etc/p/postern.conf\n",
                    "outside of <Global>"}),
    [](const auto& info) { return std::string(info.param.name); });

class ConfigHarmless : public Config, public ::testing::WithParamInterface<const char*> {};

TEST_P(ConfigHarmless, IsNoFinding) {
  EXPECT_THAT(Read(GetParam()).foreign, IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    All, ConfigHarmless,
    ::testing::Values("<Directory /home>\nHideNoAccess on\n</Directory>\n",
                      "<Directory /srv/xy>\n<Limit ALL>\nDenyAll\n</Limit>\n</Directory>\n",
                      "<Directory /srv>\nUmask 022\nAllowOverwrite on\n</Directory>\n",
                      "<Limit WRITE ALL STOR>\nAllowAll\n</Limit>\n", "AllowOverwrite on\n",
                      "DenyFilter \\*.*/\n", "Ratios off\n", "HideNoAccess off\n",
                      "# UserAlias a b\n",
                      "<IfModule mod_rewrite.c>\nRewriteEngine on\n</IfModule>\n",
                      "<IfModule !mod_sftp.c>\nUserAlias a b\n</IfModule>\n",
                      "<IfDefine ODD>\nUserAlias a b\n</IfDefine>\n", "Include /etc/p/conf.d/\n",
                      "Include /etc/p/conf.d/*.conf\n", "<Class in>\nFrom 10.0.0.0/8\n</Class>\n"));

TEST_F(Config, TellsTheFolderThatARuleReaches) {
  EXPECT_EQ(Foreign("<Directory /srv>\nHideUser bea\n</Directory>\n").path, "/srv");
  EXPECT_EQ(Foreign("<Directory /srv/x/a/b>\n</Directory>\n").path, "/srv/x/a/b");
  EXPECT_EQ(Foreign("HideUser bea\n").path, "");
}

TEST_F(Config, ResolvesDefinesAndModules) {
  EXPECT_THAT(Read("Define ODD\n<IfDefine ODD>\nUserAlias a b\n</IfDefine>\n").foreign, SizeIs(1));
  EXPECT_THAT(Read("<IfDefine !ODD>\nUserAlias a b\n</IfDefine>\n").foreign, SizeIs(1));
  EXPECT_THAT(Read("<IfModule mod_sftp.c>\nUserAlias a b\n</IfModule>\n").foreign, SizeIs(1));
  question_.defines = {"ODD"};
  EXPECT_THAT(Read("<IfDefine ODD>\nUserAlias a b\n</IfDefine>\n").foreign, SizeIs(1));
}

TEST_F(Config, FollowsIncludesAndTellsTheirLines) {
  files_.texts["/etc/p/conf.d/a.conf"] = "\nUserAlias a b\n";
  files_.texts["/etc/p/conf.d/b.bak"] = "HideUser x\n";
  const LiveConfig folder = Read("Include /etc/p/conf.d\n");
  ASSERT_THAT(folder.foreign, SizeIs(2));
  EXPECT_EQ(folder.foreign[0].file, "/etc/p/conf.d/a.conf");
  EXPECT_EQ(folder.foreign[0].line, 2u);
  EXPECT_THAT(Read("Include /etc/p/conf.d/*.conf\n").foreign, SizeIs(1));
}

TEST_F(Config, AnUnreadableIncludeIsAnError) {
  files_.unreadable = "/etc/p/secret.conf";
  files_.texts["/etc/p/main.conf"] = std::string(kGood) + "Include /etc/p/secret.conf\n";
  const Result<LiveConfig> config = ReadConfig(files_, question_);
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code, ErrorCode::kIncomplete);
}

TEST_F(Config, AnIncludeCycleEnds) {
  files_.texts["/etc/p/loop.conf"] = "Include /etc/p/loop.conf\n";
  EXPECT_THAT(Read("Include /etc/p/loop.conf\n").foreign,
              Contains(Field(&Finding::why, HasSubstr("too deep"))));
}

TEST_F(Config, FtpaccessCountsUnlessOverrideIsOff) {
  question_.ftpaccess_files = {"/srv/x/a/.ftpaccess"};
  EXPECT_THAT(Read("").foreign, IsEmpty());
  std::string text = kGood;
  text.replace(text.find("AllowOverride off"), 17, "AllowOverride on");
  EXPECT_THAT(Read("", text).foreign,
              ElementsAre(AllOf(Field(&Finding::file, "/srv/x/a/.ftpaccess"),
                                Field(&Finding::path, "/srv/x/a"))));
}

TEST_F(Config, WarnsOfModBanBeforeModFacl) {
  const std::string ban = "LoadModule mod_ban.c\n", facl = "LoadModule mod_facl.c\n";
  EXPECT_THAT(Read(ban + facl + "BanEngine on\n").warnings, SizeIs(1));
  EXPECT_THAT(Read(facl + ban + "BanEngine on\n").warnings, IsEmpty());
  EXPECT_THAT(Read(ban + facl + "BanEngine off\n").warnings, IsEmpty());
  EXPECT_THAT(Read(ban + "BanEngine on\n").warnings, IsEmpty());
}

TEST(Statements, FollowTheDaemonsParser) {
  const auto all = ParseStatements(
      "  Umask 022 077 # end\n\n# all\n<Directory \"/a b\">\nAllowUser a,\\\n b\n</Directory>\nX "
      "\"un\n");
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_THAT(all[0].args, ElementsAre("022", "077"));
  EXPECT_THAT(all[1].args, ElementsAre("/a b"));
  EXPECT_EQ(all[1].line, 4u);
  EXPECT_THAT(all[2].args, ElementsAre("a,", "b"));
  EXPECT_EQ(all[3].line, 7u);
  EXPECT_EQ(all[4].kind, Statement::Kind::kBroken);
}

}  // namespace
}  // namespace postern::proftpd
