#include "providers/iam/otds/writes.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/object/fields.h"
#include "providers/iam/otds/bodies.h"
#include "schemas/kinds.pb.h"

namespace postern::iam::otds {
namespace {

using object::Answer;
using object::Kind;
using object::Operation;

Next Refuse(std::string why, bool precondition) {
  Next next;
  next.need = Next::Need::kRefuse;
  next.why = std::move(why);
  next.precondition = precondition;
  return next;
}

bool Removes(const Operation& op) {
  return op.after.empty() && op.clear.empty();
}

// A write that relies on what was refuted isn't sent.
Next Send(HttpRequest request, std::vector<Guess> guesses, bool only_guessed,
          const WriteContext& context) {
  for (const Guess guess : guesses) {
    if (!context.guesses->is_refuted(guess)) continue;
    return Refuse(fmt::format("{} doesn't work on this server: {}", InfoOf(guess).name,
                              context.guesses->why(guess)),
                  false);
  }
  Next next;
  next.need = Next::Need::kWrite;
  next.request = std::move(request);
  next.guesses = std::move(guesses);
  next.only_guessed = only_guessed;
  return next;
}

Next SendBody(Method method, const std::string& path, Body body, const WriteContext& context) {
  const bool only_guessed = body.known == 0;
  return Send(Api::Request(method, path, body.json), std::move(body.guesses), only_guessed,
              context);
}

std::string PathTo(Kind kind, const std::string& address) {
  const char* folder = kind == Kind::kIamUser         ? "/users/"
                       : kind == Kind::kIamGroup      ? "/groups/"
                       : kind == Kind::kIamRole       ? "/roles/"
                       : kind == Kind::kIamAccessRole ? "/accessroles/"
                                                      : "/oauthclients/";
  return folder + address;
}

Name NameFor(const Operation& op, const Names& names) {
  if (op.kind == Kind::kIamUser) {
    return names.Split(object::DecodeAs<kinds::IamUser>(op.after).user_name());
  }
  if (op.kind == Kind::kIamGroup) {
    return names.Split(object::DecodeAs<kinds::IamGroup>(op.after).name());
  }
  return names.SplitRole(object::DecodeAs<kinds::IamRole>(op.after).name());
}

Next CreateClient(const Operation& op, const WriteContext& context) {
  const auto after = object::DecodeAs<kinds::OauthClient>(op.after);
  Body body = ClientFields(op, "");
  body.json["id"] = after.client_id();
  const std::string* secret = SecretValue(SecretWanted(op), *context.secrets);
  if (after.has_secret() && secret == nullptr) {
    return Refuse(fmt::format("the value of {} was not sent along", after.secret()), false);
  }
  if (secret == nullptr && after.confidential()) {
    return Refuse(
        "a client that keeps a secret is made with one of ours: one that the server "
        "makes up is shown once and may be lost; give the client a secret",
        false);
  }
  // One that nobody knows, where none is needed: the server then makes up none.
  body.json["secret"] = secret != nullptr ? *secret : base::Hex(base::RandomBytes(24));
  Next next = SendBody(Method::kPost, "/oauthclients", std::move(body), context);
  next.sets_secret = secret != nullptr;
  return next;
}

Next Create(const Operation& op, const WriteContext& context) {
  if (op.kind == Kind::kIamAccessRole) {
    return Refuse("an access role comes with its resource: no call that makes one is documented",
                  false);
  }
  if (op.kind == Kind::kOauthClient) return CreateClient(op, context);
  const Name name = NameFor(op, *context.names);
  if (std::string why = context.why_not_written(name.partition); !why.empty()) {
    return Refuse(std::move(why), false);
  }
  const char* path = op.kind == Kind::kIamUser    ? "/users"
                     : op.kind == Kind::kIamGroup ? "/groups"
                                                  : "/roles";
  return SendBody(Method::kPost, path, NewEntry(op, name), context);
}

Next Delete(const Operation& op, const Live& at, const WriteContext& context) {
  if (op.kind == Kind::kIamAccessRole) {
    return Refuse("an access role goes with its resource: no call that deletes one is documented",
                  false);
  }
  std::vector<Guess> guesses;
  if (op.kind == Kind::kOauthClient) guesses.push_back(Guess::kDeleteClient);
  const bool guessed = !guesses.empty();
  return Send(Api::Request(Method::kDelete, PathTo(op.kind, at.address), Json()),
              std::move(guesses), guessed, context);
}

Next ChangeClient(const Operation& op, const Progress& progress, const Live& at,
                  const WriteContext& context) {
  Body body = ClientFields(op, at.object.body);
  const std::string wanted = SecretWanted(op);
  const bool sets = !wanted.empty() && !progress.secret_set;
  if (sets) {
    const std::string* secret = SecretValue(wanted, *context.secrets);
    if (secret == nullptr) {
      return Refuse(fmt::format("the value of {} was not sent along", wanted), false);
    }
    body.json["secret"] = *secret;
    ++body.known;
  }
  Next next = SendBody(Method::kPatch, PathTo(op.kind, at.address), std::move(body), context);
  next.sets_secret = sets;
  return next;
}

Next Change(const Operation& op, const Progress& progress, const Live& at,
            const WriteContext& context) {
  const std::string path = PathTo(op.kind, at.address);
  switch (op.kind) {
    case Kind::kIamUser:
      return SendBody(Method::kPatch, path, UserChange(op, at), context);
    case Kind::kOauthClient:
      return ChangeClient(op, progress, at, context);
    case Kind::kIamAccessRole: {
      const bool push = object::DecodeAs<kinds::IamAccessRole>(op.after).push_all_groups();
      const Json body = {
          {"attributes", {{{"name", "pushAllGroups"}, {"values", {push ? "True" : "False"}}}}}};
      return Send(Api::Request(Method::kPut, path + "/attributes", body), {}, false, context);
    }
    default:
      return SendBody(Method::kPut, path, WholeEntry(op, at, at.entry->name), context);
  }
}

Next Rename(const Operation& op, const Live& at, const WriteContext& context) {
  if (op.kind != Kind::kIamUser && op.kind != Kind::kIamGroup && op.kind != Kind::kIamRole) {
    return Refuse("it can't be renamed", false);
  }
  const Name to = NameFor(op, *context.names);
  if (!Same(to.partition, at.entry->partition)) {
    return Refuse(fmt::format("it is in partition {}: a rename doesn't lead into another",
                              at.entry->partition),
                  false);
  }
  Operation bare = op;  // the fields follow under the new name
  bare.clear.clear();
  bare.after.clear();
  Next next =
      SendBody(Method::kPut, PathTo(op.kind, at.address), WholeEntry(bare, at, to.login), context);
  next.renames = true;
  return next;
}

bool IsAlready(const Operation& op, const Progress& progress, const Live& at) {
  const uint64_t secret = object::SecretMask(op.kind);
  if (!SecretWanted(op).empty() && !progress.secret_set) return false;
  uint64_t clear = 0;
  for (const uint32_t field : op.clear) clear |= uint64_t{1} << field;
  clear &= ~object::FieldsSet(op.after);
  return (object::FieldsSet(at.object.body) & clear) == 0 &&
         object::Satisfies(op.kind, object::Restrict(op.after, ~secret), at.object.body);
}

// Why it isn't what the plan saw; empty: it is.
std::string Unexpected(const Operation& op, const Live& at) {
  if (at.answer == Answer::kAbsent) return "it is gone";
  if (!op.expect_id.empty() && object::IsOtherId(op.expect_id, at.object.id)) {
    return fmt::format("another one stands under this name now: its id is {}, not {}", at.object.id,
                       op.expect_id);
  }
  const std::string before = object::Restrict(
      op.before, ~(object::SecretMask(op.kind) | object::ServerOwnedMask(op.kind)));
  for (const auto& field : object::Differences(op.kind, before, at.object.body)) {
    return fmt::format("{} is {} and not \"{}\" any more", field.name,
                       field.has_before ? "\"" + field.before + "\"" : "not set", field.after);
  }
  return {};
}

std::string PartitionOf(const Live& at) {
  return at.entry ? at.entry->partition : std::string(kClientPartition);
}

// The rename, or that there is nothing to rename (any more).
std::optional<Next> NextOfRename(const Operation& op, const Progress& progress, const Live& at,
                                 const Live* other, const WriteContext& context) {
  if (op.new_key.empty() || op.new_key == op.key || progress.renamed) return std::nullopt;
  if (at.answer == Answer::kAbsent) return Refuse("it is gone", true);
  if (std::string why = Unexpected(op, at); !why.empty()) return Refuse(std::move(why), true);
  if (other != nullptr && other->answer != Answer::kAbsent) {
    return Refuse("the new name is taken", true);
  }
  if (std::string why = context.why_not_written(PartitionOf(at)); !why.empty()) {
    return Refuse(std::move(why), false);
  }
  return Rename(op, at, context);
}

}  // namespace

const std::string* SecretValue(std::string_view reference, const object::Secrets& secrets) {
  constexpr std::string_view kPrefix = "secret:";
  if (!reference.starts_with(kPrefix)) return nullptr;
  const auto found = secrets.find(std::string(reference.substr(kPrefix.size())));
  return found == secrets.end() || found->second.empty() ? nullptr : &found->second;
}

std::string SecretWanted(const Operation& op) {
  return std::string(object::SecretIn(op.kind, op.after));
}

Next NextWrite(const Operation& op, const Progress& progress, const Live& at, const Live* other,
               const WriteContext& context) {
  if (auto rename = NextOfRename(op, progress, at, other, context)) return *rename;
  const bool absent = at.answer == Answer::kAbsent;
  const bool ours = progress.written || progress.unsure || progress.renamed;
  const bool another =
      !absent && !op.expect_id.empty() && object::IsOtherId(op.expect_id, at.object.id);
  if (Removes(op) ? absent : !absent && !another && IsAlready(op, progress, at)) return {};
  // The answer to the creation of a client was lost: its secret is written again, to be sure.
  const bool again = progress.unsure && !SecretWanted(op).empty();
  if (op.before.empty() && !absent && !progress.written && !again) {
    return Refuse("it exists already", true);
  }
  if (!op.before.empty() && (!ours || absent || another)) {
    if (std::string why = Unexpected(op, at); !why.empty()) return Refuse(std::move(why), true);
  }
  if (std::string why = Removes(op) ? "" : WhyNotHeld(op, at.object.body); !why.empty()) {
    return Refuse(std::move(why), false);
  }
  if (absent) return Create(op, context);
  if (std::string why = context.why_not_written(PartitionOf(at)); !why.empty()) {
    return Refuse(std::move(why), false);
  }
  return Removes(op) ? Delete(op, at, context) : Change(op, progress, at, context);
}

}  // namespace postern::iam::otds
