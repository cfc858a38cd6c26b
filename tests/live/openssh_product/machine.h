// tests/live/openssh_product/machine.h: a machine of its own for tests that need system accounts.
//
// Enter() puts this process into a private mount namespace: an overlay on /etc, an empty tmpfs on
// /srv (root-owned up to /, as chroots need). Everything goes with the process. Needs root; fails
// the test otherwise. Link machine_main.cc, too: it gives the binary processes of its own, as
// accounts of two tests have one name and one number. The machine's own account files are read
// before and after, through a folder handle from outside.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace postern::live {

class Machine {
 public:
  // The one of this process, entered at first use.
  static Machine& Get();

  bool entered() const { return entered_; }
  // Puts these lines after the machine's own in the private copies.
  void WriteAccounts(const std::string& passwd, const std::string& group,
                     const std::string& shadow) const;
  // Fails the test when the machine's own account files or sshd configuration have changed.
  void ExpectOutsideUnchanged() const;

 private:
  Machine();
  std::string OutsideState() const;

  bool entered_ = false;
  int outside_ = -1;  // /etc as it is for all others
  std::string before_;
  std::map<std::string, std::string> own_;  // name -> text
};

// POSTERN_CAMPAIGN_FULL: the long form of a campaign.
bool FullCampaign();
// POSTERN_SEED, or 1.
uint32_t FirstSeed();

}  // namespace postern::live
