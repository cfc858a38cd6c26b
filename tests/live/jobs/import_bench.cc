#include "tests/live/jobs/import_bench.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/ledger/ledger.h"
#include "core/object/object.h"
#include "schemas/kinds.pb.h"
#include "tests/support/proftpd.h"

namespace postern::cmd {

namespace fs = std::filesystem;
using support::RunResult;
using support::Slapd;

namespace {

// The words of the unit's ExecStart: each stands in double quotes, with % and $ doubled
// (systemd.service(5)).
std::vector<std::string> CommandOf(const std::string& service) {
  std::vector<std::string> words;
  size_t at = service.find("ExecStart=") + 10;
  while (service[at] == '"') {
    std::string word;
    for (++at; service[at] != '"'; ++at) {
      if (service[at] == '\\' || service[at] == '%' || service[at] == '$') ++at;
      word += service[at];
    }
    words.push_back(std::move(word));
    at += service[at + 1] == ' ' ? 2 : 1;
  }
  return words;
}

}  // namespace

ImportBench::ImportBench(jobs::LivePlace& place) : place_(place) {
  for (const char* folder : {"rejects", "done"})
    fs::create_directories(place.folder() + "/" + folder);
  support::OpenTree(place.folder());
  scratch.Folder("state", 0700);
  const bool key = !place.credential().private_key.empty();
  scratch.Write("drop", key ? place.credential().private_key : place.credential().password, 0600);
}

Slapd::Options ImportBench::DirectoryOptions() {
  Slapd::Options options;
  options.ldif = fmt::format("dn: {}\nobjectClass: organizationalUnit\nou: acme\n\n", kBase) +
                 Slapd::PersonLdif("li");
  return options;
}

void ImportBench::To(const Slapd& slapd) {
  scratch.Write("sink", Slapd::kPassword, 0600);
  sink_ = fmt::format(R"([directory.corp]
url = "{}"
tls = {{ start = false }}
bind = {{ dn = "{}", password = "secret:sink" }}
manage = {{ bases = ["{}"] }}
users_ou = "{}"
)",
                      slapd.url(), Slapd::kBindDn, kBase, kBase);
  to_ = fmt::format("to = \"directory:corp\"\nbase = \"{}\"\n", kBase);
  columns = R"({ name = "ID", to = "employee_number", required = true },
  { name = "UID", to = "uid", required = true }, { name = "MAIL", to = "mail", domains = ["acme.test"] })";
  match_ = "employee_number";
}

void ImportBench::To(const support::ScimServer& server) {
  scratch.Write("sink", support::ScimServer::kToken, 0600);
  sink_ =
      fmt::format("[iam.hr]\nurl = \"{}\"\nauth = {{ token = \"secret:sink\" }}\n", server.url());
  to_ = "to = \"iam:hr\"\n";
  columns = R"({ name = "ID", to = "external_id", required = true },
  { name = "UID", to = "user_name", required = true }, { name = "MAIL", to = "mail", domains = ["acme.test"] })";
  match_ = "external_id";
}

std::string ImportBench::OperatorFile() const {
  const decl::Endpoint& at = place_.endpoint();
  const bool key = !place_.credential().private_key.empty();
  std::string text = fmt::format(R"(administrators = ["person:li"]
[host.here]
address = "memory:{0}/here.world"
{6}{1}limits = {{ lose_people = 100, lose_percent = 100, change_percent = 100 }}
[secret."*"]
from = "file:{0}/*"
[endpoint.drop]
for = "partner:acme"
protocol = "{2}"
address = "{3}"
login = "{4}"
{5} = "secret:drop"
)",
                                 scratch.path(), sink_, at.protocol(), at.address(),
                                 place_.credential().login, key ? "private_key" : "password", host);
  if (at.has_known_host()) text += fmt::format("known_host = \"{}\"\n", at.known_host());
  if (at.has_ca()) text += fmt::format("ca = \"{}\"\n", at.ca());
  return text + endpoint +
         fmt::format(
             "[runner.here]\nhost = \"here\"\nuser = \"jobs\"\nstate = \"{0}/state\"\n"
             "program = \"{1}\"\noperator_file = \"{0}/operator/postern.toml\"\n",
             scratch.path(), POSTERN) +
         operators;
}

std::string ImportBench::Tree() const {
  return fmt::format(R"([person.li]
[person.zoe]
[partner.acme]
[service_account.rosters]
owner = "person:li"
purpose = "rosters"
[import.acme]
owner = "partner:acme"
reason = "their people"
runner = "here"
as = "service:rosters"
what = "{10}"
{0}fetch = {{ from = "drop", folder = "{1}", pattern = "{2}", ready = "{3}", rejects = "{1}/rejects", done = "{1}/done"{4} }}
format = {{ {5} }}
columns = [{6}]
may = {11}
match = ["{7}"]
{8}
{9})",
                     to_, place_.folder(), pattern, ready, fetch, format, columns, match_, more,
                     tree, what, may);
}

void ImportBench::Install() {
  scratch.Write("operator/postern.toml", OperatorFile());
  WriteTree();
  const RunResult applied = Postern({"apply", "--yes"});
  ASSERT_EQ(applied.exit, 0) << applied.out << applied.err;
  auto ledger = ledger::Ledger::Open(scratch.File("operator/.postern/ledger.db"),
                                     ledger::Ledger::Mode::kReadOnly);
  ASSERT_TRUE(ledger) << ledger.error().message;
  const auto rows = (*ledger)->RecordedOf("runner:here");
  ASSERT_TRUE(rows) << rows.error().message;
  for (const ledger::Recorded& row : *rows) {
    if (row.kind != object::Kind::kJob) continue;
    const auto job = object::DecodeAs<kinds::Job>(row.body);
    scratch.Write("state/jobs/import.acme/spec.json", job.spec(), 0600);
    command_ = CommandOf(job.service());
    return;
  }
  FAIL() << "no job was installed";
}

RunResult ImportBench::Postern(std::vector<std::string> words) const {
  words.insert(words.begin(), POSTERN);
  words.insert(words.end(), {"--operator", scratch.File("operator/postern.toml")});
  return support::RunCommand(words, {.limit = std::chrono::seconds(300)});
}

RunResult ImportBench::Run(const std::vector<std::string>& before) const {
  std::vector<std::string> words = before;
  words.insert(words.end(), command_.begin(), command_.end());
  return support::RunCommand(words, {.cwd = "/", .limit = std::chrono::seconds(600)});
}

RunResult ImportBench::RunMeasured(long* kib) const {
  const std::string note = scratch.File("kib");
  const RunResult result = Run({"python3", "-c",
                                "import resource, subprocess, sys\n"
                                "code = subprocess.run(sys.argv[2:]).returncode\n"
                                "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
                                "open(sys.argv[1], 'w').write(str(usage.ru_maxrss))\n"
                                "sys.exit(code)",
                                note});
  *kib = std::stol(support::ReadFile(note));
  return result;
}

void ImportBench::Deliver(const std::string& name, const std::string& text) const {
  const auto put = [&](const std::string& file, const std::string& bytes) {
    std::ofstream(place_.folder() + "/" + file, std::ios::binary | std::ios::trunc) << bytes;
  };
  put(name, text);
  if (ready == "trigger" && !IsAt(name + ".done")) put(name + ".done", "");
  support::OpenTree(place_.folder());
}

std::string ImportBench::People(int first, int end, const std::string& rows) {
  std::string text = "ID,UID,MAIL\r\n";
  for (int i = first; i < end; ++i) text += fmt::format("A{0},u{0},u{0}@acme.test\r\n", i);
  return text + rows;
}

bool ImportBench::IsAt(const std::string& path) const {
  return fs::exists(place_.folder() + "/" + path);
}

std::string ImportBench::At(const std::string& path) const {
  return IsAt(path) ? support::ReadFile(place_.folder() + "/" + path) : "";
}

std::string ImportBench::Pending() const {
  const RunResult plan = Postern({"plan", "--detailed-exitcode"});
  return plan.exit == 0 ? "" : plan.out + plan.err;
}

std::string ImportBench::HeldRun(const std::string& file) const {
  constexpr std::string_view kRun = "\"run\": \"";
  constexpr size_t kDigits = 16;
  for (const auto& entry : fs::directory_iterator(JobFolder() + "/in")) {
    const std::string state = support::ReadFile(entry.path().string() + "/state.json");
    const bool held = state.find("\"state\": \"held\"") != std::string::npos;
    if (!held || state.find("\"" + file + "\"") == std::string::npos) continue;
    return state.substr(state.find(kRun) + kRun.size(), kDigits);
  }
  return "";
}

std::string MakeKey(const std::string& path) {
  const RunResult made =
      support::RunCommand({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path});
  EXPECT_EQ(made.exit, 0) << made.err;
  std::string key = support::ReadFile(path + ".pub");
  key.pop_back();
  return key;
}

}  // namespace postern::cmd
