// Every call of a place over each protocol, and who is refused.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "core/base/hash.h"
#include "core/jobs/deliver.h"
#include "tests/live/delivery/places.h"

namespace postern::jobs {
namespace {

std::string Bytes(size_t count) {
  std::string text = base::RandomBytes(4096);
  while (text.size() < count) text += text;  // also bytes that a text mode would alter
  text.resize(count);
  return text;
}

std::string Fetch(Place& place, const std::string& path, uint64_t limit = UINT64_MAX) {
  std::string text;
  auto got = place.Get(
      path,
      [&](std::string_view part) -> Result<void> {
        text += part;
        return {};
      },
      limit);
  EXPECT_TRUE(got) << (got ? "" : got.error().message);
  return text;
}

class EachProtocol : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Delivery, EachProtocol, testing::ValuesIn(Protocols()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(EachProtocol, WritesReadsListsRenamesAndRemoves) {
  LivePlace live(GetParam());
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  Place& place = *opened.place;
  EXPECT_EQ(place.features().protocol, GetParam());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100'000}, size_t{9'000'001}}) {
    const std::string path = live.folder() + "/f " + std::to_string(size) + "#%;é.bin";
    const std::string bytes = Bytes(size);
    uint64_t handed = 0;
    PutOptions options;
    options.progress = [&](uint64_t count) { handed = count; };
    auto put = place.Put(path, TextSource(bytes), options);
    ASSERT_TRUE(put) << put.error().message << live.Logs();
    EXPECT_EQ(handed, size);
    EXPECT_TRUE(support::ReadFile(path) == bytes) << size;
    EXPECT_TRUE(Fetch(place, path) == bytes) << size;
    EXPECT_TRUE(Fetch(place, path, 1000) == bytes.substr(0, 1000)) << size;
    auto found = place.Stat(path);
    ASSERT_TRUE(found && *found) << (found ? "absent" : found.error().message);
    EXPECT_EQ((*found)->bytes, size);
    EXPECT_NEAR(static_cast<double>((*found)->modified), static_cast<double>(base::Now()), 60);
  }
  auto files = place.List(live.folder());
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 4U);
  EXPECT_EQ(files->at(0).name, "f 0#%;é.bin");
  EXPECT_EQ(files->at(1).bytes, 1U);
  const std::string from = live.folder() + "/f 1#%;é.bin", to = live.folder() + "/final";
  ASSERT_TRUE(place.Rename(from, to, false));
  EXPECT_FALSE(std::filesystem::exists(from));
  auto missing = place.Stat(from);
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_FALSE(missing->has_value());
  auto taken = place.Rename(live.folder() + "/f 0#%;é.bin", to, false);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kConflict);
  auto replaced = place.Rename(live.folder() + "/f 0#%;é.bin", to, true);
  ASSERT_TRUE(replaced) << replaced.error().message << live.Logs();
  EXPECT_EQ(std::filesystem::file_size(to), 0U);
  ASSERT_TRUE(place.Remove(to));
  EXPECT_EQ(place.Remove(to).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(place.Get(to, [](std::string_view) { return Result<void>(); }).error().code,
            ErrorCode::kNotFound);
}

TEST_P(EachProtocol, GoesOnBehindWhatIsThere) {
  LivePlace live(GetParam());
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  const std::string path = live.folder() + "/part", bytes = Bytes(3 << 20);
  ASSERT_TRUE(opened.place->Put(path, TextSource(std::string_view(bytes).substr(0, 1'500'000))));
  PutOptions options;
  options.offset = 1'500'000;
  auto put =
      opened.place->Put(path, TextSource(std::string_view(bytes).substr(1'500'000)), options);
  // ProFTPD takes it for overwriting, which isn't allowed by default; then it is said.
  if (!put) {
    EXPECT_NE(GetParam(), "sftp") << put.error().message;
    EXPECT_EQ(put.error().code, ErrorCode::kDenied) << put.error().message;
    return;
  }
  EXPECT_TRUE(support::ReadFile(path) == bytes);
}

TEST_P(EachProtocol, SaysWhatIsDeniedAndThatASourceFailed) {
  LivePlace live(GetParam());
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  Place& place = *opened.place;
  auto put = place.Put(live.folder() + "/nowhere/x", TextSource("abc"));
  ASSERT_FALSE(put);
  EXPECT_FALSE(put.error().retryable()) << put.error().message;
  EXPECT_FALSE(place.List(live.folder() + "/nowhere"));
  EXPECT_EQ(place.Put("relative", TextSource("abc")).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(place.Remove(live.folder() + "/x\r\nDELE y").error().code, ErrorCode::kInvalid);
  put = place.Put(live.folder() + "/x", [](char*, size_t) -> Result<size_t> {
    return Fail(ErrorCode::kUnavailable, "the local disk failed");
  });
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().message, "the local disk failed");
}

TEST_P(EachProtocol, DeliversAParcelOnce) {
  LivePlace live(GetParam());
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  for (const Receiver receiver : {Receiver::kUnique, Receiver::kRename, Receiver::kDirect}) {
    SCOPED_TRACE(static_cast<int>(receiver));
    support::Scratch job;
    auto outbox = Outbox::Open(job.path() + "/outbox.db");
    ASSERT_TRUE(outbox);
    const std::string bytes = Bytes(700'000);
    Parcel parcel;
    parcel.folder = live.folder();
    parcel.name = receiver == Receiver::kDirect ? "direct.csv" : "users.csv";
    parcel.file = job.Write("users.csv", bytes);
    parcel.bytes = bytes.size();
    parcel.sha256 = base::Hex(base::Sha256(bytes));
    parcel.run = RunId("export.x", static_cast<int>(receiver), parcel.sha256);
    parcel.trigger = ".done";
    parcel.order = {"file", "checksum", "manifest", "trigger"};
    parcel.manifest = "{}\n";
    parcel.receiver = receiver;
    RunRow run;
    run.id = parcel.run;
    ASSERT_TRUE((*outbox)->Begin(run));
    auto done = Deliver(*opened.place, **outbox, parcel);
    ASSERT_TRUE(done) << done.error().message << live.Logs();
    const std::string path = live.folder() + "/" + parcel.name;
    EXPECT_TRUE(support::ReadFile(path) == bytes);
    EXPECT_EQ(support::ReadFile(path + ".done"), "");
    const auto check = support::RunCommand(
        {support::FindProgram("sha256sum"), "-c", parcel.name + ".sha256"}, {.cwd = live.folder()});
    EXPECT_EQ(check.exit, 0) << check.err;
    for (const auto& entry : std::filesystem::directory_iterator(live.folder())) {
      EXPECT_EQ(entry.path().string().find(".part"), std::string::npos) << entry.path();
    }
  }
}

TEST_P(EachProtocol, TriesCredentialsInTheirOrderAndTellsWhichOpened) {
  LivePlace live(GetParam());
  ASSERT_TRUE(live.Start());
  object::PlaceCredential wrong = live.credential(), right = live.credential();
  wrong.name = "next";
  right.name = "current";
  if (GetParam() == "sftp") {
    support::MakeSshKey("ed25519", live.scratch().path() + "/other");
    wrong.private_key = support::ReadFile(live.scratch().path() + "/other");
  } else {
    wrong.password = "wrong";
  }
  auto opened = provider::OpenPlace(live.endpoint(), {wrong, right});
  ASSERT_TRUE(opened) << opened.error().message << live.Logs();
  EXPECT_EQ(opened->credential, "current");
  if (GetParam() == "sftp") {
    const auto shown = support::RunCommand(
        {support::FindProgram("ssh-keygen"), "-lf", live.scratch().path() + "/sshd/identity.pub"});
    EXPECT_NE(shown.out.find(opened->fingerprint + " "), std::string::npos) << shown.out;
  } else {
    EXPECT_EQ(opened->fingerprint, "password");
  }
  auto none = provider::OpenPlace(live.endpoint(), {wrong});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kAuthentication) << none.error().message;
  EXPECT_EQ(DeliveryCode(none.error()), "E0861");
  EXPECT_EQ(none.error().message.find("wrong"), std::string::npos);
}

TEST(Delivery, NothingIsSentToAStranger) {
  LivePlace sftp("sftp");
  ASSERT_TRUE(sftp.Start());
  support::MakeSshKey("ed25519", sftp.scratch().path() + "/stranger");
  sftp.endpoint().set_known_host(support::PublicKeyOf(sftp.scratch().path() + "/stranger.pub"));
  auto opened = provider::OpenPlace(sftp.endpoint(), {sftp.credential()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUntrusted);
  EXPECT_NE(opened.error().message.find("nothing was sent"), std::string::npos);
  EXPECT_EQ(DeliveryCode(opened.error()), "E0502");
  sftp.endpoint().clear_known_host();
  EXPECT_EQ(provider::OpenPlace(sftp.endpoint(), {sftp.credential()}).error().code,
            ErrorCode::kInvalid);
  for (const char* protocol : {"ftps", "ftps-implicit"}) {
    LivePlace live(protocol);
    ASSERT_TRUE(live.Start());
    live.endpoint().clear_ca();  // the system's authorities don't know it
    auto refused = provider::OpenPlace(live.endpoint(), {live.credential()});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUntrusted) << refused.error().message;
  }
  LivePlace plain("ftp");  // a server without TLS
  ASSERT_TRUE(plain.Start());
  plain.endpoint().set_protocol("ftps");
  auto refused = provider::OpenPlace(plain.endpoint(), {plain.credential()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUntrusted) << refused.error().message;
  plain.endpoint().set_protocol("ftp");
  plain.endpoint().set_address("192.0.2.1:21");
  EXPECT_EQ(provider::OpenPlace(plain.endpoint(), {plain.credential()}).error().code,
            ErrorCode::kInvalid);
}

// What a refused transfer leaves to be said isn't taken for the answer to what comes next: over TLS
// libcurl asks for one more data connection, whose answer nobody would read.
TEST_P(EachProtocol, ARefusalLeavesNoAnswerBehind) {
  if (GetParam() == "sftp") return;  // each answer has its request's number
  LivePlace live(GetParam());
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  const std::string there = live.folder() + "/there.csv", gone = live.folder() + "/gone.csv";
  ASSERT_TRUE(opened.place->Put(there, TextSource("twelve bytes")));
  for (const uint64_t offset : {0, 12}) {
    PutOptions options;
    options.offset = offset;
    const auto refused = opened.place->Put(there, TextSource("more"), options);
    ASSERT_FALSE(refused) << "the server lets nothing be overwritten";
    EXPECT_EQ(refused.error().code, ErrorCode::kDenied) << refused.error().message;
    const auto removed = opened.place->Remove(gone);
    ASSERT_FALSE(removed) << "the answer was another command's";
    EXPECT_EQ(removed.error().code, ErrorCode::kNotFound) << removed.error().message;
    const std::string next = fmt::format("{}/next{}.csv", live.folder(), offset);
    const auto put = opened.place->Put(next, TextSource("x"));
    EXPECT_TRUE(put) << put.error().message;
    const auto found = opened.place->Stat(there);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->bytes, 12U);
  }
}

// A server that answers no MLSD tells by LIST, whose lines are those of `ls -l`.
TEST(Delivery, ListsWhereMlsdIsRefused) {
  LivePlace live("ftp", "<Limit MLSD MLST>\n  DenyAll\n</Limit>\n");
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  const std::string bytes = Bytes(1234);
  for (const char* name : {"users.csv", "with two  blanks.csv", "-rw.csv"}) {
    const std::string path = live.folder() + "/" + name;
    ASSERT_TRUE(opened.place->Put(path, TextSource(bytes))) << live.Logs();
  }
  std::filesystem::create_directory(live.folder() + "/sub");
  const auto listed = opened.place->List(live.folder());
  ASSERT_TRUE(listed) << listed.error().message << live.Logs();
  std::vector<std::string> shown;
  for (const object::PlaceFile& file : *listed) {
    shown.push_back(file.folder ? file.name + "/" : fmt::format("{} {}", file.name, file.bytes));
  }
  EXPECT_EQ(shown, (std::vector<std::string>{"-rw.csv 1234", "sub/", "users.csv 1234",
                                             "with two  blanks.csv 1234"}));
  const auto refused = support::RunCommand(
      {"python3", "-c",
       "import ftplib, sys\nftp = ftplib.FTP()\nftp.connect('127.0.0.1', int(sys.argv[1]))\n"
       "ftp.login('acme', 'pw one')\nprint(list(ftp.mlsd(sys.argv[2])))",
       live.endpoint().address().substr(live.endpoint().address().find(':') + 1), live.folder()});
  EXPECT_NE(refused.err.find("ftplib.error_perm: 550"), std::string::npos) << "MLSD is answered";
  const auto missing = opened.place->Stat(live.folder() + "/absent.csv");
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_FALSE(missing->has_value());
}

TEST(Delivery, AProviderThatDiesIsTransientAndEveryLaterCallFails) {
  LivePlace live("sftp");
  ASSERT_TRUE(live.Start());
  auto opened = live.Open();
  ASSERT_NE(opened.place, nullptr);
  ASSERT_EQ(::kill(opened.pid, SIGKILL), 0);
  auto first = opened.place->Stat(live.folder());
  ASSERT_FALSE(first);
  EXPECT_TRUE(first.error().retryable()) << first.error().message;
  EXPECT_NE(first.error().message.find("died (signal 9)"), std::string::npos);
  EXPECT_FALSE(opened.place->Remove(live.folder() + "/x"));
}

}  // namespace
}  // namespace postern::jobs
