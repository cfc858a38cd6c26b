#include "tests/live/movers/drop.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/ledger/ledger.h"
#include "schemas/kinds.pb.h"

namespace postern::live {
namespace {

namespace fs = std::filesystem;

constexpr char kState[] = "/srv/postern/state";

void WriteSecret(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace

Drop::Drop() {
  EXPECT_TRUE(place_.Start());
}

std::string Drop::Operator() const {
  return fmt::format(R"(
[host.jobs]
address = "memory:/srv/postern/jobs.world"
[runner.here]
host = "jobs"
user = "jobs"
state = "{}"
program = "{}"
[endpoint.drop]
for = "person:root"
protocol = "sftp"
address = "{}"
known_host = "{}"
login = "{}"
private_key = "secret:drop"
[secret.drop]
from = "file:/srv/postern/secrets/drop"
)",
                     kState, POSTERN, place_.endpoint().address(), place_.endpoint().known_host(),
                     place_.credential().login);
}

std::string Drop::Owners() {
  return R"(
[service_account.feed]
owner = "person:root"
purpose = "files"
)";
}

std::string Drop::Export(const std::string& name, const std::string& what) const {
  return fmt::format(R"(
[export.{0}]
owner = "person:root"
reason = "theirs"
runner = "here"
as = "service:feed"
{1}
deliver = {{ to = "drop", folder = "{2}", name = "{0}_{{seq}}" }}
)",
                     name, what, place_.folder());
}

support::RunResult Drop::Run(const std::string& name) const {
  WriteSecret("/srv/postern/secrets/drop", place_.credential().private_key);
  auto ledger = ledger::Ledger::Open("/srv/postern/operator/.postern/ledger.db",
                                     ledger::Ledger::Mode::kReadOnly);
  EXPECT_TRUE(ledger) << ledger.error().message;
  const auto rows = (*ledger)->RecordedOf("runner:here");
  EXPECT_TRUE(rows) << rows.error().message;
  const std::string job = "export." + name;
  const std::string path = std::string(kState) + "/jobs/" + job + "/spec.json";
  for (const ledger::Recorded& row : *rows) {
    if (row.kind != object::Kind::kJob || row.key != job) continue;
    fs::create_directories(fs::path(path).parent_path());
    WriteSecret(path, object::DecodeAs<kinds::Job>(row.body).spec());
  }
  EXPECT_TRUE(fs::exists(path)) << "no such job was installed";
  return support::RunCommand(
      {POSTERN, "job", "run", job, "--spec", path, "--slot", "now", "--json"},
      {.cwd = "/", .limit = std::chrono::seconds(120)});
}

std::string Drop::File(const std::string& name) const {
  std::string found;
  for (const auto& entry : fs::directory_iterator(place_.folder())) {
    const std::string file = entry.path().filename();
    if (!file.starts_with(name + "_") || entry.path().has_extension()) continue;
    EXPECT_EQ(found, "") << "several files of " << name;
    found = entry.path();
  }
  EXPECT_NE(found, "") << "no file of " << name;
  return found;
}

}  // namespace postern::live
