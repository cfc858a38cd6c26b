// tests/fault/apply/campaign.h: one apply that is killed, and everything that must hold afterwards.
//
// A Campaign seeds a fake world (world/base, applied), carries the change (world/change) out once
// undisturbed, and then again and again with a kill at a named place. Every process is real. One
// thread; the scratch folder goes with the object.
#pragma once
#include <chrono>
#include <string>

#include "tests/fault/apply/evaluator.h"
#include "tests/support/process.h"
#include "tests/support/terminal.h"

namespace postern::fault {

enum class Scenario {
  kFirst,   // nothing is there, not even a ledger: the first apply of world/base
  kChange,  // world/change over world/base
  kSaved,   // the same from a plan file, taken up again with the same file
};

struct Place {
  std::string name;       // of the KillPoint
  bool provider = false;  // the provider dies, not the program
};

class Campaign {
 public:
  explicit Campaign(Scenario scenario);
  // Kills the apply at the `pass`th time through `place` and checks what the README lists. False:
  // the apply ended without coming there that often. `recovery`: the next apply dies there.
  bool Kill(const Place& place, int pass, const Place* recovery = nullptr);

  struct Stopped {
    std::string printed;                // on the terminal; line ends are blanks
    std::chrono::milliseconds took{0};  // from the last key to the end
  };
  // An apply on a terminal, of a target that takes `slow_ms` an operation: Ctrl-C as soon as `seen`
  // is printed and calls are under way, and for each further of `presses` once it says that it is
  // stopping. Checks what the README lists. `signal`: sent to the program alone instead.
  Stopped Interrupt(const std::string& seen, int presses, int slow_ms, int signal = 0);

 private:
  struct Dump {
    std::string edge, corp, hr;
    std::string All() const { return edge + corp + hr; }
  };
  std::string Try();
  std::string Stage(const std::string& name);
  void OpenSessions() const;
  support::RunResult Postern(const std::string& folder, std::vector<std::string> words,
                             const support::Env& env = {}) const;
  support::RunResult Apply(const std::string& folder, const support::Env& env = {}) const;
  Dump DumpOf(const std::string& folder) const;
  void CheckMoment(const std::string& folder) const;
  void CheckOpen(const std::string& folder) const;
  void CheckEnd(const std::string& folder) const;

  const Scenario scenario_;
  support::Scratch scratch_;
  std::string start_;        // the folder that every try is a copy of
  Access before_, after_;    // of the undisturbed run
  std::string undisturbed_;  // canonical dump of its end
  int tries_ = 0;
};

}  // namespace postern::fault
