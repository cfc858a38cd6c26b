// tests/fault/live/campaign.h: applies that are killed against one real server, and what must hold
// after the next one.
//
// A server is carried back and forth between two declared states. The first journeys are
// undisturbed and leave a reference of each state; then each apply is killed at one pass through
// one place, finished by the next apply, and compared. Main thread only; every process is real.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.h"

namespace postern::fault {

struct Place {
  std::string name;       // of the KillPoint
  bool provider = false;  // the provider dies, not the program
};

// A real server with two states that can be declared: 'A' and 'B'.
class World {
 public:
  virtual ~World() = default;
  // The operator's file and the reviewed tree of a state.
  virtual std::string OperatorFile() = 0;
  virtual std::string Declarations(char state) = 0;
  // Everything that the server holds, as text that is equal for equal content. A duplicate, an
  // orphan or a file left behind shows.
  virtual std::string Dump() = 0;
  // Real clients: the daemon lets in whom the state lets in, and nobody else.
  virtual void TryClients(char state) = 0;
  virtual std::string Logs() = 0;
};

class Campaign {
 public:
  // `folder`: a scratch folder of our own.
  Campaign(World* world, std::string folder);
  // Undisturbed applies to these states in turn; the last of each is its reference. "ABAB" where a
  // state holds what the other leaves behind, such as users that are locked for their time of
  // retention. False: a test failure said why.
  [[nodiscard]] bool Prepare(std::string_view journey);
  // Goes to the other state, killed at the `pass`th time through `place`, and checks what the
  // README lists. False: the apply ended without coming there that often (it is complete then).
  bool Kill(const Place& place, int pass);
  // An undisturbed apply to the other state, compared likewise.
  void GoOn();
  // POSTERN_FAULT_FULL: both directions of every place at every pass. Else `few` of them, drawn by
  // POSTERN_FAULT_SEED, and `always` before. Answers the kills tried.
  int Run(const std::vector<Place>& places, const std::vector<std::pair<Place, int>>& always,
          int few);

 private:
  support::RunResult Postern(std::vector<std::string> words, const support::Env& env = {}) const;
  void Declare(char state);
  void Finish(char state, const std::string& when);

  World* world_;
  const std::string folder_;
  char state_ = ' ';
  std::map<char, std::string> references_;
};

bool FullCampaign();

}  // namespace postern::fault
