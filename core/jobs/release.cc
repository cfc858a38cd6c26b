#include "core/jobs/release.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "core/diag/text.h"
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

// Files of one verification, in a folder that is gone with them: two may go on at once.
class Papers {
 public:
  explicit Papers(const std::string& parent) : folder_(parent + "/release.XXXXXX") {
    made_ = mkdtemp(folder_.data()) != nullptr;
  }
  ~Papers() {
    for (const char* name : {"signers", "text", "signature"}) unlink(Path(name).c_str());
    rmdir(folder_.c_str());
  }
  Papers(const Papers&) = delete;
  Papers& operator=(const Papers&) = delete;

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  Result<void> Write(const std::string& name, const std::string& text) const {
    if (!made_) return Fail(ErrorCode::kDenied, folder_ + " can't be made");
    return ReplaceFile(Path(name), text);
  }

 private:
  std::string folder_;
  bool made_ = false;
};

// Whether the signature is one of the releaser's keys over the text.
Result<bool> IsSignedBy(const decl::Releaser& releaser, const Papers& papers) {
  std::string signers;
  for (const std::string& key : releaser.keys().values()) {
    signers += fmt::format("{} namespaces=\"{}\" {}\n", kPrincipal, kReleaseNamespace, key);
  }
  if (auto done = papers.Write("signers", signers); !done) return tl::unexpected(done.error());
  return RunKeygen({"ssh-keygen", "-Y", "verify", "-f", papers.Path("signers"), "-I", kPrincipal,
                    "-n", kReleaseNamespace, "-s", papers.Path("signature")},
                   papers.Path("text"))
      .map([](int status) { return status == 0; });
}

// Whether it is a signature over the text at all, by whichever key.
Result<bool> IsSigned(const Papers& papers) {
  return RunKeygen({"ssh-keygen", "-Y", "check-novalidate", "-n", kReleaseNamespace, "-s",
                    papers.Path("signature")},
                   papers.Path("text"))
      .map([](int status) { return status == 0; });
}

std::string UserOf(const std::string& who) {
  return who.substr(0, who.find('@'));
}

}  // namespace

std::string ReleaseText(const HeldRun& held, const std::string& reason) {
  const std::string because = reason.empty() ? "" : fmt::format("reason {}\n", reason);
  return fmt::format(
      "postern release {}\njob {}\nrun {}\nfile sha256:{}\nplan {}\n{}I have looked at this plan, "
      "and it may be applied.\n",
      reason.empty() ? 1 : 2, held.job, held.run, held.file_sha256, held.plan_digest, because);
}

std::string WhyNoReason(const std::string& reason) {
  constexpr size_t kLongest = 500;
  if (reason.find_first_not_of(' ') == std::string::npos) return "a release says why";
  if (reason.size() > kLongest) return fmt::format("a reason has at most {} bytes", kLongest);
  if (diag::Printable(reason) != reason) {
    return "a reason is one line of text that can be seen";
  }
  return "";
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
  return std::any_of(declarations.users.begin(), declarations.users.end(), [&](const auto& entry) {
    const decl::User& m = entry.message;
    return m.for_() == person && (m.has_uid() ? m.uid() : m.name()) == user;
  });
}

bool HasStarted(const HeldRun& held, const std::string& person,
                const config::Declarations& declarations) {
  if (IsSamePerson(held.started_by, person, declarations)) return true;
  return std::any_of(held.behind.begin(), held.behind.end(), [&](const std::string& who) {
    return IsSamePerson(who, person, declarations);
  });
}

std::string StarterOf(const HeldRun& held) {
  if (held.behind.empty()) return held.started_by;
  return fmt::format("{} for {}", held.started_by, fmt::join(held.behind, " and "));
}

Result<ReleaseVerdict> VerifyRelease(const HeldRun& held, const std::string& reason,
                                     const std::string& signature,
                                     const config::Declarations& declarations,
                                     const std::string& folder) {
  const Papers papers(folder);
  if (auto done = papers.Write("text", ReleaseText(held, reason)); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = papers.Write("signature", signature); !done) return tl::unexpected(done.error());
  for (const auto& releaser : declarations.releasers) {
    const auto is_his = IsSignedBy(releaser.message, papers);
    if (!is_his) return tl::unexpected(is_his.error());
    if (!*is_his) continue;
    if (HasStarted(held, releaser.message.for_(), declarations)) {
      return ReleaseVerdict{"", fmt::format("{} started this run; a second person must sign",
                                            releaser.message.for_())};
    }
    return ReleaseVerdict{releaser.message.name(), ""};
  }
  const auto is_signed = IsSigned(papers);
  if (!is_signed) return tl::unexpected(is_signed.error());
  return ReleaseVerdict{"",
                        "the signature is of no releaser's key over exactly this job, run, file, "
                        "plan and reason",
                        *is_signed};
}

}  // namespace postern::jobs
