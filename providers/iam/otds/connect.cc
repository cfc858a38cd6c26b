// Opening a target, and what is found out once: who we are, where the partitions come from, how
// what isn't there is answered.
#include <fmt/format.h>

#include "core/base/hash.h"
#include "providers/iam/http/declared.h"
#include "providers/iam/otds/target.h"
#include "providers/iam/otds/ticket.h"

namespace postern::iam {

Result<std::unique_ptr<object::Target>> OpenOtds(const decl::Iam& declared,
                                                 const object::Secrets& secrets,
                                                 const HttpLimits& limits) {
  auto endpoint = ReadEndpoint(declared);
  if (!endpoint) return tl::unexpected(endpoint.error());
  const BaseUrl& base = endpoint->base;
  // With tenants the path before it differs: all but the end is free.
  if (!base.text.ends_with("/rest")) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is not the REST interface, which ends in /otdsws/rest",
                            declared.url()));
  }
  const auto& partitions = declared.manage().partitions().values();
  if (partitions.empty()) {
    return Fail(ErrorCode::kInvalid,
                "manage.partitions is empty: name the partitions that are managed");
  }
  auto authority = otds::MakeAuthority(base, declared.auth(), secrets);
  if (!authority) return tl::unexpected(authority.error());
  auto api = std::make_unique<otds::Api>(base, endpoint->ca, std::move(*authority), limits);
  return std::make_unique<otds::OtdsTarget>(otds::Names({partitions.begin(), partitions.end()}),
                                            std::move(api), otds::TokenUrl(base, declared.auth()));
}

}  // namespace postern::iam

namespace postern::iam::otds {

Result<void> OtdsTarget::Connect() {
  if (connected_) return {};
  ground_ = {};
  if (auto up = api_->AwaitStart(); !up) return up;
  const auto me = api_->Get("/currentuser");
  if (!me) return tl::unexpected(me.error());
  if (!me->is_object() || !me->contains("user")) {
    return Fail(ErrorCode::kInvalid, "GET /currentuser: the answer names no user: is this OTDS?");
  }
  ground_.identity = TextAt((*me)["user"], "id");
  ground_.login = api_->proof();
  ground_.admin = TextAt(*me, "isAdmin") == "true" || TextAt(*me, "isSysAdmin") == "true";
  for (const auto read :
       {&OtdsTarget::ReadPartitions, &OtdsTarget::ReadProfiles, &OtdsTarget::ReadMissing}) {
    if (auto done = (this->*read)(); !done) return done;
  }
  connected_ = true;
  return {};
}

// What is down for now says nothing about the server: it is no refutation.
bool OtdsTarget::SaysNothing(const Error& error) {
  return error.retryable() || error.code == ErrorCode::kAuthentication;
}

Result<void> OtdsTarget::ReadPartitions() {
  std::vector<std::string> paths;
  for (const std::string& name : names_.partitions()) {
    paths.push_back("/partitions/" + Encode(name));
  }
  const auto answers = api_->GetAll(paths);
  for (size_t i = 0; i < answers.size(); ++i) {
    Ground::Partition& partition = ground_.partitions[Folded(names_.partitions()[i])];
    if (answers[i]) {
      partition.location = TextAt(*answers[i], "location");
    } else if (SaysNothing(answers[i].error())) {
      return tl::unexpected(answers[i].error());
    } else {
      partition.trouble = answers[i].error().message;
    }
  }
  return {};
}

// What a name that can't be there is answered with.
Result<void> OtdsTarget::ReadMissing() {
  const std::string nobody =
      "postern-" + base::Hex(base::RandomBytes(16)) + "@" + names_.partitions().front();
  const auto look = api_->LookAt(UserPath(nobody));
  if (!look) return tl::unexpected(look.error());
  if (look->status == 404 && look->json) {
    guesses_.Confirm(Guess::kMissing, "a name that nobody has is answered with 404");
  } else {
    guesses_.Refute(Guess::kMissing,
                    fmt::format("a name that nobody has is answered with {}: absence is decided "
                                "by a list",
                                look->status));
  }
  return {};
}

Ground::Origin OtdsTarget::OriginOf(std::string_view partition) const {
  const auto at = ground_.partitions.find(Folded(partition));
  return at == ground_.partitions.end() ? Ground::Origin::kUnknown : at->second.origin;
}

std::string OtdsTarget::WhyNotWritten(std::string_view partition) const {
  if (Same(partition, kClientPartition)) return {};  // OTDS's own, never synchronized
  const auto at = ground_.partitions.find(Folded(partition));
  if (at == ground_.partitions.end()) return fmt::format("partition {} is not managed", partition);
  if (!at->second.trouble.empty()) return at->second.trouble;
  if (at->second.origin == Ground::Origin::kSynchronized) {
    return fmt::format("partition {} is synchronized from another system: change it there",
                       partition);
  }
  if (at->second.origin == Ground::Origin::kUnknown) {
    return fmt::format(
        "unconfirmed on this server: whether partition {} is synchronized can't be "
        "told ({})",
        partition, guesses_.why(Guess::kProfiles));
  }
  return {};
}

}  // namespace postern::iam::otds
