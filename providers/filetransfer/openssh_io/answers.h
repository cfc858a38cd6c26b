// providers/filetransfer/openssh_io/answers.h: what `sshd -T -C` answers for accounts.
//
// The daemon is asked once for each distinct outcome of the Match blocks by other hands: our own
// include has a block for each account, and what those say is read from it, as long as the answer
// for one account of the outcome shows that they win. Cost: one round trip, some 5 ms on the host
// for each question.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/access/rights.h"
#include "providers/filetransfer/openssh/config.h"
#include "providers/filetransfer/openssh/effective.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct Answers {
  openssh::Settings server;  // of the server as a whole, and of who isn't named anywhere
  // By login, one for each kind of place that the configuration tells apart.
  std::map<std::string, std::vector<openssh::Settings>> accounts;
  size_t asked = 0;
};

struct Question {
  std::string program;  // path, or a name on the host's PATH
  std::string main;     // configuration file
  std::string include;  // ours
  bool edited = false;  // by hand: then each account is asked for by itself
  const openssh::SshdConfig* config = nullptr;
  const posix::HostAccounts* host = nullptr;
  std::vector<std::string> logins;  // that the host has
};

// Errors: the transport's; kDenied with the daemon's words when it refuses its configuration.
Result<Answers> AskSshd(Transport& transport, const Question& question);

// The rights that requests of a session carry: the union over `settings`, as far as ForceCommand
// and Subsystem decide. All with a shell, or where another program runs.
access::Rights RequestRights(const std::vector<openssh::Settings>& settings,
                             const posix::User& user);

}  // namespace postern::filetransfer
