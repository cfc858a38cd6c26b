// Hand-made changes of a real ProFTPD: what `postern drift` says they do to access, against what
// clients can really do before and after. See README.md.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>

#include "tests/live/drift/world.h"
#include "tests/support/sshd.h"

namespace postern::support {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// (login, folder, right)
using May = std::set<std::tuple<std::string, std::string, std::string>>;

std::string Text(const May& may) {
  std::string text;
  for (const auto& [login, folder, right] : may) {
    text += fmt::format("  {} {} {}\n", login, right, folder);
  }
  return text;
}

May Minus(const May& a, const May& b) {
  May out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(out, out.end()));
  return out;
}

class LiveDrift : public ::testing::Test, protected FilesWorld {
 protected:
  void Begin() {
    ASSERT_TRUE(server_.Start());
    const RunResult apply = Postern({"apply", "--yes"});
    ASSERT_EQ(apply.exit, 0) << apply.out << apply.err << server_.Logs();
    const RunResult drift = Postern({"drift"});
    ASSERT_EQ(drift.exit, 0) << drift.out << drift.err;
    before_ = Tries();
    ASSERT_EQ(Text(before_), Text(Declared())) << server_.Logs();
  }

  // What the TOML says, at the folders that are tried.
  May Declared() const {
    May may;
    for (const std::string& folder : folders_) {
      for (const char* right : {"list", "read"}) may.insert({"li", folder, right});
      if (!folder.starts_with(server_.data() + "/in")) continue;
      for (const char* right : {"list", "create"}) may.insert({"acme", folder, right});
    }
    return may;
  }

  May Tries() {
    std::vector<std::string> words = {"python3", "-B", std::string(HERE) + "/tries.py", connection_,
                                      "acme,li"};
    words.insert(words.end(), folders_.begin(), folders_.end());
    const RunResult run = RunCommand(words, {.limit = seconds(120)});
    EXPECT_EQ(run.exit, 0) << run.err << server_.Logs();
    May may;
    const json answer = json::parse(run.out, nullptr, false);
    for (const auto& [login, places] : answer.items()) {
      for (const auto& [folder, rights] : places.items()) {
        for (const auto& right : rights) may.insert({login, folder, right.get<std::string>()});
      }
    }
    return may;
  }

  // The drifts that stem from rules by other hands.
  std::vector<json> Rules() {
    const RunResult drift = Postern({"drift", "--json"});
    EXPECT_EQ(drift.exit, 2) << drift.out << drift.err;
    std::vector<json> rules;
    const json answer = json::parse(drift.out, nullptr, false);
    for (const json& one : answer["drift"]) {
      if (one["kind"] == "native_rule") rules.push_back(one);
    }
    return rules;
  }

  // Lines of access -> what they mean for the folders that are tried. To list is a right on the
  // folder, all others are on what is in it.
  May Meaning(const std::vector<json>& rules, const char* side) const {
    May may;
    for (const json& rule : rules) {
      if (!rule.contains("access")) continue;
      for (const json& line : rule["access"][side]) {
        const std::string path = line["path"];
        for (const std::string& folder : folders_) {
          const bool deep = line["depth"] == "subtree";
          if (folder != path && !(deep && folder.starts_with(path + "/"))) continue;
          for (const auto& right : line["rights"]) {
            may.insert({line["account"].get<std::string>(), folder, right.get<std::string>()});
          }
        }
      }
    }
    return may;
  }

  // Writes the file, has the daemon read it, and holds drift against the clients.
  void ByHand(const std::string& file, const std::string& text, const std::string& effect) {
    scratch_.Write(file, text);
    ASSERT_TRUE(server_.Reload()) << server_.Logs();
    const May after = Tries();
    const std::vector<json> rules = Rules();
    ASSERT_FALSE(rules.empty());
    EXPECT_EQ(rules[0]["effect"], effect) << rules[0].dump(1);
    EXPECT_EQ(Text(Meaning(rules, "gained")), Text(Minus(after, before_))) << json(rules).dump(1);
    EXPECT_EQ(Text(Meaning(rules, "lost")), Text(Minus(before_, after))) << json(rules).dump(1);
    EXPECT_EQ(effect == "equal", after == before_);
    EXPECT_THAT(rules[0].value("note", ""), HasSubstr(file));
    EXPECT_EQ(rules[0].value("how_known", ""), "window") << "when the file was written";
  }

  std::string At(const std::string& folder) const { return server_.data() + "/" + folder; }

  May before_;
};

// Each on the same daemon, one after another; the next begins from the declared state.
TEST_F(LiveDrift, WhatARuleGivesAndTakesIsWhatClientsFind) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  struct Case {
    const char* name;
    std::string text;
    const char* effect;
  };
  const Case cases[] = {
      {"A directory elsewhere gives and takes",
       fmt::format("<Directory {}>\n  AllowOverwrite on\n  <Limit STOR RETR>\n    AllowUser acme\n"
                   "    DenyAll\n  </Limit>\n</Directory>\n",
                   At("in/urgent")),
       "more"},
      {"A limit in an included file widens",
       fmt::format("<Directory {}>\n  <Limit RETR DELE>\n    AllowUser acme\n"
                   "    AllowUser li\n  </Limit>\n</Directory>\n",
                   At("in/urgent")),
       "more"},
      // The daemon tries our block for what is in the folder above first.
      {"A block behind ours does nothing",
       fmt::format("<Directory {}>\n  <Limit RETR LIST NLST MLSD DELE>\n    AllowUser acme\n"
                   "  </Limit>\n</Directory>\n",
                   At("out")),
       "equal"},
      // What one way in refuses and another gives isn't taken away.
      {"A block for one of two ways in takes nothing",
       fmt::format("<Directory {}>\n  <Limit STOR RETR>\n    DenyAll\n  </Limit>\n</Directory>\n",
                   At("in/urgent")),
       "equal"},
      {"A more specific block takes away everywhere",
       fmt::format("<Global>\n  <Directory {}>\n    <Limit STOR APPE RETR>\n      DenyAll\n"
                   "    </Limit>\n  </Directory>\n</Global>\n",
                   At("in/urgent")),
       "less"},
      {"A group word beside our single commands does nothing",
       fmt::format("<Directory {}/*>\n  <Limit ALL>\n    AllowAll\n  </Limit>\n</Directory>\n",
                   At("out")),
       "equal"},
      {"Allow overwrite alone",
       fmt::format("<Directory {}>\n  AllowOverwrite on\n</Directory>\n", At("in/urgent")), "more"},
      {"A login that is stopped",
       "<Global>\n  <Limit LOGIN>\n    DenyUser li\n  </Limit>\n</Global>\n", "less"},
      {"Rules for one user come first",
       fmt::format("<IfUser acme>\n  <Directory {}>\n    <Limit RETR STOR LIST NLST MLSD CWD>\n"
                   "      AllowAll\n    </Limit>\n    AllowOverwrite on\n  </Directory>\n"
                   "</IfUser>\n",
                   At("out")),
       "more"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    ByHand("conf.d/hand.conf", one.text, one.effect);
  }
}

// With .ftpaccess what is allowed depends on the session's way there: told, never computed.
TEST_F(LiveDrift, AnAccessFileIsNotComputable) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  std::string config = ReadFile(server_.config_path());
  for (size_t at = 0; (at = config.find("AllowOverride off", at)) != std::string::npos;) {
    config.replace(at, 17, "AllowOverride on");
  }
  scratch_.Write(server_.config_path().substr(scratch_.path().size() + 1), config);
  scratch_.Write("data/in/.ftpaccess", "<Limit DELE>\n  AllowAll\n</Limit>\n");
  ASSERT_TRUE(server_.Reload()) << server_.Logs();
  const std::vector<json> rules = Rules();
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0]["type"], "not-computable");
  EXPECT_EQ(rules[0]["effect"], "unknown");
  EXPECT_THAT(rules[0].value("what", ""), HasSubstr(At("in")));
  EXPECT_THAT(rules[0].value("note", ""), HasSubstr(At("in/.ftpaccess")));
  EXPECT_NE(Tries(), before_) << "it does matter";
}

TEST_F(LiveDrift, AnybodyGetsInThroughAnAnonymousSection) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const auto login = [&] {
    return RunCommand({"curl", "-sS", "--max-time", "20", "-u", "acme:a guess",
                       fmt::format("ftp://127.0.0.1:{}/", server_.ftp_port())})
        .exit;
  };
  ASSERT_NE(login(), 0);
  scratch_.Write("conf.d/hand.conf",
                 fmt::format("<Anonymous {}>\n  User acme\n  RequireValidShell off\n</Anonymous>\n",
                             At("in")));
  ASSERT_TRUE(server_.Reload()) << server_.Logs();
  EXPECT_EQ(login(), 0) << server_.Logs();
  const std::vector<json> rules = Rules();
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0]["effect"], "more") << rules[0].dump(1);
  EXPECT_THAT(rules[0].value("what", ""), HasSubstr("anybody gets in as acme without a password"));
}

// A filter on names: reading stays computable, what a client names isn't.
TEST_F(LiveDrift, AFilterOnNamesIsNotComputable) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  scratch_.Write("conf.d/hand.conf", "<Global>\n  PathDenyFilter \"new[.]txt$\"\n</Global>\n");
  ASSERT_TRUE(server_.Reload()) << server_.Logs();
  const std::vector<json> rules = Rules();
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0]["effect"], "unknown") << rules[0].dump(1);
  EXPECT_THAT(rules[0].value("what", ""),
              HasSubstr("conf.d/hand.conf:2: PathDenyFilter new[.]txt$"));
  EXPECT_NE(Tries(), before_) << "it does matter";
}

TEST_F(LiveDrift, AnIncludedFileThatAppears) {
  server_.WriteConfig(Options("Include " + scratch_.File("late.conf")));
  ASSERT_TRUE(server_.Start());
  ASSERT_EQ(Postern({"apply", "--yes"}).exit, 0);
  before_ = Tries();
  // While it isn't there, that is told and does nothing.
  const std::vector<json> missing = Rules();
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0]["effect"], "equal") << missing[0].dump(1);
  ByHand("late.conf",
         fmt::format("<Directory {}>\n  <Limit DELE>\n    AllowUser acme\n  </Limit>\n"
                     "</Directory>\n",
                     At("in/urgent")),
         "more");
}

// A foreign account is locked for password and key and its open session is gone; `remove` begins
// alike. Without either it is told and stays.
TEST_F(LiveDrift, AForeignAccountIsPutInQuarantine) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string passwd = server_.passwd_path().substr(scratch_.path().size() + 1);
  const std::string users = ReadFile(server_.passwd_path());
  const std::string line = users.substr(users.find("acme:"));
  const std::string hash = line.substr(5, line.find(':', 5) - 5);
  const std::string operators = ReadFile(scratch_.File("world/operator/postern.toml"));
  unsigned uid = 30900;
  for (const std::string policy : {"report", "quarantine", "remove"}) {
    const std::string name = "tmp-" + policy;
    scratch_.Write(passwd,
                   ReadFile(server_.passwd_path()) +
                       fmt::format("{}:{}:{}:{}::{}:/bin/false\n", name, hash,
                                   geteuid() == 0 ? ++uid : geteuid(), Gid(), server_.data()),
                   0600);
    std::string text = operators;
    text.replace(text.find("accounts = \"all\""), 16,
                 fmt::format("accounts = \"all\", foreign = \"{}\"", policy));
    scratch_.Write("world/operator/postern.toml", text);
    // It logs in and waits until the server hangs up.
    const std::string in = scratch_.File("in-" + policy);
    const std::string script = fmt::format(
        "import ftplib\nftp = ftplib.FTP()\nftp.connect('127.0.0.1', {})\n"
        "ftp.login('{}', 'pass of acme')\nopen('{}', 'w').close()\nftp.sock.recv(1)\n",
        server_.ftp_port(), name, in);
    ServerProcess session(scratch_, {"python3", "-c", script}, {.name = "python3"});
    ASSERT_TRUE(session.WaitForFile(in)) << session.LogTail() << server_.Logs();
    const RunResult apply = Postern({"apply", "--yes"});
    EXPECT_EQ(apply.exit, 0) << apply.out << apply.err;
    const std::string after = ReadFile(server_.passwd_path());
    const bool locked = after.find(name + ":!") != std::string::npos;
    EXPECT_NE(after.find(name + ":"), std::string::npos) << "never deleted at once";
    EXPECT_EQ(locked, policy != "report") << after;
    const auto gone = [&] { return !session.Alive(); };
    EXPECT_EQ(policy == "report" ? gone() : Eventually(std::chrono::seconds(10), gone),
              policy != "report")
        << policy;
  }
}

// A key that somebody added to a file of keys is kept there as a comment: mod_sftp refuses the
// login and reads the other keys of the file. Declared, it opens again.
TEST_F(LiveDrift, AForeignKeyIsPutInQuarantineAndGivenBack) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string file = server_.keys_path() + "/acme", more = scratch_.File("clients/more");
  MakeSshKey("ed25519", more);
  const auto lets_in = [&](const std::string& key) {
    return RunCommand({"sftp", "-q", "-F", "/dev/null", "-i", key, "-oIdentitiesOnly=yes",
                       "-oIdentityAgent=none", "-oPreferredAuthentications=publickey",
                       "-oUserKnownHostsFile=" + scratch_.File("known_hosts"), "-oBatchMode=yes",
                       "-b", "-", "-P", std::to_string(server_.sftp_port()), "acme@127.0.0.1"},
                      "pwd\n")
               .exit == 0;
  };
  const auto replace = [&](const std::string& name, const std::string& from,
                           const std::string& to) {
    std::string text = ReadFile(scratch_.File(name));
    ASSERT_NE(text.find(from), std::string::npos) << name;
    scratch_.Write(name, text.replace(text.find(from), from.size(), to));
  };
  replace("world/operator/postern.toml", "accounts = \"all\"",
          "accounts = \"all\", foreign = \"quarantine\"");
  const std::string own = scratch_.File("clients/key-acme"), before = ReadFile(file);
  const std::string text = before + RunCommand({"ssh-keygen", "-e", "-f", more}).out;
  scratch_.Write(file.substr(scratch_.path().size() + 1), text);
  EXPECT_TRUE(lets_in(more)) << server_.Logs();
  EXPECT_THAT(Postern({"drift"}).out, HasSubstr("more access  acme"));
  const RunResult apply = Postern({"apply", "--yes"});
  ASSERT_EQ(apply.exit, 0) << apply.out << apply.err;
  EXPECT_THAT(apply.out, HasSubstr("it is put in quarantine"));
  EXPECT_FALSE(lets_in(more));
  EXPECT_TRUE(lets_in(own)) << server_.Logs();
  EXPECT_THAT(ReadFile(file), HasSubstr("# postern-quarantine: ---- BEGIN SSH2 PUBLIC KEY"));
  const RunResult plan = Postern({"plan", "--detailed-exitcode"});
  EXPECT_EQ(plan.exit, 0) << plan.out << plan.err;
  const RunResult drift = Postern({"drift"});
  EXPECT_THAT(drift.out, HasSubstr("quarantine: it opens nothing"));
  EXPECT_THAT(drift.out, testing::Not(HasSubstr("more access")));

  const std::string declared = PublicKeyOf(own + ".pub");
  replace("world/access/all.toml", declared, declared + "\", \"" + PublicKeyOf(more + ".pub"));
  const RunResult back = Postern({"apply", "--yes"});
  EXPECT_EQ(back.exit, 0) << back.out << back.err;
  EXPECT_TRUE(lets_in(more)) << server_.Logs();
  EXPECT_EQ(ReadFile(file), text) << "byte for byte as it stood";
  EXPECT_EQ(Postern({"drift"}).exit, 0);
  EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0);
}

}  // namespace
}  // namespace postern::support
