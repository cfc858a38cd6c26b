// core/object/wire.h: the plain types of target.h <-> the messages of schemas/provider.proto.
//
// The one place where they are converted, for core/provider and providers/sdk alike; no gRPC here.
// Pure; any thread. Views that From* answers point into the message, which must outlive them. What
// comes from a peer is checked here: an unknown kind or number is kInternal ("breaks the
// protocol").
#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/object/target.h"

namespace postern::provider::v1 {
class ApplyRequest;
class Failure;
class KeyRow;
class ObjectRow;
class Operation;
class Outcome;
class ProbeReply;
class ReadAnswer;
class ScopeStatus;
}  // namespace postern::provider::v1

namespace postern::object {

// Both sides set these; gRPC's own default would be 4 MiB.
inline constexpr int kMaxMessageBytes = 8 << 20;
// A message of a stream is sent when it holds as much (measured: larger ones gain nothing).
inline constexpr size_t kBatchBytes = 64 << 10;
inline constexpr uint32_t kProtocol = 1;  // the version that this tree speaks

// `row` may hold an older row: its memory is used again.
void ToWire(const ObjectView& object, provider::v1::ObjectRow* row);
Result<ObjectView> FromWire(const provider::v1::ObjectRow& row);
// Bytes that the row takes in a message, roughly (never less than what it holds).
size_t WireBytes(const ObjectView& object);

void ToWire(const ReadAnswer& answer, provider::v1::ReadAnswer* message);
Result<ReadAnswer> FromWire(const provider::v1::ReadAnswer& message);

void ToWire(const KnownKey& known, provider::v1::KeyRow* message);
Result<KnownKey> FromWire(const provider::v1::KeyRow& message);

void ToWire(const Operation& operation, provider::v1::Operation* message);
Result<Operation> FromWire(const provider::v1::Operation& message);
size_t WireBytes(const Operation& operation);

void ToWire(const Outcome& outcome, provider::v1::Outcome* message);
Result<Outcome> FromWire(const provider::v1::Outcome& message);

void ToWire(const ScopeStatus& status, provider::v1::ScopeStatus* message);
Result<ScopeStatus> FromWire(const provider::v1::ScopeStatus& message);

void ToWire(const Probe& probe, provider::v1::ProbeReply* message);
Result<Probe> FromWire(const provider::v1::ProbeReply& message);

void ToWire(const Error& error, provider::v1::Failure* message);
Error FromWire(const provider::v1::Failure& message);

}  // namespace postern::object
