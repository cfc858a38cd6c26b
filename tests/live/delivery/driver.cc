// Delivers one file in a process of its own, so that a test can kill it.
//
// driver ENDPOINT CREDENTIAL OUTBOX FOLDER NAME FILE SLOT RECEIVER VERIFY: the first two are files
// with JSON of decl::Endpoint, and a login, a key file and a password on lines of their own. Tells
// on its output how long it took and what opened the place; ends with 0 when all is delivered.
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "core/jobs/deliver.h"
#include "core/provider/delivery.h"

namespace postern::jobs {
namespace {

constexpr int kAttempts = 3;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

object::PlaceCredential ReadCredential(const std::string& path) {
  object::PlaceCredential credential;
  std::ifstream file(path);
  std::string key;
  std::getline(file, credential.login);
  std::getline(file, key);
  std::getline(file, credential.password);
  credential.name = "login";
  if (!key.empty()) credential.private_key = ReadAll(key);
  return credential;
}

int Drive(char** words) {
  const auto begin = std::chrono::steady_clock::now();
  decl::Endpoint endpoint;
  if (!google::protobuf::util::JsonStringToMessage(ReadAll(words[1]), &endpoint).ok()) return 2;
  Parcel parcel;
  parcel.folder = words[4];
  parcel.name = words[5];
  parcel.file = words[6];
  parcel.receiver = std::string(words[8]) == "rename" ? Receiver::kRename : Receiver::kUnique;
  parcel.verify = std::string(words[9]) == "size" ? Verify::kSize : Verify::kReadBack;
  parcel.bytes = std::filesystem::file_size(parcel.file);
  auto hash = HashFile(parcel.file);
  auto outbox = Outbox::Open(words[3]);
  if (!hash || !outbox) return 3;
  parcel.sha256 = *hash;
  RunRow run;
  run.slot = std::stoll(words[7]);
  run.id = parcel.run = RunId("export.test", run.slot, parcel.sha256);
  parcel.manifest = fmt::format("{{\"run\":\"{}\",\"sha256\":\"{}\"}}\n", run.id, *hash);
  parcel.trigger = ".done";
  parcel.order = {"file", "checksum", "manifest", "trigger"};
  if (!(*outbox)->Begin(run)) return 4;
  // As deliver.h says: what is transient is tried again over a new connection.
  Result<Delivered> done = Fail(ErrorCode::kUnavailable, "not tried");
  for (int attempt = 0; attempt < kAttempts && !done && done.error().retryable(); ++attempt) {
    auto opened = provider::OpenPlace(endpoint, {ReadCredential(words[2])});
    if (!opened) {
      std::cerr << opened.error().message << "\n";
      return 5;
    }
    done = Deliver(*opened->place, **outbox, parcel);
    if (!done) std::cerr << "attempt " << attempt << ": " << done.error().message << "\n";
  }
  if (!done) {
    std::cerr << DeliveryCode(done.error()) << ": " << done.error().message << "\n";
    return 6;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::cout << fmt::format("{:.3f} {} {}\n", took.count(), done->resumed, done->sent_bytes);
  return 0;
}

}  // namespace
}  // namespace postern::jobs

int main(int count, char** words) {
  return count == 10 ? postern::jobs::Drive(words) : 2;
}
