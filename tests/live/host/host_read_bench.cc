// bench_host_read acl|keys [COUNT [FOLDER]]: reads of a host through a real sshd on loopback, over
// a warm connection, against the tool that does nothing else. Needs root: everything lies in a
// private mount namespace. Prints one JSON line; medians of 5, the ratio that of one round.
//
// acl: COUNT folders with 12 lines of ACL each, read and parsed, against `getfacl -R -n -p` run
// here. keys: COUNT accounts with a key each, told as objects, against one tar of the same files
// through the same connection. With "keys", passwd, group and shadow are read as well. FOLDER: a
// new one on a disk, removed afterwards, instead of memory, where getfacl is several times as fast.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "core/base/hash.h"
#include "providers/filetransfer/host/accounts_io.h"
#include "providers/filetransfer/host/tree_io.h"
#include "providers/filetransfer/transport/ssh.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/sshd.h"

namespace postern::filetransfer {
namespace {

constexpr int kRounds = 6;  // the first warms

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

bool Must(bool good, const std::string& why) {
  if (!good) fmt::print(stderr, "bench_host_read: {}\n", why);
  return good;
}

class Bench {
 public:
  Bench(bool keys, int count, std::string root)
      : keys_(keys), count_(count), root_(std::move(root)), sshd_(scratch_) {}
  ~Bench() { support::RunCommand({"rm", "-rf", root_}); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  int Run();

 private:
  void MakeFolders() const;
  void MakeAccounts();
  bool Ours();
  bool Peer();

  const bool keys_;
  const int count_;
  const std::string root_;
  support::Scratch scratch_;
  support::Sshd sshd_;
  std::unique_ptr<Transport> transport_;
  AccountSettings settings_;
  std::string names_;
};

// Folders inherit a default ACL: 6 lines as their own and 6 for what comes.
void Bench::MakeFolders() const {
  ::mkdir(root_.c_str(), 0755);
  support::RunCommand({"setfacl", "-m", "d:u:30001:rwx,d:u:30002:rx,d:g:30500:rx", root_});
  for (int i = 0; i < count_ - 1; ++i) {
    const std::string part = fmt::format("{}/d{:05}", root_, i / 1000);
    if (i % 1000 == 0) {
      ::mkdir(part.c_str(), 0775);
    } else {
      ::mkdir(fmt::format("{}/folder{:07}", part, i).c_str(), 0775);
    }
  }
}

void Bench::MakeAccounts() {
  std::string passwd, shadow, group = "managed:x:29999:\npartners:x:30000:\n";
  ::mkdir(root_.c_str(), 0755);
  for (int i = 0; i < count_; ++i) {
    const std::string login = fmt::format("u{:06}", i), home = root_ + "/" + login;
    passwd += fmt::format("{}:x:{}:29999::{}:/usr/sbin/nologin\n", login, 100000 + i, home);
    shadow += fmt::format("{}:*:19000:0:99999:7:::\n", login);
    ::mkdir(home.c_str(), 0755);
    ::mkdir((home + "/.ssh").c_str(), 0755);
    // A blob of the right form: nobody logs in here.
    std::string blob("\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
    blob += std::string(reinterpret_cast<const char*>(base::Sha256(login).data()), 32);
    const std::string file = home + "/.ssh/authorized_keys";
    std::ofstream(file) << "restrict ssh-ed25519 " << base::Base64(blob) << "\n";
    names_.append(file).push_back('\0');
  }
  live::Machine::Get().WriteAccounts(passwd, group, shadow);
  settings_ = {.server = "edge", .accounts = "group:managed"};
}

bool Bench::Ours() {
  if (!keys_) {
    const std::vector<std::string> roots = {root_};
    const auto read = ReadTree(*transport_, roots);
    return Must(read && read->complete &&
                    read->tree.nodes().size() ==
                        static_cast<size_t>(count_) + std::count(root_.begin(), root_.end(), '/'),
                read ? read->why_not + " (not whole)" : read.error().message);
  }
  const auto state = ReadHost(*transport_, settings_);
  if (!Must(state.has_value(), state ? "" : state.error().message)) return false;
  return Must(
      ObjectsOf(*state, settings_, object::Kind::kAccount).size() == static_cast<size_t>(count_) &&
          ObjectsOf(*state, settings_, object::Kind::kSshKey).size() == static_cast<size_t>(count_),
      "objects are missing");
}

bool Bench::Peer() {
  if (!keys_) {
    return support::RunCommand({"/bin/sh", "-c", "exec getfacl -R -n -p " + root_ + " >/dev/null"})
               .exit == 0;
  }
  const auto tar = transport_->Exec({.script = "tar -c -P -f - --null -T -", .input = names_});
  return Must(tar && tar->status == 0 && tar->out.size() > names_.size(), "tar failed");
}

int Bench::Run() {
  if (!live::Machine::Get().entered() || !sshd_.Start()) return 1;
  if (keys_) {
    MakeAccounts();
  } else {
    MakeFolders();
  }
  auto made = MakeSshTransport({.address = *ParseSshAddress(sshd_.address()),
                                .known_host = sshd_.known_host(),
                                .identity = sshd_.identity()});
  if (!Must(made.has_value(), "no transport")) return 1;
  transport_ = std::move(*made);
  std::vector<double> wall, cpu, peer, ratio;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = Seconds();
    if (!Peer()) return 1;
    const double between = Seconds(), used = Cpu();
    if (!Ours()) return 1;
    const double end = Seconds();
    if (round == 0) continue;
    wall.push_back(end - between);
    cpu.push_back(Cpu() - used);
    peer.push_back(between - begin);
    ratio.push_back(wall.back() / peer.back());
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"bench\":\"{}\",\"n\":{},\"cpu_s\":{:.3f},\"wall_s\":{:.3f},\"rss_mib\":{},"
      "\"peer\":{:.3f},\"ratio\":{:.3f}}}\n",
      keys_ ? "host-read" : "acl-read", count_, Median(cpu), Median(wall), usage.ru_maxrss / 1024,
      Median(peer), Median(ratio));
  return 0;
}

}  // namespace
}  // namespace postern::filetransfer

int main(int argc, char** argv) {
  const bool keys = argc > 1 && std::string(argv[1]) == "keys";
  const int count = argc > 2 ? std::atoi(argv[2]) : keys ? 20'000 : 100'000;
  return postern::filetransfer::Bench(keys, count, argc > 3 ? argv[3] : "/srv/x").Run();
}
