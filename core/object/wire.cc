#include "core/object/wire.h"

#include <fmt/format.h>

#include "schemas/provider.pb.h"

namespace postern::object {
namespace {

namespace v1 = provider::v1;

tl::unexpected<Error> Broken(std::string_view what, uint64_t number) {
  return Fail(ErrorCode::kInternal,
              fmt::format("the peer breaks the protocol: there is no {} {}", what, number));
}

// An empty string costs a write of its own in protobuf's setters; most of these are empty.
template <class Row>
void SetRest(const ObjectView& object, Row* row) {
  if (!object.id.empty()) row->set_id(object.id.data(), object.id.size());
  if (object.unreadable != 0) row->set_unreadable(object.unreadable);
  if (!object.changed_by.empty()) {
    row->set_changed_by(object.changed_by.data(), object.changed_by.size());
  }
  if (object.changed_at != 0) row->set_changed_at(object.changed_at);
  if (!object.how_known.empty())
    row->set_how_known(object.how_known.data(), object.how_known.size());
}

Object Copy(const ObjectView& view) {
  Object object;
  object.kind = view.kind;
  object.key = view.key;
  object.body = view.body;
  object.id = view.id;
  object.unreadable = view.unreadable;
  object.changed_by = view.changed_by;
  object.changed_at = view.changed_at;
  object.how_known = view.how_known;
  return object;
}

}  // namespace

void ToWire(const ObjectView& object, v1::ObjectRow* row) {
  row->Clear();
  row->set_kind(static_cast<uint32_t>(object.kind));
  row->set_key(object.key.data(), object.key.size());
  row->set_body(object.body.data(), object.body.size());
  SetRest(object, row);
}

Result<ObjectView> FromWire(const v1::ObjectRow& row) {
  const KindTable* table = FindKind(row.kind());
  if (table == nullptr) return Broken("kind", row.kind());
  return ObjectView{table->kind,      row.key(),        row.body(),       row.id(),
                    row.unreadable(), row.changed_by(), row.changed_at(), row.how_known()};
}

size_t WireBytes(const ObjectView& object) {
  return object.key.size() + object.body.size() + object.id.size() + object.changed_by.size() +
         object.how_known.size() + 48;
}

void ToWire(const ReadAnswer& answer, v1::ReadAnswer* message) {
  message->set_answer(static_cast<uint32_t>(answer.answer));
  ToWire(answer.object.view(), message->mutable_row());
  message->set_reason(answer.reason);
}

Result<ReadAnswer> FromWire(const v1::ReadAnswer& message) {
  if (message.answer() < 1 || message.answer() > 3) return Broken("answer", message.answer());
  auto view = FromWire(message.row());
  if (!view) return tl::unexpected(view.error());
  return ReadAnswer{static_cast<Answer>(message.answer()), Copy(*view), message.reason()};
}

void ToWire(const KnownKey& known, v1::KeyRow* message) {
  message->set_kind(static_cast<uint32_t>(known.key.kind));
  message->set_key(known.key.key);
  message->set_id(known.id);
}

Result<KnownKey> FromWire(const v1::KeyRow& message) {
  const KindTable* table = FindKind(message.kind());
  if (table == nullptr) return Broken("kind", message.kind());
  return KnownKey{{table->kind, message.key()}, message.id()};
}

void ToWire(const Operation& operation, v1::Operation* message) {
  message->set_id(operation.id);
  message->set_kind(static_cast<uint32_t>(operation.kind));
  message->set_key(operation.key);
  message->set_before(operation.before);
  message->set_after(operation.after);
  message->set_expect_id(operation.expect_id);
  message->set_new_key(operation.new_key);
  message->mutable_clear()->Assign(operation.clear.begin(), operation.clear.end());
}

Result<Operation> FromWire(const v1::Operation& message) {
  const KindTable* table = FindKind(message.kind());
  if (table == nullptr) return Broken("kind", message.kind());
  Operation operation;
  operation.id = message.id();
  operation.kind = table->kind;
  operation.key = message.key();
  operation.before = message.before();
  operation.after = message.after();
  operation.expect_id = message.expect_id();
  operation.new_key = message.new_key();
  operation.clear.assign(message.clear().begin(), message.clear().end());
  return operation;
}

size_t WireBytes(const Operation& operation) {
  return operation.key.size() + operation.before.size() + operation.after.size() +
         operation.expect_id.size() + operation.new_key.size() + 6 * operation.clear.size() + 48;
}

void ToWire(const Outcome& outcome, v1::Outcome* message) {
  message->set_id(outcome.id);
  message->set_status(static_cast<uint32_t>(outcome.status));
  ToWire(outcome.live, message->mutable_live());
  message->set_message(outcome.message);
}

Result<Outcome> FromWire(const v1::Outcome& message) {
  if (message.status() < 1 || message.status() > 6) return Broken("status", message.status());
  auto live = FromWire(message.live());
  if (!live) return tl::unexpected(live.error());
  return Outcome{message.id(), static_cast<Status>(message.status()), std::move(*live),
                 message.message()};
}

void ToWire(const ScopeStatus& status, v1::ScopeStatus* message) {
  message->set_kind(static_cast<uint32_t>(status.kind));
  message->set_scope(status.scope);
  message->set_complete(status.complete);
  message->set_reason(status.reason);
  message->set_count(status.count);
  message->set_sentinel_seen(status.sentinel_seen);
  message->set_unstable(status.unstable);
  message->set_at(status.at);
}

Result<ScopeStatus> FromWire(const v1::ScopeStatus& message) {
  const KindTable* table = FindKind(message.kind());
  if (table == nullptr) return Broken("kind", message.kind());
  return ScopeStatus{table->kind,     message.scope(),         message.complete(), message.reason(),
                     message.count(), message.sentinel_seen(), message.unstable(), message.at()};
}

void ToWire(const Probe& probe, v1::ProbeReply* message) {
  message->set_product(probe.product);
  message->set_product_version(probe.product_version);
  message->set_identity(probe.identity);
  message->set_clock_skew_ms(probe.clock_skew_ms);
  for (const Capability& capability : probe.capabilities) {
    v1::Capability* row = message->add_capabilities();
    row->set_kind(capability.kind);
    row->set_field(capability.field);
    row->set_server(capability.server);
    row->set_support(capability.support);
    row->mutable_widens_to()->Assign(capability.widens_to.begin(), capability.widens_to.end());
    row->set_why(capability.why);
    row->mutable_alternatives()->Assign(capability.alternatives.begin(),
                                        capability.alternatives.end());
  }
  for (const Check& check : probe.checks) {
    v1::Check* row = message->add_checks();
    row->set_name(check.name);
    row->set_ok(check.ok);
    row->set_found(check.found);
    row->mutable_lines_to_add()->Assign(check.lines_to_add.begin(), check.lines_to_add.end());
    row->set_where(check.where);
  }
  for (const auto& [kind, concurrency] : probe.concurrency) {
    v1::KindConcurrency* row = message->add_concurrency();
    row->set_kind(std::string(NameOf(kind)));
    row->set_concurrency(concurrency);
  }
  for (const Setting& setting : probe.settings) {
    v1::Setting* row = message->add_settings();
    row->set_name(setting.name);
    row->set_value(setting.value);
    row->set_origin(setting.origin);
    row->set_why(setting.why);
  }
}

Result<Probe> FromWire(const v1::ProbeReply& message) {
  Probe probe;
  probe.product = message.product();
  probe.product_version = message.product_version();
  probe.identity = message.identity();
  probe.clock_skew_ms = message.clock_skew_ms();
  for (const v1::Capability& row : message.capabilities()) {
    probe.capabilities.push_back({row.kind(),
                                  row.field(),
                                  row.server(),
                                  row.support(),
                                  {row.widens_to().begin(), row.widens_to().end()},
                                  row.why(),
                                  {row.alternatives().begin(), row.alternatives().end()}});
  }
  for (const v1::Check& row : message.checks()) {
    probe.checks.push_back({row.name(),
                            row.ok(),
                            row.found(),
                            {row.lines_to_add().begin(), row.lines_to_add().end()},
                            row.where()});
  }
  for (const v1::KindConcurrency& row : message.concurrency()) {
    const KindTable* table = FindKind(std::string_view(row.kind()));
    if (table == nullptr) {
      return Fail(ErrorCode::kInternal,
                  "the peer breaks the protocol: there is no kind " + row.kind());
    }
    probe.concurrency[table->kind] = row.concurrency();
  }
  for (const v1::Setting& row : message.settings()) {
    probe.settings.push_back({row.name(), row.value(), row.origin(), row.why()});
  }
  return probe;
}

void ToWire(const Error& error, v1::Failure* message) {
  message->set_code(static_cast<uint32_t>(error.code));
  message->set_message(error.message);
}

Error FromWire(const v1::Failure& message) {
  const bool known = message.code() >= static_cast<uint32_t>(ErrorCode::kInternal) &&
                     message.code() <= static_cast<uint32_t>(ErrorCode::kNotInstalled);
  return {known ? static_cast<ErrorCode>(message.code()) : ErrorCode::kInternal, message.message()};
}

}  // namespace postern::object
