// bench_deliver [MIB]: one file delivered by SFTP (provider started, signed in, temporary name,
// size checked, renamed, noted in the outbox) against `sftp` putting the same file to the same
// sshd, with one cipher and one MAC for both. Prints one JSON line; medians of 5, the ratio that of
// one round. `readback_s`: our delivery with all bytes read back.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/base/hash.h"
#include "core/jobs/deliver.h"
#include "core/provider/delivery.h"
#include "schemas/job_declarations.pb.h"
#include "tests/support/sshd.h"

namespace postern::jobs {
namespace {

constexpr int kRounds = 5;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  explicit Bench(size_t mib) : mib_(mib), sshd_(scratch_, Options()) {}
  int Run();

 private:
  static support::Sshd::Options Options() {
    support::Sshd::Options options;
    // What libssh2 1.10 and OpenSSH both have.
    options.more = "Subsystem sftp internal-sftp\nCiphers aes128-ctr\nMACs hmac-sha2-256\n";
    return options;
  }
  void MakeFile();
  bool Peer();
  bool Ours(Verify verify);
  bool Arrived(const std::string& name);

  const size_t mib_;
  support::Scratch scratch_;
  support::Sshd sshd_;
  std::string folder_ = scratch_.Folder("in"), file_, sha256_;
  int round_ = 0;
};

void Bench::MakeFile() {
  file_ = scratch_.File("file");
  std::ofstream out(file_, std::ios::binary);
  for (size_t i = 0; i < mib_; ++i) out << base::RandomBytes(1 << 20);
  out.close();
  sha256_ = *HashFile(file_);
}

bool Bench::Arrived(const std::string& name) {
  const std::string path = folder_ + "/" + name;
  auto hash = HashFile(path);
  std::filesystem::remove(path);
  return hash && *hash == sha256_;
}

bool Bench::Peer() {
  const std::string address = sshd_.address().substr(6);
  const std::string user = address.substr(0, address.find('@'));
  const std::string hosts =
      scratch_.Write("hosts", fmt::format("[127.0.0.1]:{} {}\n", sshd_.port(), sshd_.known_host()));
  const auto put = support::RunCommand(
      {support::FindProgram("sftp"), "-q", "-b", "-", "-F", "/dev/null", "-i", sshd_.identity(),
       "-P", std::to_string(sshd_.port()), "-o", "UserKnownHostsFile=" + hosts, "-o",
       "StrictHostKeyChecking=yes", user + "@127.0.0.1"},
      {.input = fmt::format("put {} {}/peer\n", file_, folder_), .limit = support::seconds(600)});
  if (put.exit != 0) fmt::print(stderr, "{}", put.err);
  return put.exit == 0;
}

bool Bench::Ours(Verify verify) {
  const std::string address = sshd_.address().substr(6);
  decl::Endpoint endpoint;
  endpoint.set_name("bench");
  endpoint.set_protocol("sftp");
  endpoint.set_address(address.substr(address.find('@') + 1));
  endpoint.set_known_host(sshd_.known_host());
  object::PlaceCredential credential;
  credential.login = address.substr(0, address.find('@'));
  credential.private_key = support::ReadFile(sshd_.identity());
  auto outbox = Outbox::Open(scratch_.path() + "/outbox.db");
  auto opened = provider::OpenPlace(endpoint, {credential});
  if (!outbox || !opened) return false;
  Parcel parcel;
  parcel.folder = folder_;
  parcel.name = "ours";
  parcel.file = file_;
  parcel.bytes = mib_ << 20;
  parcel.sha256 = sha256_;
  parcel.order = {"file"};
  parcel.verify = verify;
  RunRow run;
  run.id = parcel.run = RunId("export.bench", ++round_, sha256_);
  if (!(*outbox)->Begin(run)) return false;
  auto done = Deliver(*opened->place, **outbox, parcel);
  if (!done) fmt::print(stderr, "{}\n", done.error().message);
  return done.has_value();
}

int Bench::Run() {
  MakeFile();
  if (!sshd_.Start()) return 1;
  std::vector<double> peers, ours, ratios, read_back;
  for (int i = 0; i < kRounds; ++i) {
    double begin = Seconds();
    if (!Peer()) return 1;
    peers.push_back(Seconds() - begin);
    if (!Arrived("peer")) return 1;
    begin = Seconds();
    if (!Ours(Verify::kSize)) return 1;
    ours.push_back(Seconds() - begin);
    if (!Arrived("ours")) return 1;
    begin = Seconds();
    if (!Ours(Verify::kReadBack)) return 1;
    read_back.push_back(Seconds() - begin);
    if (!Arrived("ours")) return 1;
    ratios.push_back(ours.back() / peers.back());
  }
  fmt::print(
      "{{\"bench\": \"deliver\", \"n\": {}, \"wall_s\": {:.3f}, \"peer\": {:.3f}, \"ratio\": "
      "{:.3f}, \"readback_s\": {:.3f}, \"runs\": {}}}\n",
      mib_, Median(ours), Median(peers), Median(ratios), Median(read_back), kRounds);
  return 0;
}

}  // namespace
}  // namespace postern::jobs

int main(int count, char** words) {
  return postern::jobs::Bench(count > 1 ? std::stoul(words[1]) : 1024).Run();
}
