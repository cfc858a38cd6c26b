// tests/unit/ledger/ledger_suite.h: what every store of a ledger must do, whatever it is kept in.
//
// The cases stand in ledger_suite_test.cc; a store instantiates the suite with its factory:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, LedgerSuite, testing::Values(StoreFactory{"File",
//   MakeStore}));
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/ledger/ledger.h"

namespace postern::ledger {

// A place for one ledger, empty at first, removed in the end.
class Store {
 public:
  virtual ~Store() = default;
  virtual Result<std::unique_ptr<Ledger>> Open(Ledger::Mode mode) = 0;
};

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<Store>()> make;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) {
  *out << factory.name;
}

// Answers the value, or fails the test with the error.
template <class T>
T Must(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().message;
  if constexpr (!std::is_void_v<T>) return result ? std::move(*result) : T();
}
template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  EXPECT_FALSE(result.has_value()) << "a failure was expected";
  return result ? ErrorCode{} : result.error().code;
}

inline Recorded Account(std::string key, std::string body = "body") {
  return {.kind = object::Kind::kAccount, .key = std::move(key), .body = std::move(body)};
}
inline Intent Announce(uint64_t step, std::string key, std::string target = "host:edge") {
  return {.step = step,
          .target = std::move(target),
          .kind = object::Kind::kAccount,
          .key = std::move(key),
          .after = "body",
          .phase = "open"};
}
inline Outcome Done(uint64_t step, Recorded record, std::string target = "host:edge") {
  return {
      .step = step, .status = "applied", .target = std::move(target), .record = std::move(record)};
}
inline Outcome Gone(uint64_t step, std::string key, std::string target = "host:edge") {
  return {.step = step,
          .status = "applied",
          .target = std::move(target),
          .erase = object::ObjectKey{object::Kind::kAccount, std::move(key)}};
}
inline Outcome Ended(uint64_t step, std::string status) {
  return {.step = step, .status = std::move(status), .target = "host:edge"};
}
inline ApplyStart Start(std::string digest = "7f3a00", std::string plan = "plan bytes") {
  return {.plan_digest = std::move(digest),
          .intent_digest = "beef",
          .summary = "2 gain, 1 loses",
          .who = "li@runner",
          .revision = "abc123",
          .plan = std::move(plan)};
}

// One whole apply: each outcome with its intent before it.
inline uint64_t RunApply(Ledger& ledger, const std::vector<Outcome>& outcomes,
                         const std::string& result = "done") {
  const uint64_t apply = Must(ledger.BeginApply(Start()));
  std::vector<Intent> intents;
  for (const Outcome& outcome : outcomes) {
    intents.push_back(Announce(outcome.step, "k", outcome.target));
  }
  Must(ledger.Commit(apply, {}, intents));
  Must(ledger.Commit(apply, outcomes, {}));
  if (!result.empty()) Must(ledger.FinishApply(apply, result));
  return apply;
}

// "key=body@generation", in order.
inline std::vector<std::string> Rows(const std::vector<Recorded>& recorded) {
  std::vector<std::string> rows;
  for (const Recorded& row : recorded) {
    rows.push_back(row.key + "=" + row.body + "@" + std::to_string(row.generation));
  }
  return rows;
}

class LedgerSuite : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    ledger_.reset();
    ledger_ = Must(store_->Open(Ledger::Mode::kReadWrite));
    ASSERT_NE(ledger_, nullptr);
  }
  std::unique_ptr<Store> store_ = GetParam().make();
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace postern::ledger
