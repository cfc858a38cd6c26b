// providers/filetransfer/server/session_operations.h: open sessions as objects, and operations that
// end them. `Session` has login, id, address, protocol and since.
#pragma once
#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {

template <class Session>
object::Object SessionObject(const std::string& server, const Session& session) {
  kinds::Session message;
  message.set_server(server);
  message.set_login(session.login);
  message.set_session(session.id);
  message.set_address(session.address);
  message.set_since(session.since);
  message.set_protocol(session.protocol);
  return object::Encode(message);
}

// An operation names one session, or with "*" every session of its login.
template <class Session>
bool NamesSession(const object::Operation& operation, const std::string& server,
                  const Session& session) {
  const auto parts = object::SplitKey(operation.key);
  if (parts[2] == "*") return session.login == parts[1];
  return SessionObject(server, session).key == operation.key;
}

// Lists, ends what the operations name, and lists again: that alone says what really ended.
template <class Session>
std::vector<object::Outcome> EndNamedSessions(
    std::span<const object::Operation> operations, const std::string& server,
    const std::function<Result<std::vector<Session>>()>& list,
    const std::function<Result<void>(const std::vector<Session>&)>& end) {
  using object::Status;
  std::vector<object::Outcome> out;
  for (const object::Operation& operation : operations) {
    out.push_back({.id = operation.id, .status = Status::kApplied, .live = {}, .message = ""});
  }
  auto sessions = list();
  if (!sessions) {
    for (object::Outcome& outcome : out) {
      outcome.status = Status::kTransient;
      outcome.message = sessions.error().message;
    }
    return out;
  }
  std::vector<Session> ending;
  for (size_t i = 0; i < operations.size(); ++i) {
    if (!operations[i].after.empty()) {
      out[i].status = Status::kDenied;
      out[i].message = "a session can only be ended";
      continue;
    }
    const size_t before = ending.size();
    for (const Session& session : *sessions) {
      if (NamesSession(operations[i], server, session)) ending.push_back(session);
    }
    if (ending.size() == before) out[i].status = Status::kAlreadySo;
  }
  if (ending.empty()) return out;
  const auto ended = end(ending);
  const auto after = list();
  for (size_t i = 0; i < operations.size(); ++i) {
    if (out[i].status != Status::kApplied) continue;
    const bool open = !after || std::any_of(after->begin(), after->end(), [&](const auto& session) {
      return NamesSession(operations[i], server, session);
    });
    if (!open) continue;
    out[i].status = after ? Status::kDenied : Status::kUnknown;
    out[i].message = !after  ? after.error().message
                     : ended ? "the session didn't end"
                             : ended.error().message;
  }
  return out;
}

}  // namespace postern::filetransfer
