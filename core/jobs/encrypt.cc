#include "core/jobs/encrypt.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <sstream>
#include <system_error>

#include "core/jobs/child.h"
#include "core/ledger/sqlite.h"

namespace postern::jobs {
namespace {

constexpr base::Instant kWarnAhead = 30 * 86'400;
constexpr uint64_t kAgeHeader = 64 << 10;  // of many recipients

tl::unexpected<Error> SystemError(const std::string& doing) {
  const int code = errno;
  return Fail(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kDenied,
              fmt::format("{}: {}", doing, std::generic_category().message(code)));
}

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// Runs `write` with a new file (0600) beside `to` and gives it that name when all went well.
Result<void> WriteWhole(const std::string& to, const std::function<Result<void>(int fd)>& write) {
  const std::string fresh = to + ".new";
  ::unlink(fresh.c_str());
  const Descriptor file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.fd < 0) return SystemError("create " + fresh);
  auto done = write(file.fd);
  if (done && ::fsync(file.fd) != 0) done = SystemError("sync " + fresh);
  if (done && ::rename(fresh.c_str(), to.c_str()) != 0) done = SystemError("rename " + fresh);
  if (!done) ::unlink(fresh.c_str());
  return done;
}

std::vector<std::string> GpgWords(const std::string& home, const std::vector<std::string>& more) {
  // Keys are those of the home, trusted because the operator names them by fingerprint.
  std::vector<std::string> words = {"--homedir",
                                    home,
                                    "--batch",
                                    "--no-tty",
                                    "--trust-model",
                                    "always",
                                    "--no-options",
                                    "--no-auto-key-locate",
                                    "--no-auto-key-retrieve",
                                    "--status-fd",
                                    "3"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string Upper(std::string text) {
  std::erase(text, ' ');
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

// 40 (version 4) or 64 (version 5) hexadecimal digits: a shorter id can be made to fit.
Result<std::string> FullFingerprint(const std::string& text) {
  std::string upper = Upper(text);
  const bool hex = upper.find_first_not_of("0123456789ABCDEF") == std::string::npos;
  if (hex && (upper.size() == 40 || upper.size() == 64)) return upper;
  return Fail(ErrorCode::kInvalid,
              fmt::format("{} isn't a full fingerprint of an OpenPGP key", text));
}

std::vector<std::string> Split(const std::string& line, char mark) {
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == mark) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// The last line that a program wrote about why it failed.
std::string Reason(const ChildResult& result) {
  std::istringstream lines(result.messages);
  std::string line, last;
  while (std::getline(lines, line)) {
    if (!line.empty()) last = line;
  }
  return last.empty() ? fmt::format("exit {}", result.exit) : last;
}

// A key as `gpg --with-colons` tells it (doc/DETAILS of GnuPG): validity, end, what it is good for.
struct Key {
  std::string fingerprint, validity, abilities;
  base::Instant ends = 0;  // 0: never
};

std::vector<Key> ReadKeys(const std::string& text) {
  std::vector<Key> keys;
  bool primary = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = Split(line, ':');
    if (fields.size() < 12 && fields[0] != "fpr") continue;
    if (fields[0] == "pub" || fields[0] == "sec") {
      keys.push_back({"", fields[1], fields[11], std::atoll(fields[6].c_str())});
      primary = true;
    } else if (fields[0] == "sub" || fields[0] == "ssb") {
      primary = false;
    } else if (fields[0] == "fpr" && primary && fields.size() > 9 && !keys.empty()) {
      keys.back().fingerprint = fields[9];
    }
  }
  return keys;
}

// `ability`: 'E' (encrypt) or 'S' (sign), of the key as a whole.
Result<void> CheckKey(const std::string& home, const std::string& named, char ability,
                      base::Instant now, Encrypted* about) {
  auto fingerprint = FullFingerprint(named);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  const char* list = ability == 'S' ? "--list-secret-keys" : "--list-keys";
  auto listed = RunChild("gpg", GpgWords(home, {"--with-colons", "--fixed-list-mode",
                                                "--fingerprint", list, *fingerprint}));
  if (!listed) return tl::unexpected(listed.error());
  const std::vector<Key> keys = ReadKeys(listed->text);
  const auto key = std::find_if(keys.begin(), keys.end(),
                                [&](const Key& k) { return k.fingerprint == *fingerprint; });
  if (key == keys.end()) {
    return Fail(ErrorCode::kNotFound, fmt::format("the OpenPGP key {} isn't in {}", named, home));
  }
  if (key->ends != 0 && key->ends <= now) {
    return Fail(ErrorCode::kDenied, fmt::format("the OpenPGP key {} expired on {}", named,
                                                base::FormatHuman(key->ends)));
  }
  // r revoked, e expired by gpg's clock, d disabled, i invalid.
  if (key->validity.find_first_of("redi") != std::string::npos ||
      key->abilities.find('D') != std::string::npos ||
      key->abilities.find(ability) == std::string::npos) {
    return Fail(ErrorCode::kDenied,
                fmt::format("the OpenPGP key {} is revoked, disabled or can't {}", named,
                            ability == 'E' ? "be encrypted to" : "sign"));
  }
  if (key->ends != 0 && key->ends <= now + kWarnAhead) {
    about->warnings.push_back(
        fmt::format("the OpenPGP key {} expires on {}", named, base::FormatHuman(key->ends)));
  }
  return {};
}

Result<void> CheckAge(const decl::Encrypt& encrypt) {
  for (const std::string& recipient : encrypt.age().values()) {
    if (recipient.starts_with("age1") || recipient.starts_with("ssh-")) continue;
    return Fail(ErrorCode::kInvalid, fmt::format("{} isn't a recipient of age", recipient));
  }
  auto version = RunChild("age", {"--version"});
  if (!version) return tl::unexpected(version.error());
  return {};
}

Result<void> Judge(const Result<ChildResult>& result, std::string_view program) {
  if (!result) return tl::unexpected(result.error());
  if (result->exit == 0) return {};
  return Fail(ErrorCode::kIncomplete, fmt::format("{}: {}", program, Reason(*result)));
}

// What gpg's status lines (doc/DETAILS) say of signatures and of what was inside.
struct Status {
  int good = 0, bad = 0, valid = 0, plaintexts = 0;
  std::string signer;  // primary key
};

Status ReadStatus(const std::string& text) {
  Status status;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = Split(line, ' ');
    if (words.size() < 2 || words[0] != "[GNUPG:]") continue;
    const std::string& word = words[1];
    if (word == "GOODSIG") ++status.good;
    if (word == "BADSIG" || word == "ERRSIG" || word == "EXPSIG" || word == "EXPKEYSIG" ||
        word == "REVKEYSIG") {
      ++status.bad;
    }
    if (word == "PLAINTEXT") ++status.plaintexts;
    if (word == "VALIDSIG") {
      ++status.valid;
      status.signer = words.back();
    }
  }
  return status;
}

Result<void> CheckSignature(const Status& status, const std::string& signed_by,
                            const std::string& what) {
  auto wanted = FullFingerprint(signed_by);
  if (!wanted) return tl::unexpected(wanted.error());
  if (status.bad == 0 && status.good == 1 && status.valid == 1 && status.signer == *wanted)
    return {};
  const std::string found = status.good == 0 && status.bad == 0 ? "isn't signed"
                            : status.bad > 0 || status.valid != 1
                                ? "has a signature that doesn't hold"
                                : "is signed by " + status.signer;
  return Fail(ErrorCode::kAuthentication,
              fmt::format("{} {}; signed_by is {}", what, found, signed_by));
}

}  // namespace

Result<Encrypted> CheckKeys(const decl::Encrypt& encrypt, base::Instant now) {
  Encrypted about;
  if (encrypt.openpgp().values_size() > 0 && encrypt.age().values_size() > 0) {
    return Fail(ErrorCode::kInvalid, "a file is encrypted by OpenPGP or by age, not by both");
  }
  for (const std::string& key : encrypt.openpgp().values()) {
    POSTERN_LEDGER_TRY(CheckKey(encrypt.home(), key, 'E', now, &about));
  }
  if (!encrypt.sign().empty()) {
    POSTERN_LEDGER_TRY(CheckKey(encrypt.home(), encrypt.sign(), 'S', now, &about));
  }
  if (encrypt.age().values_size() > 0) POSTERN_LEDGER_TRY(CheckAge(encrypt));
  return about;
}

Result<Encrypted> EncryptFile(const decl::Encrypt& encrypt, const std::string& from,
                              const std::string& to, base::Instant now) {
  auto about = CheckKeys(encrypt, now);
  if (!about) return about;
  const bool by_age = encrypt.age().values_size() > 0;
  if (!by_age && encrypt.openpgp().values_size() == 0) {
    return Fail(ErrorCode::kInvalid, "nobody is named who could read the file");
  }
  const Descriptor input(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (input.fd < 0) return SystemError("open " + from);
  std::vector<std::string> words;
  if (by_age) {
    words.emplace_back("--encrypt");
    for (const std::string& recipient : encrypt.age().values()) {
      words.insert(words.end(), {"--recipient", recipient});
    }
  } else {
    words = GpgWords(encrypt.home(), {"--output", "-"});
    if (!encrypt.sign().empty()) {
      words.insert(words.end(), {"--sign", "--local-user", Upper(encrypt.sign())});
    }
    for (const std::string& key : encrypt.openpgp().values()) {
      words.insert(words.end(), {"--recipient", Upper(key)});
    }
    words.emplace_back("--encrypt");
  }
  const char* program = by_age ? "age" : "gpg";
  auto written = WriteWhole(
      to, [&](int fd) { return Judge(RunChild(program, words, input.fd, fd), program); });
  if (!written) return tl::unexpected(written.error());
  return about;
}

std::string_view EndingOf(const decl::Encrypt& encrypt) {
  if (encrypt.age().values_size() > 0) return ".age";
  return encrypt.openpgp().values_size() > 0 ? ".gpg" : "";
}

Result<void> OpenFile(const std::string& gpg_home, const std::string& signed_by,
                      const std::string& from, const std::string& to, uint64_t limit) {
  const Descriptor input(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (input.fd < 0) return SystemError("open " + from);
  return WriteWhole(to, [&](int fd) -> Result<void> {
    // Messages may be compressed: gpg stops where they grow beyond the limit.
    std::vector<std::string> words = {"--output", "-"};
    if (limit != UINT64_MAX) words.insert(words.end(), {"--max-output", std::to_string(limit)});
    words.emplace_back("--decrypt");
    auto opened = RunChild("gpg", GpgWords(gpg_home, words), input.fd, fd);
    if (!opened) return tl::unexpected(opened.error());
    const Status status = ReadStatus(opened->status);
    // First who it is from: what gpg says of a foreign file's inside comes after that.
    if (!signed_by.empty()) {
      auto judged = CheckSignature(status, signed_by, from);
      if (!judged && (opened->exit == 0 || status.good + status.bad > 0)) return judged;
    }
    POSTERN_LEDGER_TRY(Judge(opened, from));
    if (status.plaintexts == 1) return {};
    return Fail(ErrorCode::kIncomplete,
                fmt::format("{} holds {} files, not one", from, status.plaintexts));
  });
}

Result<void> OpenAge(const std::string& identity, const std::string& from, const std::string& to,
                     uint64_t limit) {
  const Descriptor input(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (input.fd < 0) return SystemError("open " + from);
  struct stat sealed {};
  if (::fstat(input.fd, &sealed) != 0) return SystemError("look at " + from);
  // age doesn't compress: what is in a file is smaller than the file.
  if (limit != UINT64_MAX &&
      static_cast<uint64_t>(sealed.st_size) > limit + (limit >> 10) + kAgeHeader) {
    return Fail(ErrorCode::kIncomplete, fmt::format("{} holds more than {} bytes", from, limit));
  }
  if (::access(identity.c_str(), R_OK) != 0) return SystemError("the identity " + identity);
  return WriteWhole(to, [&](int fd) {
    return Judge(RunChild("age", {"--decrypt", "--identity", identity}, input.fd, fd), "age");
  });
}

Result<void> VerifyDetached(const std::string& gpg_home, const std::string& signed_by,
                            const std::string& signature, const std::string& file) {
  auto checked = RunChild("gpg", GpgWords(gpg_home, {"--verify", "--", signature, file}));
  if (!checked) return tl::unexpected(checked.error());
  POSTERN_LEDGER_TRY(CheckSignature(ReadStatus(checked->status), signed_by, file));
  return Judge(checked, file);
}

Result<void> RemovePlain(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return SystemError("remove " + path);
}

}  // namespace postern::jobs
