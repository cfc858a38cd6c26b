#include "tests/fault/apply/campaign.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/ledger/ledger.h"

namespace postern::fault {
namespace {

namespace fs = std::filesystem;
using support::RunResult;

const fs::path kWorld = fs::path(POSTERN_SOURCE_DIR) / "tests/fault/apply/world";

void Lay(const fs::path& from, const fs::path& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

std::string Said(const RunResult& result) {
  return "exit " + std::to_string(result.exit) + "\n" + result.out + result.err;
}

// What the ledger itself says, read as a stranger to the commands would.
std::unique_ptr<ledger::Ledger> OpenLedger(const std::string& folder) {
  auto opened = ledger::Ledger::Open(folder + "/operator/.postern/ledger.db",
                                     ledger::Ledger::Mode::kReadOnly);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? *std::move(opened) : nullptr;
}

// Whom the IAM system knows before anything is applied, with what a role needs of them.
void Employ(const std::string& folder, const std::string& name, const std::string& number,
            const std::string& key) {
  const RunResult known = support::RunCommand(
      {MEMORY, "edit", folder + "/hr.world", "set", "iam_user", name, "active=true",
       "user_type=Crew", "employee_number=" + number, "ssh_keys=ssh-ed25519 " + key});
  EXPECT_EQ(known.exit, 0) << Said(known);
}

}  // namespace

Campaign::Campaign(Scenario scenario) : scenario_(scenario) {
  start_ = Stage("start");
  if (scenario != Scenario::kFirst) {
    const RunResult base = Postern(start_, {"apply", "--yes"});
    EXPECT_EQ(base.exit, 0) << Said(base);
    Lay(kWorld / "change", start_);
    OpenSessions();
  }
  if (scenario == Scenario::kSaved) {
    const RunResult saved = Postern(start_, {"plan", "--out", "plan.postern"});
    EXPECT_EQ(saved.exit, 0) << Said(saved);
  }
  before_ = AccessIn(DumpOf(start_).All());
  const std::string quiet = scratch_.File("quiet");
  Lay(start_, quiet);
  const RunResult whole = Apply(quiet);
  EXPECT_EQ(whole.exit, 0) << Said(whole);
  const Dump end = DumpOf(quiet);
  after_ = AccessIn(end.All());
  undisturbed_ = Canonical(end.edge) + Canonical(end.corp) + Canonical(end.hr);
  EXPECT_NE(before_, after_) << "a change that changes nothing proves nothing";
  if (scenario == Scenario::kFirst) return;
  EXPECT_EQ(undisturbed_.find("session edge-ftp jo "), std::string::npos) << undisturbed_;
  EXPECT_NE(undisturbed_.find("session edge-ftp li "), std::string::npos) << undisturbed_;
}

// Of somebody who is locked, of three who lose something, and of one who loses nothing.
void Campaign::OpenSessions() const {
  for (const char* login : {"jo", "acme-in", "sam", "c-17", "li"}) {
    const RunResult opened =
        support::RunCommand({MEMORY, "edit", start_ + "/edge.world", "set", "session", "edge-ftp",
                             login, "1", "protocol=ftp"});
    EXPECT_EQ(opened.exit, 0) << Said(opened);
  }
}

std::string Campaign::Stage(const std::string& name) {
  std::string folder = scratch_.Folder(name);
  Lay(kWorld / "base", folder);
  Employ(folder, "ann@Staff", "17",
         "AAAAC3NzaC1lZDI1NTE5AAAAIE4x9QE6+iKE6Jyn9V+bD8HX42ZaCzMaHPfhyu3nmTBU");
  Employ(folder, "bob@Staff", "18",
         "AAAAC3NzaC1lZDI1NTE5AAAAIBy3otpbFTntrN+OZL/Dkr8kDrnedX7KaB+ravpl/iKE");
  return folder;
}

RunResult Campaign::Postern(const std::string& folder, std::vector<std::string> words,
                            const support::Env& env) const {
  support::RunOptions options;
  options.clean_env = true;
  options.env = env;
  options.env["HOME"] = folder;
  options.cwd = folder;
  words.insert(words.begin(), POSTERN);
  RunResult result = support::RunCommand(words, options);
  EXPECT_FALSE(result.timed_out) << words[1];
  return result;
}

RunResult Campaign::Apply(const std::string& folder, const support::Env& env) const {
  std::vector<std::string> words = {"apply", "--yes"};
  if (scenario_ == Scenario::kSaved) words.emplace_back("plan.postern");
  return Postern(folder, words, env);
}

Campaign::Dump Campaign::DumpOf(const std::string& folder) const {
  const auto dump = [&](const std::string& world) {
    const std::string file = folder + "/" + world + ".world";
    if (!fs::exists(file)) return std::string();
    const RunResult result = support::RunCommand({MEMORY, "dump", file});
    EXPECT_EQ(result.exit, 0) << Said(result);
    return result.out;
  };
  return {dump("edge"), dump("corp"), dump("hr")};
}

std::string Campaign::Try() {
  std::string folder = scratch_.File("try" + std::to_string(++tries_));
  Lay(start_, folder);
  return folder;
}

bool Campaign::Kill(const Place& place, int pass, const Place* recovery) {
  const std::string where = place.name + ":" + std::to_string(pass);
  const testing::ScopedTrace trace(__FILE__, __LINE__, where);
  const std::string folder = Try();
  const char* variable = place.provider ? "POSTERN_PROVIDER_KILL_POINT" : "POSTERN_KILL_POINT";
  const std::string faults = folder + "/edge.world.faults";
  // Only a target that takes its time answers before all is done.
  if (place.name == "provider.apply.answered") std::ofstream(faults) << "slow 10\n";
  const RunResult killed = Apply(folder, {{variable, where}});
  fs::remove(faults);
  const bool died = place.provider ? Said(killed).find("died (signal 9)") != std::string::npos
                                   : killed.signal == SIGKILL;
  if (!died) {
    EXPECT_EQ(killed.exit, 0) << Said(killed);
    fs::remove_all(folder);
    return false;
  }
  EXPECT_NE(killed.exit, 0) << Said(killed);
  CheckMoment(folder);
  CheckOpen(folder);
  if (recovery != nullptr) {
    const RunResult once_more = Apply(folder, {{"POSTERN_KILL_POINT", recovery->name}});
    EXPECT_EQ(once_more.signal, SIGKILL) << Said(once_more);
    CheckMoment(folder);
    CheckOpen(folder);
  }
  const RunResult again = Apply(folder);
  EXPECT_EQ(again.exit, 0) << Said(again);
  CheckEnd(folder);
  if (!testing::Test::HasFailure()) fs::remove_all(folder);
  return true;
}

Campaign::Stopped Campaign::Interrupt(const std::string& seen, int presses, int slow_ms,
                                      int signal) {
  const std::string folder = Try();
  const std::string faults = folder + "/edge.world.faults";
  std::ofstream(faults) << "slow " << slow_ms << "\n";
  support::Terminal terminal({POSTERN, "apply", "--yes"},
                             {.env = {{"HOME", folder}}, .cwd = folder});
  Stopped stopped;
  std::chrono::steady_clock::time_point pressed;
  bool goes_on = terminal.WaitFor(seen) && support::Eventually(support::seconds(20), [&] {
                   const auto ledger = OpenLedger(folder);
                   return ledger != nullptr && !ledger->OpenIntents().value().empty();
                 });
  for (int i = 0; goes_on && i < presses; ++i) {
    pressed = std::chrono::steady_clock::now();
    if (signal != 0) {
      terminal.Signal(signal);
    } else {
      terminal.Type("\x03");
    }
    goes_on = terminal.WaitFor(i == 0 ? "Stopping:" : "Cancelling:");
  }
  EXPECT_EQ(terminal.End(), 5) << terminal.printed();
  stopped.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - pressed);
  stopped.printed = terminal.printed();
  std::replace(stopped.printed.begin(), stopped.printed.end(), '\n', ' ');
  fs::remove(faults);
  CheckMoment(folder);
  CheckOpen(folder);
  const RunResult again = Apply(folder);
  EXPECT_EQ(again.exit, 0) << Said(again);
  CheckEnd(folder);
  return stopped;
}

// Nobody ever had what neither world gives.
void Campaign::CheckMoment(const std::string& folder) const {
  for (const std::string& line : AccessIn(DumpOf(folder).All())) {
    EXPECT_TRUE(before_.contains(line) || after_.contains(line)) << line;
  }
}

// plan and drift say what is open, and our own half-done work is nobody's drift.
void Campaign::CheckOpen(const std::string& folder) const {
  const RunResult plan = Postern(folder, {"plan"});
  EXPECT_EQ(plan.exit, 0) << Said(plan);
  const RunResult drift = Postern(folder, {"drift"});
  const auto ledger = OpenLedger(folder);
  const bool first = ledger == nullptr || ledger->generation() == 0;  // nothing to compare with
  EXPECT_EQ(drift.exit, first ? 6 : 0) << Said(drift);
  if (ledger == nullptr) return;
  const auto open = ledger->OpenIntents();
  ASSERT_TRUE(open) << open.error().message;
  const auto sessions =
      std::count_if(open->begin(), open->end(), [](const ledger::OpenIntent& intent) {
        return intent.intent.kind == object::Kind::kSession;
      });
  for (const RunResult& result : {plan, drift}) {
    const bool told = result.out.find("An interrupted apply left") != std::string::npos;
    EXPECT_EQ(told, std::ssize(*open) > sessions) << Said(result);
  }
  // Who is owed an end is on the first screen, and no drift.
  EXPECT_EQ(plan.out.find("not seen to end since access was taken away") != std::string::npos,
            sessions > 0)
      << Said(plan);
  EXPECT_EQ(drift.out.find("session"), std::string::npos) << Said(drift);
}

void Campaign::CheckEnd(const std::string& folder) const {
  const RunResult second = Postern(folder, {"plan", "--detailed-exitcode"});
  EXPECT_EQ(second.exit, 0) << Said(second);
  const RunResult verified = Postern(folder, {"ledger", "verify"});
  EXPECT_EQ(verified.exit, 0) << Said(verified);
  const Dump end = DumpOf(folder);
  EXPECT_EQ(Canonical(end.edge) + Canonical(end.corp) + Canonical(end.hr), undisturbed_);
  const auto ledger = OpenLedger(folder);
  if (ledger == nullptr) return;
  const auto open = ledger->OpenIntents();
  ASSERT_TRUE(open) << open.error().message;
  EXPECT_TRUE(open->empty());
  const auto applies = ledger->Applies(SIZE_MAX);
  ASSERT_TRUE(applies) << applies.error().message;
  for (const auto& apply : *applies) {
    EXPECT_NE(apply.finished, 0) << "apply " << apply.apply << " never said how it ended";
  }
}

}  // namespace postern::fault
