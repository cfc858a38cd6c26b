// Plain types to messages and back: nothing is lost, and what a peer can't mean is refused.
#include "core/object/wire.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/provider/client.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"

namespace postern::object {
namespace {

namespace v1 = provider::v1;

Object SampleAccount() {
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("acme-in");
  account.set_enabled(false);
  Object object = Encode(account);
  object.id = "m-7";
  object.unreadable = uint64_t{1} << 8;
  object.changed_by = "mallory";
  object.changed_at = 1'700'000'000;
  object.how_known = "exact";
  return object;
}

void ExpectSame(const ObjectView& a, const ObjectView& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.body, b.body);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.unreadable, b.unreadable);
  EXPECT_EQ(a.changed_by, b.changed_by);
  EXPECT_EQ(a.changed_at, b.changed_at);
  EXPECT_EQ(a.how_known, b.how_known);
}

TEST(Wire, RowKeepsEverythingAndForgetsTheOneBefore) {
  const Object full = SampleAccount();
  v1::ObjectRow row;
  ToWire(full.view(), &row);
  ExpectSame(*FromWire(row), full.view());
  Object bare;
  bare.kind = Kind::kFolder;
  bare.key = "edge\x1f/srv";
  ToWire(bare.view(), &row);  // the same message again, as in a batch
  ExpectSame(*FromWire(row), bare.view());
}

TEST(Wire, RowRefusesAnUnknownKind) {
  v1::ObjectRow row;
  row.set_kind(999);
  const auto view = FromWire(row);
  ASSERT_FALSE(view.has_value());
  EXPECT_EQ(view.error().code, ErrorCode::kInternal);
}

TEST(Wire, OperationKeepsEverything) {
  Operation operation;
  operation.id = 42;
  operation.kind = Kind::kUser;
  operation.key = "uid=a,dc=x";
  operation.before = "before";
  operation.after = std::string("af\0ter", 6);
  operation.expect_id = "id";
  operation.new_key = "uid=b,dc=x";
  operation.clear = {9, 11};
  v1::Operation message;
  ToWire(operation, &message);
  const auto back = FromWire(message);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->id, operation.id);
  EXPECT_EQ(back->kind, operation.kind);
  EXPECT_EQ(back->key, operation.key);
  EXPECT_EQ(back->before, operation.before);
  EXPECT_EQ(back->after, operation.after);
  EXPECT_EQ(back->expect_id, operation.expect_id);
  EXPECT_EQ(back->new_key, operation.new_key);
  EXPECT_EQ(back->clear, operation.clear);
  EXPECT_GE(WireBytes(operation), message.ByteSizeLong());
}

TEST(Wire, OutcomeKeepsEveryStatusAndRefusesOthers) {
  for (uint32_t status = 1; status <= 6; ++status) {
    Outcome outcome{7, static_cast<Status>(status), {}, "why"};
    outcome.live = {Answer::kValue, SampleAccount(), ""};
    v1::Outcome message;
    ToWire(outcome, &message);
    const auto back = FromWire(message);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->status, outcome.status);
    EXPECT_EQ(back->message, "why");
    ExpectSame(back->live.object.view(), outcome.live.object.view());
  }
  for (const uint32_t status : {0u, 7u}) {
    v1::Outcome message;
    ToWire(Outcome{1, Status::kApplied, {Answer::kValue, SampleAccount(), ""}, ""}, &message);
    message.set_status(status);
    EXPECT_FALSE(FromWire(message).has_value()) << status;
  }
}

TEST(Wire, AnswerThatIsNoneOfTheThreeIsRefused) {
  v1::ReadAnswer message;
  ToWire(ReadAnswer{Answer::kUnreadable, SampleAccount(), "no right to read"}, &message);
  EXPECT_EQ(FromWire(message)->answer, Answer::kUnreadable);
  EXPECT_EQ(FromWire(message)->reason, "no right to read");
  message.set_answer(0);  // never "absent" by default
  EXPECT_FALSE(FromWire(message).has_value());
}

TEST(Wire, ProbeKeepsCapabilitiesAndChecks) {
  Probe probe;
  probe.product = "proftpd";
  probe.clock_skew_ms = -12;
  probe.capabilities.push_back({"grant", "chmod", "edge-ftp", "widens", {"rename"}, "why", {"x"}});
  probe.checks.push_back({"include", false, "missing", {"Include /x"}, "/etc/proftpd.conf"});
  probe.concurrency[Kind::kAccount] = "atomic replace";
  v1::ProbeReply message;
  ToWire(probe, &message);
  const auto back = FromWire(message);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->clock_skew_ms, -12);
  EXPECT_EQ(back->capabilities.at(0).widens_to, probe.capabilities[0].widens_to);
  EXPECT_EQ(back->capabilities.at(0).alternatives, probe.capabilities[0].alternatives);
  EXPECT_EQ(back->checks.at(0).lines_to_add, probe.checks[0].lines_to_add);
  EXPECT_EQ(back->checks.at(0).where, "/etc/proftpd.conf");
  EXPECT_EQ(back->concurrency, probe.concurrency);
}

TEST(Wire, ErrorOfAnUnknownCodeIsInternal) {
  v1::Failure message;
  ToWire(Error{ErrorCode::kDenied, "no"}, &message);
  EXPECT_EQ(FromWire(message).code, ErrorCode::kDenied);
  message.set_code(4711);
  EXPECT_EQ(FromWire(message).code, ErrorCode::kInternal);
}

TEST(ProviderProgram, IsBesideTheBinaryOrWhereTheVariableSays) {
  unsetenv("POSTERN_PROVIDERS");  // NOLINT(concurrency-mt-unsafe)
  EXPECT_TRUE(provider::ProviderProgram("memory").ends_with("/postern-provider-memory"));
  EXPECT_EQ(provider::ProviderProgram("memory").front(), '/');
  setenv("POSTERN_PROVIDERS", "/opt/postern", 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(provider::ProviderProgram("memory"), "/opt/postern/postern-provider-memory");
  unsetenv("POSTERN_PROVIDERS");  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace
}  // namespace postern::object
