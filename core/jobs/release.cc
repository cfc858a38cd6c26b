#include "core/jobs/release.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

// Known to ssh-keygen only: each call has the keys of one releaser.
constexpr char kPrincipal[] = "releaser";

// `ssh-keygen` with `input` as its standard input and nothing of its output kept; its exit status.
Result<int> RunKeygen(std::vector<std::string> arguments, const std::string& input) {
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
  char* environment[] = {path.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int error =
      posix_spawn(&child, "/usr/bin/ssh-keygen", &actions, nullptr, words.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("/usr/bin/ssh-keygen: {}", std::generic_category().message(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return Fail(ErrorCode::kUnavailable, std::generic_category().message(errno));
    }
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Files of one verification; gone with it.
struct Papers {
  std::string signers, text, signature;
  ~Papers() {
    for (const std::string* path : {&signers, &text, &signature}) unlink(path->c_str());
  }
};

std::string UserOf(const std::string& who) {
  return who.substr(0, who.find('@'));
}

}  // namespace

std::string ReleaseText(const HeldRun& held) {
  return fmt::format(
      "postern release 1\njob {}\nrun {}\nfile sha256:{}\nplan {}\nI have looked at this plan, and "
      "it may be applied.\n",
      held.job, held.run, held.file_sha256, held.plan_digest);
}

bool IsSamePerson(const std::string& who, const std::string& person,
                  const config::Declarations& declarations) {
  if (who == person) return true;
  const std::string user = UserOf(who);
  if (person == "person:" + user) return true;
  for (const auto& account : declarations.accounts) {
    const decl::Account& m = account.message;
    if (m.for_() == person && (m.has_login() ? m.login() : m.name()) == user) return true;
  }
  return false;
}

Result<ReleaseVerdict> VerifyRelease(const HeldRun& held, const std::string& signature,
                                     const config::Declarations& declarations,
                                     const std::string& folder) {
  const Papers papers{folder + "/release.signers", folder + "/release.text",
                      folder + "/release.sig"};
  if (auto done = ReplaceFile(papers.text, ReleaseText(held)); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = ReplaceFile(papers.signature, signature); !done) {
    return tl::unexpected(done.error());
  }
  for (const auto& releaser : declarations.releasers) {
    std::string signers;
    for (const std::string& key : releaser.message.keys().values()) {
      signers += fmt::format("{} namespaces=\"{}\" {}\n", kPrincipal, kReleaseNamespace, key);
    }
    if (auto done = ReplaceFile(papers.signers, signers); !done) {
      return tl::unexpected(done.error());
    }
    const auto status = RunKeygen({"ssh-keygen", "-Y", "verify", "-f", papers.signers, "-I",
                                   kPrincipal, "-n", kReleaseNamespace, "-s", papers.signature},
                                  papers.text);
    if (!status) return tl::unexpected(status.error());
    if (*status != 0) continue;
    if (IsSamePerson(held.started_by, releaser.message.for_(), declarations)) {
      return ReleaseVerdict{"", fmt::format("{} started this run; a second person must sign",
                                            releaser.message.for_())};
    }
    return ReleaseVerdict{releaser.message.name(), ""};
  }
  return ReleaseVerdict{
      "", "the signature is of no releaser's key over exactly this job, run, file and plan"};
}

}  // namespace postern::jobs
