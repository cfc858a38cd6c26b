// tests/golden/plans/runner.h: real commands, one after another, in a scratch folder with a fake
// world.
//
// clang-format off
// A case is a folder below tests/golden/plans/cases:
//   steps.txt      what is done, one step a line (below)
//   expected.txt   what each command printed and its exit code; clock, durations, names of plans and
//                  digests made alike (normalise.h)
//   NAME/...       files that the step `use NAME` lays over the scratch folder
// The scratch folder begins as tests/golden/plans/shared: operator/, access/, two fake targets whose
// worlds are edge.world and corp.world.
//
// Steps; "#" starts a comment line, which is printed; words are split at blanks, '...' keeps them:
//   postern ARGUMENT...        the command; its output, then its exit code
//   base                       an apply that must succeed and of which nothing is printed
//   json ARGUMENT...           as postern, and stdout must be one JSON value; prints its members' paths;
//                              a plan and an apply's events must fit schemas/json
//   edit WORLD ARGUMENT...     a hand-made change (providers/memory/edit.h)
//   faults WORLD [FAULT...]    switches faults of that world (providers/memory/faults.h); none: all off
//   use NAME                   lays a folder of the case over the scratch folder
//   replace FILE OLD NEW       the first OLD in FILE, which must be there
//   block FILE HEADER          takes the block from the line HEADER to the next blank line out of FILE
//   append FILE LINE...        adds lines
//   remove FILE
//   damage FILE                flips a bit in its middle
//   hold | let-go              takes the ledger as another apply would, and leaves it
// clang-format on
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/ledger/ledger.h"
#include "tests/support/process.h"

namespace postern::golden {

class Runner {
 public:
  explicit Runner(const std::filesystem::path& source);
  // Carries steps.txt out and answers what expected.txt should hold. Fails the test on a bad step.
  std::string Go();

 private:
  void Step(const std::string& line);
  void Base();
  void Command(const std::vector<std::string>& words, bool json);
  void Validate(const std::vector<std::string>& words, const support::RunResult& result);
  bool Files(const std::vector<std::string>& words);
  void Faults(const std::vector<std::string>& words);
  void Edit(const std::vector<std::string>& words);
  void Hold();
  void Append(const std::string& text, const char* prefix);
  support::RunResult Run(std::vector<std::string> argv);
  std::filesystem::path At(const std::string& name) const;

  const std::filesystem::path source_;
  support::Scratch scratch_;
  std::string out_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<ledger::Lock> lock_;
};

// Words of a step; '...' keeps blanks, \n inside it is a line's end.
std::vector<std::string> Words(const std::string& line);

}  // namespace postern::golden
