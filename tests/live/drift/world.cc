#include "tests/live/drift/world.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/support/sshd.h"

namespace postern::support {

using nlohmann::json;

unsigned FilesWorld::Gid() {
  return geteuid() == 0 ? 30000 : getegid();
}

FilesWorld::FilesWorld() : server_(scratch_, Options()) {
  scratch_.Write("conf.d/empty.conf", "# nothing\n");
  for (const char* name : {"in", "in/urgent", "out"}) {
    folders_.push_back(server_.data() + "/" + name);
    scratch_.Folder(folders_.back().substr(scratch_.path().size() + 1), 0777);
  }
  folders_.push_back(server_.data());
  OpenTree(server_.data());
  server_.WriteAccounts({});
  server_.WriteGroups({});
  server_.WriteInclude("");
  for (const std::string login : {"acme", "li"}) {
    scratch_.Folder("clients", 0700);
    MakeSshKey("ed25519", scratch_.File("clients/key-" + login));
    scratch_.Write("clients/login-" + login, "pass of " + login, 0600);
  }
  const std::string key = ReadFile(server_.host_key_path() + ".pub");
  const std::string ecdsa = ReadFile(server_.host_key_path() + "_ecdsa.pub");
  scratch_.Write("known_hosts", fmt::format("[127.0.0.1]:{0} {1}[127.0.0.1]:{0} {2}",
                                            server_.sftp_port(), key, ecdsa));
  connection_ =
      scratch_.Write("connection.json", json{{"ftp_port", server_.ftp_port()},
                                             {"sftp_port", server_.sftp_port()},
                                             {"clients", scratch_.File("clients")},
                                             {"known_hosts", scratch_.File("known_hosts")},
                                             {"passwd", server_.passwd_path()},
                                             {"uid", geteuid() == 0 ? 30000 : geteuid()},
                                             {"gid", Gid()}}
                                            .dump());
  Declare();
}

Proftpd::Options FilesWorld::Options(const std::string& more) const {
  return {.main = "Include " + scratch_.Folder("conf.d") + "/*.conf\n" + more,
          .global = "Umask 007 007",
          .modules = {"mod_ifsession.c"}};
}

std::vector<std::string> FilesWorld::Start() const {
  std::vector<std::string> words = server_.StartCommand();
  std::erase(words, "-n");
  return words;
}

void FilesWorld::Declare(const std::string& rights) const {
  std::string start;
  for (const std::string& word : Start()) {
    start += fmt::format("{}\"{}\"", start.empty() ? "" : ", ", word);
  }
  scratch_.Write("world/operator/postern.toml",
                 fmt::format("administrators = [\"person:li\"]\n\n"
                             "[host.edge]\naddress = \"local:\"\n"
                             "manage = {{ roots = [\"{}\"], accounts = \"all\" }}\n\n"
                             "[server.files]\nhost = \"edge\"\nproduct = \"proftpd\"\n"
                             "config = \"{}\"\ninclude = \"{}\"\n"
                             "uids = {{ from = 30000, to = 39999, gid = {} }}\n"
                             "control = {{ pidfile = \"{}\", start = [{}] }}\n\n"
                             "[secret.\"login-*\"]\nfrom = \"file:{}/clients/login-*\"\n"
                             "targets = [\"host:edge\"]\n",
                             server_.data(), server_.config_path(), server_.include_path(), Gid(),
                             server_.pid_path(), start, scratch_.path()));
  std::string tree =
      "[person.li]\ntitle = \"Li\"\n\n[partner.acme]\nsponsor = \"person:li\"\n"
      "contract = { starts = 2020-01-01, ends = 2090-12-31 }\n\n";
  for (const std::string login : {"acme", "li"}) {
    tree += fmt::format(
        "[account.{0}]\nfor = \"{1}:{0}\"\nserver = \"files\"\nhome = \"{2}\"\n"
        "password = \"secret:login-{0}\"\nkeys = [\"{3}\"]\n\n",
        login, login == "li" ? "person" : "partner", server_.data(),
        PublicKeyOf(scratch_.File("clients/key-" + login + ".pub")));
  }
  tree += fmt::format(
      "[folder.all]\nhost = \"edge\"\npath = \"{0}\"\n\n"
      "[folder.in]\nhost = \"edge\"\npath = \"{0}/in\"\n\n"
      "[[grant]]\nwho = [\"partner:acme\"]\nfolder = \"in\"\nrights = [{1}]\n\n"
      "[[grant]]\nwho = [\"person:li\"]\nfolder = \"all\"\nrights = [\"list\", \"read\"]\n",
      server_.data(), rights);
  scratch_.Write("world/access/all.toml", tree);
}

RunResult FilesWorld::Postern(std::vector<std::string> words) const {
  words.insert(words.begin(), POSTERN);
  return RunCommand(words, {.env = {{"NO_COLOR", "1"}}, .cwd = scratch_.File("world")});
}

}  // namespace postern::support
