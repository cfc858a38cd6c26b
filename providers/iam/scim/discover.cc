// What the server says of itself, and what it is seen to do.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/http/clock.h"
#include "providers/iam/scim/target.h"

namespace postern::iam {

using object::Kind;

std::string SaidIn(const HttpAnswer& answer) {
  constexpr size_t kLongest = 300;
  std::string text = fmt::format("status {}", answer.status);
  const auto document = ReadDocument(answer);
  if (!document) return text;
  for (const char* name : {"scimType", "detail"}) {
    const std::string said = TextAt(*document, name);
    if (!said.empty()) text += ", " + said.substr(0, kLongest);
  }
  return text;
}

Result<void> ScimTarget::Discover() {
  if (discovered_) return {};
  const int64_t sent = NowMs();
  const HttpResult result = session_.Send(Get("/ServiceProviderConfig"));
  if (!result) {
    Error error = result.error().error;
    if (error.code == ErrorCode::kAuthentication &&
        error.message.find("does not accept") != std::string::npos) {
      error.message += ": renew the secret that auth names";
    }
    return tl::unexpected(error);
  }
  skew_ms_ = SkewMs(result->Header("date"), sent, NowMs());
  if (auto types = DiscoverTypes(); !types) return types;
  discovered_ = true;
  // Some servers have none: RFC 7644 section 4 demands it, and nothing here needs it.
  if (result->status != 200) {
    config_trouble_ = "the server has none: " + SaidIn(*result);
    return {};
  }
  auto config = ReadDocument(*result);
  if (!config) {
    config_trouble_ = config.error().message;
    return {};
  }
  config_ = std::move(*config);
  settings_.dialect.Discover(config_);
  return {};
}

// Some servers have none, as above; one that is gone by now is an error.
Result<void> ScimTarget::DiscoverTypes() {
  const HttpResult result = session_.Send(Get("/ResourceTypes"));
  if (!result) return tl::unexpected(result.error().error);
  if (result->status != 200) {
    types_trouble_ = "the server has none: " + SaidIn(*result);
    return {};
  }
  const auto list = ReadDocument(*result);
  types_trouble_ =
      list ? settings_.dialect.DiscoverTypes(*list, session_.base()) : list.error().message;
  return {};
}

namespace {

// The only resource of a list answer; nothing where there is none, or more. `count`: how many.
const Json* OnlyOne(const Json& document, size_t* count) {
  const Json* resources = MemberOf(document, "Resources");
  *count = resources != nullptr && resources->is_array() ? resources->size() : 0;
  return *count == 1 ? &(*resources)[0] : nullptr;
}

std::string SwapCase(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    } else if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return text;
}

std::string FilterQuery(std::string_view attribute, const std::string& value) {
  return "?filter=" + Encode(fmt::format("{} eq {}", attribute, Json(value).dump())) + "&count=2";
}

std::string_view Strong(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

}  // namespace

std::string VersionIn(const HttpAnswer& answer, const Json& resource) {
  const std::string tag(answer.Header("etag"));
  const Json* meta = MemberOf(resource, "meta");
  const std::string version = meta == nullptr ? "" : TextAt(*meta, "version");
  return !tag.empty() && Strong(tag) == Strong(version) ? tag : "";
}

// RFC 7644 section 3.14: ETag and meta.version are the same version. A framework's ETag is a hash
// of the bytes that were sent, comes without meta.version, and its server writes whatever If-Match
// says (scimmy: facts, iam-governance section 3.2). That a version is checked at a write isn't
// shown by this: trying would be a write. What reads can show is that the resource has versions,
// and that one stays while nobody writes.
void ScimTarget::ExamineVersions(const Json& sample) {
  const std::string url = PathOf(Kind::kIamUser, TextAt(sample, "id"));
  std::string versions[2];
  std::string why;
  for (std::string& version : versions) {
    const HttpResult result = session_.Send(Get(url));
    if (!result || result->status != 200) return;
    const auto document = ReadDocument(*result);
    if (!document) return;
    version = VersionIn(*result, *document);
    if (version.empty()) {
      why = result->Header("etag").empty()
                ? "a user has no ETag"
                : "a user's ETag isn't its meta.version: it stands for the bytes of an answer";
      break;
    }
  }
  if (why.empty() && versions[0] != versions[1]) {
    // Somebody may have written in between; then it is found out another time.
    why = "a user's ETag changed from one read to the next";
  }
  if (why.empty()) {
    settings_.dialect.Saw(Trait::kVersions, "etag", "a user's ETag is its meta.version, twice");
  } else {
    settings_.dialect.Saw(Trait::kVersions, "none", why);
  }
}

void ScimTarget::ExamineFilter(const Json& sample) {
  const std::string name = NameIn(Kind::kIamUser, sample), id = TextAt(sample, "id");
  const auto ask = [&](std::string_view attribute, const std::string& value, int* status) {
    const HttpResult result =
        session_.Send(Get(PathOf(Kind::kIamUser) + FilterQuery(attribute, value)));
    *status = result ? result->status : 0;
    if (!result || result->status != 200) return false;
    const auto document = ReadDocument(*result);
    size_t count = 0;
    const Json* one = document ? OnlyOne(*document, &count) : nullptr;
    return one != nullptr && TextAt(*one, "id") == id;
  };
  const auto verdict = [&](std::string_view value, std::string why) {
    settings_.dialect.Saw(Trait::kFilter, value, std::move(why));
  };
  int status = 0;
  if (!ask("userName", name, &status)) {
    if (status != 0) verdict("none", fmt::format("a user that is there isn't found ({})", status));
    return;
  }
  const bool has_letters = SwapCase(name) != name;
  folds_case_ = has_letters && ask("userName", SwapCase(name), &status);
  ask("postern-no-such-attribute", "x", &status);
  if (status == 0) return;
  if (status != 200) {
    verdict("eq", "a user that is there is found, and an attribute that can't be is refused");
  } else {
    verdict("none", "a filter on an attribute that can't be is answered as if nothing was found");
  }
}

void ScimTarget::Examine() {
  if (examined_) return;
  const HttpResult result = session_.Send(Get(PathOf(Kind::kIamUser) + "?startIndex=1&count=1"));
  if (!result || result->status != 200) return;
  const auto document = ReadDocument(*result);
  if (!document) return;
  const Json* resources = MemberOf(*document, "Resources");
  if (resources == nullptr || !resources->is_array() || resources->empty()) return;
  const Json sample = resources->front();
  if (TextAt(sample, "id").empty() || NameIn(Kind::kIamUser, sample).empty()) return;
  examined_ = true;
  ExamineVersions(sample);
  ExamineFilter(sample);
}

bool ScimTarget::BelievesFilters() {
  if (!dialect().Is(Trait::kFilter, "eq")) return false;
  const auto rows = dialect().Rows();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [](const Dialect::Row& of) { return of.trait == Trait::kFilter; });
  if (row->origin == Origin::kDeclared) return true;
  Examine();
  return examined_ && folds_case_ && dialect().Is(Trait::kFilter, "eq");
}

}  // namespace postern::iam
