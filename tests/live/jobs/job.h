// A job as it is installed, run by the program itself, with its state in a folder.
//
// POSTERN is the program's path. Main thread only, as the servers of a place.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/jobs/spec.h"
#include "tests/live/delivery/places.h"
#include "tests/support/command.h"
#include "tests/support/slapd.h"

namespace postern::jobs::live {

inline std::string Uid(int n) {
  return fmt::format("u{:06}", n);
}

// Names with commas, quotes and umlauts among them; base64 in LDIF where it must be.
inline std::string PeopleLdif(int count) {
  std::string ldif;
  for (int n = 0; n < count; ++n) {
    ldif += support::Slapd::PersonLdif(Uid(n),
                                       fmt::format("employeeNumber: {:06}\ndisplayName: {} \"{}\", "
                                                   "Jos\u00e9\n",
                                                   n, n % 3 == 0 ? "Dr." : "Li", n));
  }
  return ldif;
}

// A job over a place, with its state in a folder.
class Job {
 public:
  explicit Job(LivePlace& place) : place_(place) {
    spec.set_name("export.users");
    spec.set_ledger_id("test");
    spec.set_generation(3);
    spec.set_sealed_at(1772323200);
    spec.mutable_runner()->set_name("here");
    spec.mutable_runner()->set_state(scratch_.path());
    *spec.mutable_endpoint() = place.endpoint();
    spec.mutable_endpoint()->set_login(place.credential().login);
    const bool key = !place.credential().private_key.empty();
    if (key) {
      spec.mutable_endpoint()->set_private_key("secret:drop");
      Secret("drop", scratch_.Write("drop.key", place.credential().private_key, 0600));
    } else {
      spec.mutable_endpoint()->set_password("secret:drop");
      Secret("drop", scratch_.Write("drop.pw", place.credential().password, 0600));
    }
    decl::Export& declared = Export();
    declared.set_name("users");
    declared.set_what("users");
    declared.mutable_deliver()->set_to("drop");
    declared.mutable_deliver()->set_folder(place.folder());
  }
  decl::Export& Export() { return *spec.mutable_export_(); }
  void Secret(const std::string& name, const std::string& path) {
    auto* secret = spec.add_secrets();
    secret->set_name(name);
    secret->set_from("file:" + path);
  }
  void From(const support::Slapd& slapd) {
    Export().mutable_from()->add_values("directory:corp");
    decl::Directory& directory = *spec.add_directories();
    directory.set_name("corp");
    directory.set_url(slapd.url());
    directory.mutable_bind()->set_dn(support::Slapd::kBindDn);
    directory.mutable_bind()->set_password("secret:bind");
    directory.mutable_tls()->set_start(false);
    directory.mutable_manage()->mutable_bases()->add_values(support::Slapd::kPeople);
    Secret("bind", scratch_.Write("bind.pw", support::Slapd::kPassword, 0600));
  }
  decl::ExportColumn* Column(const std::string& from, const std::string& name) {
    auto* column = Export().mutable_columns()->add_values();
    column->set_from(from);
    column->set_name(name);
    return column;
  }
  // Writes the specification as it is now.
  void Install() {
    const Sealed sealed = Seal(spec);
    digest = sealed.digest;
    scratch_.Write("jobs/export.users/spec.json", sealed.bytes, 0600);
  }
  std::string SpecPath() const { return scratch_.File("jobs/export.users/spec.json"); }
  support::RunResult Postern(std::vector<std::string> arguments, const support::Env& env = {}) {
    std::vector<std::string> command = {POSTERN, "job", arguments.front(), "export.users"};
    command.insert(command.end(), arguments.begin() + 1, arguments.end());
    for (const std::string& one : {std::string("--spec"), SpecPath()}) command.push_back(one);
    return support::RunCommand(command, {.env = env, .limit = std::chrono::seconds(600)});
  }
  support::RunResult Run(const support::Env& env = {}) {
    return Postern({"run", "--slot", "2026-03-02T02:30:00Z", "--digest", digest, "--json"}, env);
  }
  // Names at the place that a consumer would take.
  std::vector<std::string> Arrived() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(place_.folder())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  job::JobSpec spec;
  std::string digest;
  support::Scratch scratch_;

 private:
  LivePlace& place_;
};

}  // namespace postern::jobs::live
