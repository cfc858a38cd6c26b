// providers/sdk/operations.h: what providers share that carry operations out by "read, decide,
// write, read again": the order of operations on one object, and how one gets its answer. What is
// written, and when, is the provider's own.
//
// An Item has: op, key (where the object is now), progress.unsure (the answer to one of our writes
// was lost), done, failed, status, message. One thread.
#pragma once
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/object/target.h"

namespace postern::sdk {

// Operations on one object follow each other: the nth of each runs in the nth round.
inline std::vector<std::vector<const object::Operation*>> RoundsOf(
    std::span<const object::OperationGroup> groups) {
  std::map<object::ObjectKey, size_t> passed;
  std::vector<std::vector<const object::Operation*>> rounds;
  for (const object::OperationGroup& group : groups) {
    for (const object::Operation& op : group.operations) {
      const size_t round = passed[{op.kind, op.key}]++;
      if (rounds.size() <= round) rounds.resize(round + 1);
      rounds[round].push_back(&op);
    }
  }
  return rounds;
}

// The item has its answer: what the last read showed.
template <class Item, class Target, class Snapshots>
void Finish(Item& item, object::Status status, std::string message, Target& target,
            const Snapshots& snapshots, object::OutcomeSink& sink) {
  object::Outcome outcome;
  outcome.id = item.op->id;
  outcome.status = status;
  outcome.live = target.AnswerOf({item.op->kind, item.key}, snapshots);
  outcome.message = std::move(message);
  item.done = true;
  sink.Add(std::move(outcome));
}

// `status` stands; only the read-back is missing. "Nothing was done" can't be said after a write
// without an answer.
template <class Item>
void Fail(Item& item, object::Status status, const std::string& message) {
  const bool open = status == object::Status::kTransient && item.progress.unsure;
  item.failed = true;
  item.status = open ? object::Status::kUnknown : status;
  item.message = message;
}

}  // namespace postern::sdk
