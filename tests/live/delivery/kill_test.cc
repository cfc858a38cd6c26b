// A delivery that is killed again and again while a consumer takes away what has a final name: it
// never finds a part, and gets every file once.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "core/base/hash.h"
#include "core/jobs/deliver.h"
#include "tests/live/delivery/places.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;
using support::milliseconds;

constexpr size_t kBytes = 6 << 20;

// Takes final names out of `folder` by renaming, as a careful consumer does, and counts.
class Consumer {
 public:
  Consumer(std::string folder, std::string taken)
      : folder_(std::move(folder)), taken_(std::move(taken)), thread_([this] { Loop(); }) {}
  ~Consumer() { Stop(); }
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After Stop. Paths of what was taken, under each final name.
  const std::map<std::string, std::vector<std::string>>& taken() const { return files_; }

 private:
  void Loop() {
    do {
      Look();
      std::this_thread::sleep_for(milliseconds(2));
    } while (!stop_);
    Look();
  }
  void Look() {
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder_, code)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".part")) continue;
      const std::string to = taken_ + "/" + std::to_string(++count_) + "-" + name;
      std::error_code failed;
      fs::rename(entry.path(), to, failed);
      if (!failed) files_[name].push_back(to);
    }
  }

  const std::string folder_, taken_;
  std::map<std::string, std::vector<std::string>> files_;
  int count_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class Campaign {
 public:
  explicit Campaign(const std::string& protocol) : live_(protocol) {}
  bool Start() {
    if (!live_.Start()) return false;
    std::string json;
    if (!google::protobuf::util::MessageToJsonString(live_.endpoint(), &json).ok()) return false;
    endpoint_ = job_.Write("endpoint.json", json);
    const auto& credential = live_.credential();
    const std::string key =
        credential.private_key.empty() ? "" : job_.Write("key", credential.private_key, 0600);
    credential_ = job_.Write(
        "credential", credential.login + "\n" + key + "\n" + credential.password + "\n", 0600);
    return true;
  }

  std::string NewFile(int slot) {
    std::string text = "file of slot " + std::to_string(slot) + "\n";
    while (text.size() < kBytes) text += base::RandomBytes(64 << 10);
    text.resize(kBytes);
    return job_.Write("file" + std::to_string(slot), text);
  }
  std::vector<std::string> Command(int slot, const std::string& file) const {
    return {DRIVER,
            endpoint_,
            credential_,
            job_.path() + "/outbox.db",
            live_.folder(),
            "users_" + std::to_string(slot) + ".csv",
            file,
            std::to_string(slot),
            slot % 3 == 0 ? "rename" : "unique",
            slot % 2 == 0 ? "size" : "read-back"};
  }
  LivePlace& live() { return live_; }
  const support::Scratch& job() const { return job_; }

 private:
  LivePlace live_;
  support::Scratch job_;
  std::string endpoint_, credential_;
};

int Kills() {
  const char* full = std::getenv("POSTERN_CAMPAIGN_FULL");  // NOLINT(concurrency-mt-unsafe)
  return full != nullptr && std::string(full) == "1" ? 50 : 4;
}

void KillOnce(Campaign& campaign, int slot, milliseconds after, int* unfinished) {
  const std::string file = campaign.NewFile(slot), bytes = support::ReadFile(file);
  const std::vector<std::string> command = campaign.Command(slot, file);
  Consumer consumer(campaign.live().folder(), campaign.job().Folder("taken"));
  {
    support::ServerProcess driver(campaign.job(), command, {.name = "driver"});
    std::this_thread::sleep_for(after);  // the moment of the kill, not a wait for anything
    if (driver.Alive()) ++*unfinished;
    driver.Kill();
  }
  // What is under way when it dies may go on for a moment at the server.
  const support::RunResult again = support::RunCommand(command);
  consumer.Stop();
  ASSERT_EQ(again.exit, 0) << again.err << campaign.live().Logs();
  const std::string name = "users_" + std::to_string(slot) + ".csv";
  for (const char* ending : {"", ".sha256", ".manifest.json", ".done"}) {
    const auto found = consumer.taken().find(name + ending);
    ASSERT_NE(found, consumer.taken().end()) << name << ending << " never came";
    EXPECT_EQ(found->second.size(), 1U) << name << ending << " came more than once";
  }
  EXPECT_TRUE(support::ReadFile(consumer.taken().at(name).front()) == bytes)
      << "a part of " << name;
  EXPECT_THAT(support::ReadFile(consumer.taken().at(name + ".sha256").front()),
              testing::StartsWith(base::Hex(base::Sha256(bytes)) + " "));
  EXPECT_EQ(consumer.taken().size(), 4U);
  for (const auto& entry : fs::directory_iterator(campaign.live().folder())) {
    ADD_FAILURE() << entry.path() << " was left behind";
  }
}

class Kill : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Delivery, Kill, testing::Values("sftp", "ftp", "ftps"));

TEST_P(Kill, LeavesNoPartUnderAFinalNameAndEveryFileComesOnce) {
  Campaign campaign(GetParam());
  ASSERT_TRUE(campaign.Start());
  // One that isn't killed says how long it takes.
  const auto whole = support::RunCommand(campaign.Command(1, campaign.NewFile(1)));
  ASSERT_EQ(whole.exit, 0) << whole.err << campaign.live().Logs();
  for (const auto& entry : fs::directory_iterator(campaign.live().folder())) fs::remove(entry);
  double took = std::stod(whole.out);
  std::mt19937 random(5);  // NOLINT(cert-msc51-cpp,cert-msc32-c): the same moments each time
  int unfinished = 0;
  const int kills = Kills();
  for (int i = 0; i < kills && !testing::Test::HasFailure(); ++i) {
    // Evenly over its time, so that four kills meet four phases.
    const double part = (i + std::uniform_real_distribution<>(0, 1)(random)) / kills;
    const int met = unfinished;
    KillOnce(campaign, 10 + i, milliseconds(static_cast<int>(1000 * took * part)), &unfinished);
    // On a machine that has less to do by now it takes less time than it took then.
    constexpr double kFaster = 0.7;
    if (unfinished == met) took *= kFaster;
  }
  EXPECT_GE(unfinished, kills / 2);  // the kills met it at work
}

}  // namespace
}  // namespace postern::jobs
