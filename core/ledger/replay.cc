#include "core/ledger/replay.h"

#include <fmt/format.h>

#include <cstring>

namespace postern::ledger {
namespace {

tl::unexpected<Error> Misfit(const Event& event, std::string_view why) {
  return Fail(ErrorCode::kConflict,
              fmt::format("event {} ({}): {}", event.sequence, event.type, why));
}

int64_t Number(object::Kind kind) {
  return static_cast<int64_t>(kind);
}

std::string PackBody(Packer packer, const Recorded& record) {
  return packer.Add(record.body)
      .Add(record.id)
      .Add(record.owner)
      .Add(record.retired_at)
      .Add(record.secret_desired)
      .Add(record.secret_stored)
      .Take();
}

}  // namespace

Packer& Packer::Add(std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  packed_.append(reinterpret_cast<const char*>(&length), sizeof length);
  packed_ += text;
  return *this;
}

Packer& Packer::Add(int64_t number) {
  const fmt::format_int text(number);
  return Add(std::string_view(text.data(), text.size()));
}

std::vector<std::string_view> Unpack(std::string_view packed) {
  std::vector<std::string_view> columns;
  while (packed.size() >= sizeof(uint32_t)) {
    uint32_t length = 0;
    std::memcpy(&length, packed.data(), sizeof length);
    columns.push_back(packed.substr(sizeof length, length));
    packed.remove_prefix(sizeof length + length);
  }
  return columns;
}

Result<void> Replay::Add(const Event& event) {
  const auto parsed = ParseEvent(event.type, event.payload);
  if (!parsed) return Misfit(event, parsed.error().message);
  if ((event.sequence == 1) != std::holds_alternative<Created>(*parsed)) {
    return Misfit(event, "a ledger starts with one event \"created\"");
  }
  return std::visit([&](const auto& one) { return On(one, event); }, *parsed);
}

Result<void> Replay::On(const Created& created, const Event&) {
  created_ = created;
  return {};
}

Result<void> Replay::On(const Started& started, const Event& event) {
  ApplyRow row;
  row.apply = started.apply;
  row.started = event.at;
  row.plan_digest = started.start.plan_digest;
  row.intent_digest = started.start.intent_digest;
  row.summary = started.start.summary;
  row.who = started.start.who;
  row.revision = started.start.revision;
  if (!applies_.emplace(started.apply, std::pair(std::move(row), event.sequence)).second) {
    return Misfit(event, fmt::format("apply {} started before", started.apply));
  }
  plans_[started.apply] = {started.plan_sha256, event.sequence};
  return {};
}

Result<void> Replay::On(const Intended& intended, const Event& event) {
  const auto apply = applies_.find(intended.apply);
  if (apply == applies_.end() || apply->second.first.finished != 0) {
    return Misfit(event, fmt::format("apply {} isn't open", intended.apply));
  }
  const auto key = std::pair(intended.apply, intended.intent.step);
  if (!steps_.emplace(key, std::pair(event.sequence, uint64_t{0})).second) {
    return Misfit(event, fmt::format("step {} was announced before", intended.intent.step));
  }
  ++apply->second.first.intents;
  apply->second.second = event.sequence;
  return {};
}

Result<void> Replay::On(const Came& came, const Event& event) {
  const auto step = steps_.find({came.apply, came.outcome.step});
  if (step == steps_.end() || step->second.second != 0) {
    return Misfit(event, fmt::format("step {} of apply {} has no open intent", came.outcome.step,
                                     came.apply));
  }
  step->second.second = event.sequence;
  auto& [apply, changed] = applies_.at(came.apply);
  changed = event.sequence;
  ++apply.outcomes;
  if (IsFailure(came.outcome.status)) ++apply.failed;
  if (came.outcome.erase) {
    const auto found = recorded_.find(Address(came.outcome.target, *came.outcome.erase));
    if (found == recorded_.end()) return {};
    KeepVersion(found->first, found->second, event.sequence);
    recorded_.erase(found);
  }
  if (!came.outcome.record) return {};
  Recorded record = *came.outcome.record;
  const Address address(came.outcome.target, object::ObjectKey{record.kind, record.key});
  record.generation = generation_ + 1;
  const auto [place, fresh] = recorded_.try_emplace(address);
  Current& current = place->second;
  if (!fresh && PackBody({}, current.record) == PackBody({}, record)) return {};
  if (!fresh) KeepVersion(address, current, event.sequence);
  current = {std::move(record), event.sequence};
  return {};
}

void Replay::KeepVersion(const Address& address, const Current& current, uint64_t sequence) {
  if (current.record.generation > generation_) return;  // no finished generation had it
  std::string key = Packer()
                        .Add(address.first)
                        .Add(Number(address.second.kind))
                        .Add(address.second.key)
                        .Add(current.record.generation)
                        .Take();
  Packer values;
  values.Add(generation_ + 1);
  tables_["versions"][std::move(key)] = {PackBody(std::move(values), current.record), sequence};
}

Result<void> Replay::On(const Finished& finished, const Event& event) {
  const auto found = applies_.find(finished.apply);
  if (found == applies_.end() || found->second.first.finished != 0) {
    return Misfit(event, fmt::format("apply {} isn't open", finished.apply));
  }
  ApplyRow& apply = found->second.first;
  const uint64_t want = finished.result == "done" ? generation_ + 1 : 0;
  if (finished.generation != want) {
    return Misfit(event, fmt::format("generation {} where {} follows", finished.generation, want));
  }
  apply.finished = event.at;
  apply.result = finished.result;
  apply.generation = finished.generation;
  found->second.second = event.sequence;
  if (want == 0) return {};
  generation_ = want;
  tables_["generations"][Packer().Add(want).Take()] = {Packer().Add(apply.apply).Take(),
                                                       event.sequence};
  return {};
}

Result<void> Replay::On(const Counted& counted, const Event& event) {
  for (const Census& row : counted.census) {
    std::string key = Packer().Add(row.target).Add(Number(row.kind)).Add(row.scope).Take();
    tables_["census"][std::move(key)] = {Packer().Add(row.count).Take(), event.sequence};
  }
  return {};
}

Result<void> Replay::On(const Allocated& allocated, const Event& event) {
  for (const auto& [server, uid] : allocated.uids) {
    std::string key = Packer().Add(server).Add(uint64_t{uid}).Take();
    if (!tables_["uids"].try_emplace(std::move(key), ReplayedRow{{}, event.sequence}).second) {
      return Misfit(event, fmt::format("uid {} of server {} was given before", uid, server));
    }
  }
  return {};
}

Result<void> Replay::On(const JobDone& done, const Event& event) {
  if (done.roster_sha256.empty()) return {};
  std::string values =
      Packer().Add(done.event.run).Add(done.event.file_sha256).Add(done.roster_sha256).Take();
  tables_["rosters"][Packer().Add(done.import).Take()] = {std::move(values), event.sequence};
  return {};
}

std::map<std::string, ReplayedTable>& Replay::tables() {
  for (const char* name :
       {"recorded", "versions", "generations", "applies", "steps", "uids", "census", "rosters"}) {
    tables_.try_emplace(name);
  }
  for (auto& [address, current] : recorded_) {
    std::string key =
        Packer().Add(address.first).Add(Number(address.second.kind)).Add(address.second.key).Take();
    Packer values;
    values.Add(current.record.generation);
    tables_["recorded"][std::move(key)] = {PackBody(std::move(values), current.record),
                                           current.sequence};
  }
  for (const auto& [number, entry] : applies_) {
    const ApplyRow& row = entry.first;
    std::string values = Packer()
                             .Add(row.started)
                             .Add(row.finished)
                             .Add(row.plan_digest)
                             .Add(row.intent_digest)
                             .Add(row.summary)
                             .Add(row.who)
                             .Add(row.revision)
                             .Add(row.result)
                             .Add(row.generation)
                             .Add(row.intents)
                             .Add(row.outcomes)
                             .Add(row.failed)
                             .Take();
    tables_["applies"][Packer().Add(number).Take()] = {std::move(values), entry.second};
  }
  for (const auto& [key, events] : steps_) {
    tables_["steps"][Packer().Add(key.first).Add(key.second).Take()] = {
        Packer().Add(events.first).Add(events.second).Take(),
        events.second != 0 ? events.second : events.first};
  }
  return tables_;
}

}  // namespace postern::ledger
