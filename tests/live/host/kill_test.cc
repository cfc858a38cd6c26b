// A batch that dies at each of its tools, before it and after it, and the run after that.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/live/host/shims.h"
#include "tests/live/host/world.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::Operation;
using object::Outcome;
using object::Status;
using ::testing::AnyOf;

const std::string kCount = "/srv/kill-after";

// Every tool that a batch runs counts down, and the last takes the batch with it.
class Killer {
 public:
  Killer() {
    for (const char* tool : {"useradd", "usermod", "userdel", "groupadd", "groupdel", "gpasswd",
                             "chage", "chpasswd", "setpriv", "mv"}) {
      shims_.Put(tool, "n=$(cat " + kCount +
                           " 2>/dev/null || echo 0)\n"
                           "[ \"$n\" = 0 ] && exec \"$real\" \"$@\"\n"
                           "echo $((n - 1)) >" +
                           kCount +
                           "\n"
                           "[ \"$n\" = 1 ] && kill -9 0\n"
                           "\"$real\" \"$@\"; code=$?\n"
                           "[ \"$n\" = 2 ] && { echo 0 >" +
                           kCount +
                           "; kill -9 0; }\n"
                           "exit $code");
    }
  }
  void Arm(int step) const { WriteTo(kCount, std::to_string(step)); }
  // False: the batch was done before it came to that.
  bool Fired() const { return support::ReadFile(kCount) == "0\n"; }

 private:
  Shims shims_;
};

struct Wish {
  Kind kind;
  std::string key, body;  // empty: gone
};

// As the core plans after it has looked.
std::vector<Operation> Plan(World& w, const std::vector<Wish>& wishes) {
  std::vector<object::ObjectKey> keys;
  for (const Wish& wish : wishes) keys.push_back({wish.kind, wish.key});
  const auto live = AnswerAccounts(w.Read(), w.settings, keys);
  std::vector<Operation> out;
  for (size_t i = 0; i < wishes.size(); ++i) {
    EXPECT_NE(live[i].answer, Answer::kUnreadable) << live[i].reason;
    out.push_back({.id = i + 1,
                   .kind = wishes[i].kind,
                   .key = wishes[i].key,
                   .before = live[i].object.body,
                   .after = wishes[i].body});
  }
  return out;
}

std::string Snapshot() {
  std::string out;
  for (const char* file : {"passwd", "shadow", "group", "gshadow"}) {
    for (const char* name : {"acme", "bea", "old", "readers", "managed"}) {
      std::string line = LineOf(file, name);
      if (line.starts_with("acme:$6$")) line = "acme:$6$" + line.substr(line.find(':', 8));
      out += line + "\n";
    }
  }
  out += support::ReadFile(kRoot + "/acme/.ssh/authorized_keys");
  return out + std::to_string(std::filesystem::exists(kRoot + "/old/.ssh/authorized_keys"));
}

TEST(Kill, AtEveryToolAndTheNextRunConverges) {
  std::string want;
  int fired = 0;
  for (int step = 0;; ++step) {
    World w;
    const kinds::Account old = w.Account("old", 30003), bea = w.Account("bea", 30002);
    for (const Outcome& outcome :
         w.ApplyAll({w.Create(old), w.Create(bea), w.Create(w.Key("old", NewKey("b")))})) {
      ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
    }
    kinds::Account acme = w.Account("acme", 30001), shut = bea;
    ASSERT_EQ(::chown(acme.home().c_str(), 30001, kPartners), 0);
    acme.set_password("secret:pw");
    shut.set_enabled(false);
    kinds::ServerGroup group;
    group.set_server("edge");
    group.set_name("readers");
    group.set_gid(30500);
    kinds::ServerMembership membership;
    membership.set_server("edge");
    membership.set_group("readers");
    membership.set_login("acme");
    std::vector<Wish> wishes;
    const kinds::SshKey key = w.Key("acme", NewKey("a"));
    for (const google::protobuf::Message* message :
         std::initializer_list<const google::protobuf::Message*>{&acme, &shut, &group, &membership,
                                                                 &key}) {
      const object::Object object = object::Encode(*message);
      wishes.push_back({object.kind, object.key, object.body});
    }
    wishes.push_back({Kind::kAccount, object::EncodeKey(old), ""});

    const Killer killer;
    if (step > 0) killer.Arm(step);
    w.ApplyAll(Plan(w, wishes));
    const bool dead = step > 0 && killer.Fired();
    // Whoever was to lose has lost before anybody has won.
    const HostState halfway = w.Read();
    if (halfway.accounts.FindUser("acme") != nullptr && !halfway.Locked("acme")) {
      EXPECT_TRUE(halfway.Locked("bea")) << step;
      EXPECT_EQ(halfway.accounts.FindUser("old"), nullptr) << step;
    }
    killer.Arm(0);
    for (const Outcome& outcome : w.ApplyAll(Plan(w, wishes))) {
      EXPECT_THAT(outcome.status, AnyOf(Status::kApplied, Status::kAlreadySo))
          << step << ": " << outcome.message;
    }
    for (const Outcome& outcome : w.ApplyAll(Plan(w, wishes))) {
      EXPECT_EQ(outcome.status, Status::kAlreadySo) << step << ": " << outcome.message;
    }
    if (step == 0) want = Snapshot();
    EXPECT_EQ(Snapshot(), want) << step;
    if (step > 0 && !dead) break;
    fired += dead ? 1 : 0;
    ASSERT_LT(step, 100);
  }
  EXPECT_GT(fired, 10);
  std::filesystem::remove(kCount);
}

}  // namespace
}  // namespace postern::filetransfer
