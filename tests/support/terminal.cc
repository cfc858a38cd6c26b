#include "tests/support/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace postern::support {

Terminal::Terminal(const std::vector<std::string>& argv, const TerminalOptions& options) {
  const std::string program = FindProgram(argv.at(0));
  Env all = options.env;
  all.try_emplace("TERM", "xterm");
  Words words(argv), env(CleanEnv(all));
  winsize size{};
  size.ws_col = static_cast<unsigned short>(options.width);
  size.ws_row = static_cast<unsigned short>(options.height);
  int out = -1;
  if (!options.out_file.empty()) {
    out = open(options.out_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_GE(out, 0) << options.out_file << ": " << Reason();
  }
  int slave = -1;
  if (openpty(&master_, &slave, nullptr, nullptr, &size) != 0) {
    ADD_FAILURE() << "no pseudo-terminal: " << Reason();
    return;
  }
  fcntl(master_, F_SETFD, FD_CLOEXEC);
  termios modes{};
  tcgetattr(slave, &modes);
  modes.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(slave, TCSANOW, &modes);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    login_tty(slave);  // a session of its own with this terminal, as 0, 1 and 2
    if (out >= 0) dup2(out, STDOUT_FILENO);
    Exec(program.c_str(), words, env, options.cwd.c_str(), parent);
  }
  EXPECT_GT(pid_, 0) << "fork: " << Reason();
  close(slave);
  if (out >= 0) close(out);
}

Terminal::~Terminal() {
  if (pid_ > 0) {
    const std::vector<pid_t> below = DescendantsOf(pid_);
    int status = 0;
    EndChild(pid_, milliseconds(0), &status);
    EndOrphans(below);
  }
  if (master_ >= 0) close(master_);
}

void Terminal::Read(milliseconds limit) {
  if (master_ < 0) return;
  pollfd wait = {master_, POLLIN, 0};
  if (poll(&wait, 1, static_cast<int>(limit.count())) <= 0) return;
  std::array<char, 65536> buffer;
  const ssize_t got = read(master_, buffer.data(), buffer.size());
  if (got > 0) {
    printed_.append(buffer.data(), static_cast<size_t>(got));
  } else if (got == 0 || errno == EIO) {  // EIO: nobody has the other end any more
    Pipe::Close(&master_);
  }
}

bool Terminal::WaitFor(std::string_view text, seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (printed_.find(text) == std::string::npos) {
    if (master_ < 0 || std::chrono::steady_clock::now() >= end) {
      ADD_FAILURE() << "\"" << text << "\" was never printed, but:\n" << printed_;
      return false;
    }
    Read(milliseconds(20));
  }
  return true;
}

void Terminal::Type(std::string_view keys) {
  const ssize_t put = write(master_, keys.data(), keys.size());
  EXPECT_EQ(put, static_cast<ssize_t>(keys.size())) << Reason();
}

void Terminal::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

std::optional<int> Terminal::End(seconds limit) {
  int status = 0;
  const bool ended = Eventually(limit, [&] {
    Read(milliseconds(0));
    return waitpid(pid_, &status, WNOHANG) == pid_;
  });
  if (!ended) {
    ADD_FAILURE() << "it goes on and on; printed so far:\n" << printed_;
    return std::nullopt;
  }
  pid_ = -1;
  // What it wrote last may still be on its way; a child that keeps the terminal must not hold us.
  for (size_t before = SIZE_MAX; master_ >= 0 && before != printed_.size();) {
    before = printed_.size();
    Read(milliseconds(50));
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

namespace {

// The lines of a terminal that never scrolls.
class Screen {
 public:
  void Put(char c) {
    if (c == '\n') {
      if (++row_ == lines_.size()) lines_.emplace_back();
      column_ = 0;
    } else if (c == '\r') {
      column_ = 0;
    } else {
      std::string& line = lines_[row_];
      if (line.size() <= column_) line.resize(column_ + 1, ' ');
      line[column_++] = c;
    }
  }

  // "\x1b[" parameters `final`.
  void Sequence(std::string_view parameters, char final) {
    const size_t count =
        parameters.empty() ? 1 : std::strtoul(std::string(parameters).c_str(), nullptr, 10);
    if (final == 'm') return;
    if (final == 'K' && parameters == "2") {
      lines_[row_].clear();
    } else if (final == 'F' && count <= row_) {
      row_ -= count;
      column_ = 0;
    } else {
      ADD_FAILURE() << "unexpected sequence ESC[" << parameters << final;
    }
  }

  std::string Text() const {
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }

 private:
  std::vector<std::string> lines_ = {""};
  size_t row_ = 0, column_ = 0;
};

}  // namespace

std::string OnScreen(std::string_view printed) {
  Screen screen;
  for (size_t i = 0; i < printed.size(); ++i) {
    if (printed[i] != '\x1b') {
      screen.Put(printed[i]);
      continue;
    }
    const size_t end = printed.find_first_not_of("0123456789;", i + 2);
    if (end == std::string_view::npos || printed[i + 1] != '[') {
      ADD_FAILURE() << "a broken sequence";
      return screen.Text();
    }
    screen.Sequence(printed.substr(i + 2, end - i - 2), printed[end]);
    i = end;
  }
  return screen.Text();
}

}  // namespace postern::support
