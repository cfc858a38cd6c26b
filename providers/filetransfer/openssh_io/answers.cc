#include "providers/filetransfer/openssh_io/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "providers/filetransfer/openssh/login.h"

namespace postern::filetransfer {
namespace {

using access::Rights;
using openssh::Connection;
using openssh::Settings;
using openssh::SftpCommand;

// Nobody's: TEST-NET-1. Stands for every address that the configuration doesn't name.
constexpr const char* kAnywhere = "192.0.2.1";
// Stands for who has no account of ours; sshd asks for a name that exists.
constexpr const char* kAnybody = "root";

// Arguments: program, configuration. Input: a question a line. Prints for each "ok" or "bad" and
// what it says. sshd wants to be called by its whole path.
constexpr std::string_view kAskScript = R"sh(
sshd=$(command -v "$1") || { echo "$1: not found" >&2; exit 127; }
while IFS= read -r spec; do
  if out=$("$sshd" -T -f "$2" -C "$spec" 2>&1 </dev/null); then word=ok; else word=bad; fi
  printf '%s\0%s\0' "$word" "$out"
done
)sh";

// What our own block says for one account.
struct OwnLines {
  std::optional<SftpCommand> forced;
  std::optional<std::string> chroot;
};

std::string Unquoted(std::string text) {
  std::erase(text, '"');
  return text == "none" ? "" : text;
}

std::map<std::string, OwnLines> OwnLinesOf(const Question& question) {
  std::map<std::string, OwnLines> out;
  for (const openssh::ConfigLine& line : question.config->lines) {
    if (line.file != question.include || line.within.empty()) continue;
    const auto& criteria = question.config->blocks[line.within.back()].criteria;
    if (criteria.size() != 1 || criteria[0].name != "user") continue;
    OwnLines& own = out[criteria[0].value];
    if (line.keyword == "forcecommand" && !own.forced) {
      own.forced = openssh::ParseSftpCommand(line.value);
    } else if (line.keyword == "chrootdirectory" && !own.chroot) {
      own.chroot = Unquoted(line.value);
    }
  }
  return out;
}

// Accounts that one question stands for.
struct Outcome {
  Connection connection;  // of the first
  std::vector<std::string> logins;
};

std::vector<Outcome> OutcomesOf(const Question& question, const std::string& address,
                                const std::map<std::string, OwnLines>& own) {
  std::vector<Outcome> out;
  std::map<std::pair<std::vector<bool>, std::string>, size_t> known;
  const auto& blocks = question.config->blocks;
  for (const std::string& login : question.logins) {
    const posix::User* user = question.host->FindUser(login);
    if (user == nullptr) continue;
    Connection who{.user = login,
                   .groups = question.host->GroupNamesOf(*user),
                   .host = address,
                   .address = address,
                   .local_address = "127.0.0.1"};
    std::vector<bool> matched;
    bool alone = question.edited;
    for (const openssh::MatchBlock& block : blocks) {
      if (block.file == question.include) continue;
      alone = alone || !block.problem.empty();
      matched.push_back(openssh::Matches(block, who));
    }
    const std::string tag = alone ? "=" + login : own.contains(login) ? "ours" : "";
    const auto [at, fresh] = known.emplace(std::pair(std::move(matched), tag), out.size());
    if (fresh) out.push_back({std::move(who), {}});
    out[at->second].logins.push_back(login);
  }
  return out;
}

Result<std::vector<Settings>> Ask(Transport& transport, const Question& question,
                                  const std::vector<Connection>& connections) {
  std::string input;
  for (const Connection& connection : connections) input += openssh::SpecOf(connection) + "\n";
  auto out = RunBatch(transport, {.script = kAskScript,
                                  .args = {question.program, question.main},
                                  .input = input,
                                  .limit = std::chrono::seconds(300)});
  if (!out) return tl::unexpected(out.error());
  std::vector<Settings> answers;
  std::string_view rest = *out;
  const auto take = [&] {
    const size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
  };
  for (size_t i = 0; i < connections.size(); ++i) {
    const std::string_view word = take(), text = take();
    if (word != "ok") {
      const std::string_view line = text.substr(0, text.find('\n'));
      return Fail(ErrorCode::kDenied, fmt::format("sshd -T: {}", line));
    }
    auto settings = openssh::ParseSettings(text);
    if (!settings) return tl::unexpected(settings.error());
    answers.push_back(std::move(*settings));
  }
  return answers;
}

// The answer for one account of the outcome, said for another one.
Settings SettingsFor(const Settings& asked, const OwnLines* of_asked, const OwnLines* of_other) {
  Settings out = asked;
  if (of_asked == nullptr || of_other == nullptr) return out;
  if (of_asked->forced && of_other->forced && asked.forced == *of_asked->forced) {
    out.forced = *of_other->forced;
  }
  if (of_asked->chroot && of_other->chroot && asked.chroot == *of_asked->chroot) {
    out.chroot = *of_other->chroot;
  }
  return out;
}

Rights RightsOfSettings(const Settings& settings, const posix::User& user) {
  const bool shell = openssh::RunsCommands(user.shell.empty() ? "/bin/sh" : user.shell);
  const auto of_command = [&](const SftpCommand& command) {
    switch (command.kind) {
      case SftpCommand::Kind::kInternal:
        return settings.has_subsystem ? RightsOf(command) : Rights();
      case SftpCommand::Kind::kNone:
      case SftpCommand::Kind::kBroken:
        return Rights();
      case SftpCommand::Kind::kExternal:
        return shell ? RightsOf(command) : Rights();  // the shell starts it
      default:
        return RightsOf(command);
    }
  };
  if (settings.forced.kind != SftpCommand::Kind::kNone) return of_command(settings.forced);
  if (shell) return Rights::All();
  return of_command(settings.subsystem);
}

}  // namespace

Result<Answers> AskSshd(Transport& transport, const Question& question) {
  const auto own = OwnLinesOf(question);
  std::vector<Outcome> outcomes;
  for (const std::string& address : openssh::AddressesToAsk(*question.config, kAnywhere)) {
    for (Outcome& outcome : OutcomesOf(question, address, own))
      outcomes.push_back(std::move(outcome));
  }
  std::vector<Connection> connections = {{.user = kAnybody,
                                          .groups = {kAnybody},
                                          .host = kAnywhere,
                                          .address = kAnywhere,
                                          .local_address = "127.0.0.1"}};
  for (const Outcome& outcome : outcomes) connections.push_back(outcome.connection);
  auto settings = Ask(transport, question, connections);
  if (!settings) return tl::unexpected(settings.error());
  Answers out;
  out.asked = connections.size();
  out.server = std::move(settings->front());
  const auto find = [&](const std::string& login) {
    const auto at = own.find(login);
    return at == own.end() ? nullptr : &at->second;
  };
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Settings& asked = (*settings)[i + 1];
    const OwnLines* of_asked = find(outcomes[i].connection.user);
    for (const std::string& login : outcomes[i].logins) {
      out.accounts[login].push_back(SettingsFor(asked, of_asked, find(login)));
    }
  }
  return out;
}

Rights RequestRights(const std::vector<Settings>& settings, const posix::User& user) {
  Rights rights;
  for (const Settings& one : settings) rights |= RightsOfSettings(one, user);
  return rights;
}

}  // namespace postern::filetransfer
