// What leaves a host of its configuration: enough to compute access, and no secret.
#include "providers/filetransfer/proftpd/redact.h"

#include <gtest/gtest.h>

#include <random>

#include "providers/filetransfer/proftpd/raise.h"
#include "providers/filetransfer/proftpd/raise_directives.h"
#include "tests/unit/proftpd_product/memory_files.h"

namespace postern::proftpd {
namespace {

using access::Right;
using testing::Files;

TEST(Redact, NoSecretStays) {
  const std::string text =
      "ServerName hunter2\n"
      "# password: hunter2\n"
      "SQLConnectInfo db@host:3306 user hunter2\n"
      "LDAPBindDN \"cn=reader,dc=corp\" \"hunter2\"\n"
      "Define DB_PASSWORD hunter2\n"
      "UserPassword bea hunter2\n"
      "SetEnv TOKEN=hunter2\n"
      "AllowOverwrite on # hunter2\n"
      "RadiusServer 10.0.0.1 \\\n  hunter2 15\n"
      "SQLNamedQuery x SELECT \"hunter2\n"
      "<Frobnicate hunter2>\n"
      "TLSPKCS12File /x hunter2\n"
      "SFTPPassPhraseProvider /usr/bin/hunter2\n"
      "</Frobnicate hunter2>\n"
      "AuthUserFile /etc/hunter2\n";
  EXPECT_EQ(Redact(text).find("hunter2"), std::string::npos) << Redact(text);
  for (const Statement& statement : ParseStatements(text)) {
    EXPECT_EQ(Redact(statement).find("hunter2"), std::string::npos) << Redact(statement);
  }
}

TEST(Redact, LinesKeepTheirNumbersAndTheirArguments) {
  const std::string text =
      "\n# a\n<Directory \"/srv/a b/#\\\"x\">\n  AllowUser bea,\\\ncyril  # who\n\n"
      "  <Limit READ WRITE>\n    DenyAll\n  </Limit>\n</Directory>\nInclude /etc/p/conf.d/*.conf\n"
      "SQLEngine off\nHideFiles ^a\nHideUser bea\n<Class near>\nFrom 10.0.0.0/8\n</Class>\n";
  const auto before = ParseStatements(text), after = ParseStatements(Redact(text));
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].line, after[i].line);
    EXPECT_EQ(before[i].kind, after[i].kind);
    EXPECT_EQ(before[i].name, after[i].name);
    if (before[i].name == "HideUser") continue;
    EXPECT_EQ(before[i].args, after[i].args) << before[i].text;
  }
  EXPECT_EQ(Redact(Redact(text)), Redact(text));
}

// Every directive of the table, and some that it doesn't know, anywhere, with odd arguments.
std::string RandomText(std::mt19937& random) {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all = {
        "Order",      "AllowUser",   "DenyUser",   "AllowGroup",     "DenyGroup", "AllowClass",
        "Allow",      "Deny",        "User",       "SQLConnectInfo", "Umask",     "TimeMachine",
        "DenyFilter", "AllowFilter", "LoadModule", "Define",         "From",      "Satisfy"};
    for (const RaisedDirective& row : RaisedDirectives()) all.emplace_back(row.word);
    return all;
  }();
  static const std::vector<std::string> values = {
      "on",       "off",    "ada", "bea",      "ops",  "!ops", "deny,allow", "from", "all",
      "10.0.0.1", "/srv/a", "~",   "%{env:X}", "none", "*.*/", "mod_sql.c",  "x y",  "#1"};
  static const std::vector<std::string> sections = {
      "Directory /srv/a", "Directory /srv/*", "Limit READ",   "Limit ALL",     "Limit LOGIN",
      "IfUser ada",       "IfGroup ops",      "Global",       "IfDefine TEST", "IfModule mod_sql.c",
      "Anonymous /srv/a", "Limit WRITE DIRS", "Frobnicate x", "IfClass here",  "Class here"};
  std::string text;
  std::vector<std::string> open;
  for (int i = 0; i < 24; ++i) {
    if (random() % 3 == 0) {
      open.push_back(sections[random() % sections.size()]);
      text += "<" + open.back() + ">\n";
    } else if (!open.empty() && random() % 3 == 0) {
      text += "</" + open.back().substr(0, open.back().find(' ')) + ">\n";
      open.pop_back();
    } else {
      text += words[random() % words.size()];
      for (size_t n = random() % 3; n > 0; --n) {
        text += " \"" + values[random() % values.size()] + "\"";
      }
      text += random() % 4 == 0 ? " # why\n" : "\n";
    }
  }
  for (; !open.empty(); open.pop_back()) {
    text += "</" + open.back().substr(0, open.back().find(' ')) + ">\n";
  }
  return text;
}

TEST(Redact, TheRaiserComputesTheSame) {
  std::mt19937 random(7);
  size_t unknown = 0, allowed = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = RandomText(random);
    RaiseQuestion question{.main_file = "/main",
                           .defines = {"TEST"},
                           .ftpaccess_files = {},
                           .accounts = {{"ada", {"ops"}, "/srv/a"}, {"bea", {"staff"}, "/srv"}},
                           .rules = {}};
    Files files, redacted;
    files.texts["/main"] = text;
    redacted.texts["/main"] = Redact(text);
    const auto one = Raiser::Make(files, question), other = Raiser::Make(redacted, question);
    ASSERT_TRUE(one.has_value() && other.has_value());
    ASSERT_EQ(one->NamedPaths(), other->NamedPaths()) << text;
    for (const std::string login : {"ada", "bea"}) {
      for (const std::string path : {"/srv", "/srv/a", "/srv/b"}) {
        for (int right = 0; right < access::kRightCount; ++right) {
          const auto decide = [&](const Raiser& raiser) {
            return raiser.Decide(login, {path, Cell::Rest::kEntry}, static_cast<Right>(right),
                                 Way::kFtp);
          };
          const Ruling a = decide(*one), b = decide(*other);
          ASSERT_EQ(a.verdict, b.verdict) << login << path << right << "\n" << text;
          if (a.reason != nullptr) {
            EXPECT_EQ(a.reason->line, b.reason->line) << text;
          }
          unknown += a.verdict == Verdict::kNotComputable;
          allowed += a.verdict == Verdict::kAllowed;
        }
      }
    }
  }
  EXPECT_GT(unknown, 1000U);
  EXPECT_GT(allowed, 1000U);
}

}  // namespace
}  // namespace postern::proftpd
