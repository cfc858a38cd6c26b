// tests/live/jobs/import_bench.h: an import as a runner wakes it: the program itself, a sealed
// specification, a sender's place that is a real server. Main thread only.
#pragma once
#include <string>
#include <vector>

#include "tests/live/delivery/places.h"
#include "tests/support/command.h"
#include "tests/support/scim.h"
#include "tests/support/scratch.h"
#include "tests/support/slapd.h"

namespace postern::cmd {

class ImportBench {
 public:
  static constexpr char kBase[] = "ou=acme,dc=example,dc=org";

  explicit ImportBench(jobs::LivePlace& place);

  // Where people live: one of both, before Install.
  void To(const support::Slapd& slapd);
  void To(const support::ScimServer& server);
  // What slapd needs for `To`.
  static support::Slapd::Options DirectoryOptions();

  // Lines of [import.acme] after ours; `fetch` more members of it.
  std::string more, fetch, format = "type = \"csv\"";
  std::string pattern = "roster_*.csv", ready = "trigger";
  std::string what = "roster", may = "[\"create\", \"update\", \"disable\"]";
  // Lines of the operator's file: of [endpoint.drop] after ours; after all, such as [releaser.zoe].
  std::string endpoint, operators;
  std::string host;  // lines of [host.here], which is a fake world
  std::string tree;
  std::string columns;  // as `To` sets them

  // Writes the reviewed tree as it is now.
  void WriteTree() const { scratch.Write("access/all.toml", Tree()); }
  // Writes all declarations as they are now, applies them and keeps what was sealed.
  void Install();
  // What the installed unit starts, from where it does; `before`: words before its own.
  support::RunResult Run(const std::vector<std::string>& before = {}) const;
  // The same; `kib` gets the largest memory that it or a process of it had at once.
  support::RunResult RunMeasured(long* kib) const;
  support::RunResult Postern(std::vector<std::string> words) const;

  // As the sender: a file, and its trigger where there is one.
  void Deliver(const std::string& name, const std::string& text) const;
  // ID, UID and MAIL of people from `first` to before `end`, and `rows` after them.
  static std::string People(int first, int end, const std::string& rows = "");
  // A file at the place, such as "done/roster_1.csv"; "" where there is none.
  std::string At(const std::string& path) const;
  bool IsAt(const std::string& path) const;
  // "" where a plan has nothing to do and sees nobody as foreign.
  std::string Pending() const;
  // The held run of a file, 16 digits; "" where it isn't held.
  std::string HeldRun(const std::string& file) const;
  std::string JobFolder() const { return scratch.File("state/jobs/import.acme"); }

  support::Scratch scratch;

 private:
  std::string OperatorFile() const;
  std::string Tree() const;

  jobs::LivePlace& place_;
  std::string sink_, to_, match_;
  std::vector<std::string> command_;
};

// A key pair of ssh-keygen at `path`; the public key's text.
std::string MakeKey(const std::string& path);

}  // namespace postern::cmd
