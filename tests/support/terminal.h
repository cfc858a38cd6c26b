// tests/support/terminal.h: a program on a real pseudo-terminal, as a person has it.
//
// The program is the leader of a session of its own, and what stands at the keyboard reaches its
// whole foreground process group: Type("\x03") is Ctrl-C. Bytes are kept as the program wrote them,
// but for the terminal's own \n -> \r\n, which is off. Main thread only. The program, and all below
// it that has come to us, ends with the object.
#pragma once
#include <sys/types.h>

#include <optional>

#include "tests/support/spawn.h"

namespace postern::support {

struct TerminalOptions {
  unsigned width = 100, height = 40;
  Env env;          // the whole environment besides PATH, LC_ALL=C.UTF-8 and TERM=xterm
  std::string cwd;  // empty: ours
  // Where standard output goes instead of to the terminal; empty: to the terminal.
  std::string out_file;
};

class Terminal {
 public:
  Terminal(const std::vector<std::string>& argv, const TerminalOptions& options);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Reads until `text` stands in what was printed. False when the program ended or the time is over
  // before; what was printed is then in the failure's message.
  [[nodiscard]] bool WaitFor(std::string_view text, seconds limit = seconds(30));
  // Keys; "\x03" is Ctrl-C, "\n" the return key.
  void Type(std::string_view keys);
  // To the program alone.
  void Signal(int signal) const;
  // Reads to the end. The exit code; 128 + signal when a signal ended it; nothing, with a test
  // failure, when the time was over.
  std::optional<int> End(seconds limit = seconds(60));

  const std::string& printed() const { return printed_; }
  pid_t pid() const { return pid_; }

 private:
  void Read(milliseconds limit);

  pid_t pid_ = -1;
  int master_ = -1;
  std::string printed_;
};

// What a person sees of `printed` in the end: carriage returns, "erase line" and "cursor up"
// carried out, colours left out. A sequence that Postern never writes fails the test.
std::string OnScreen(std::string_view printed);

}  // namespace postern::support
