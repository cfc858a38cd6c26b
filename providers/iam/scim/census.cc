#include "providers/iam/scim/census.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>

namespace postern::iam {
namespace {

// One answer of a listing.
struct Page {
  Json document;
  const Json* resources = nullptr;  // an array; none when there is nothing
  uint64_t total = 0;
  std::string next;  // cursor

  size_t size() const { return resources == nullptr ? 0 : resources->size(); }
};

std::optional<uint64_t> NumberAt(const Json& object, std::string_view name) {
  const auto at = object.find(name);
  if (at == object.end()) return std::nullopt;
  if (at->is_number_integer() && *at >= 0) return at->get<uint64_t>();
  // Some write numbers as text.
  const std::string text = at->is_string() ? at->get<std::string>() : "";
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != text.npos) {
    return std::nullopt;
  }
  return std::stoull(text);
}

// What an error answer says of itself; RFC 7644 section 3.12.
std::string ErrorText(const HttpAnswer& answer) {
  constexpr size_t kLongest = 300;
  std::string text = fmt::format("status {}", answer.status);
  const auto fields = ReadFields(answer, {"scimType", "detail"});
  if (!fields) return text;
  for (const std::string& field : *fields) {
    if (!field.empty()) text += ", " + field.substr(0, kLongest);
  }
  return text;
}

// Why an answer is no list of SCIM; empty: it is one. Products have interfaces of their own beside
// SCIM, with other paging: the end of a page of theirs is not the end of the list.
std::string WhyNoList(const Json& document) {
  constexpr const char* kWayOut = "declare the url of the system's SCIM 2.0 service";
  if (document.is_array()) {
    return fmt::format("it is a bare list, as Okta (/api/v1) and Keycloak (/admin) have it: {}",
                       kWayOut);
  }
  if (!document.is_object()) return "it is no object";
  if (NumberAt(document, "totalResults")) return {};
  if (document.contains("@odata.context") || document.contains("@odata.nextLink")) {
    return fmt::format("it is a page of Microsoft Graph: {}", kWayOut);
  }
  return "it has no totalResults";
}

Result<Page> ReadPage(const HttpAnswer& answer, const std::string& url) {
  if (answer.status != 200) {
    const ErrorCode code = answer.status == 404                           ? ErrorCode::kNotFound
                           : answer.status == 403                         ? ErrorCode::kDenied
                           : answer.status >= 500 || answer.status == 429 ? ErrorCode::kUnavailable
                                                                          : ErrorCode::kInvalid;
    return Fail(code, fmt::format("GET {}: {}", url, ErrorText(answer)));
  }
  auto document = ReadDocument(answer);
  if (!document) return base::Wrap("GET " + url, document.error());
  Page page;
  page.document = std::move(*document);
  const auto no_list = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalid, fmt::format("GET {}: the answer is no list: {}", url, why));
  };
  if (const std::string why = WhyNoList(page.document); !why.empty()) return no_list(why);
  page.total = *NumberAt(page.document, "totalResults");
  page.next = TextAt(page.document, "nextCursor");
  const auto resources = page.document.find("Resources");
  if (resources == page.document.end() || resources->is_null()) return page;
  if (!resources->is_array()) return no_list("its Resources are no array");
  page.resources = &*resources;
  return page;
}

class Walker {
 public:
  Walker(Session& session, std::string_view path, const Paging& paging, ResourceSink& sink)
      : session_(session),
        path_(path),
        paging_(paging),
        sink_(sink),
        cursor_(paging.cursor),
        page_(paging.page) {}

  Result<Census> Run() {
    while (census_.walks < paging_.walks) {
      ++census_.walks;
      if (auto walked = Walk(); !walked) return tl::unexpected(walked.error());
      census_.stable = census_.unstable.empty();
      if (census_.stable) break;
    }
    return census_;
  }

 private:
  Result<void> Walk() {
    sink_.Restart();
    ids_.clear();
    census_.unstable.clear();
    census_.count = census_.total = 0;
    census_.at = base::Now();
    std::unordered_set<std::string> cursors;
    std::string cursor;
    for (bool first = true;; first = false) {
      const std::string url = Url(cursor);
      ++census_.pages;
      const HttpResult answer = session_.Send(
          {Method::kGet, url, {{"Accept", "application/scim+json, application/json"}}, ""});
      if (!answer) return tl::unexpected(answer.error().error);
      auto page = ReadPage(*answer, url);
      if (!page) return tl::unexpected(page.error());
      if (!first && page->total != census_.total) {
        return Moved(fmt::format("its total went from {} to {}", census_.total, page->total));
      }
      census_.total = page->total;
      if (auto took = Take(*page, url); !took) return took;
      if (!census_.unstable.empty()) return {};
      // Less than asked for is the server's own bound. Asking for more than that again makes one
      // server skip what lies between (tests/support/scim, "startIndex=51&count=100").
      if (page->size() > 0 && page->size() < page_ && census_.count < census_.total) {
        page_ = page->size();
      }
      // A server that doesn't know cursors answers with the first page of an index.
      if (cursor_ && first && page->next.empty() && census_.count < census_.total) cursor_ = false;
      if (Ended(*page)) break;
      if (cursor_ && !cursors.insert(cursor = page->next).second) {
        return Fail(ErrorCode::kIncomplete,
                    fmt::format("GET {}: the server gives the same cursor again", url));
      }
    }
    if (census_.count != census_.total) {
      Moved(fmt::format("{} came of {} that it counts", census_.count, census_.total));
    }
    return {};
  }

  std::string Url(const std::string& cursor) const {
    std::string url = path_ + "?";
    if (!paging_.query.empty()) url += paging_.query + "&";
    if (cursor_) return url + fmt::format("cursor={}&count={}", Encode(cursor), page_);
    return url + fmt::format("startIndex={}&count={}", census_.count + 1, page_);
  }

  Result<void> Moved(std::string why) {
    census_.unstable = std::move(why);
    return {};
  }

  Result<void> Take(const Page& page, const std::string& url) {
    for (size_t i = 0; i < page.size(); ++i) {
      const Json& resource = (*page.resources)[i];
      const std::string id = TextAt(resource, "id");
      if (id.empty()) {
        auto took = sink_.AddNameless(resource,
                                      fmt::format("GET {}: resource {} of the answer", url, i + 1));
        if (!took) return took;
        ++census_.count;
        continue;
      }
      if (!ids_.insert(id).second) return Moved(fmt::format("{} came twice", id));
      if (auto added = sink_.Add(resource); !added) return added;
      ++census_.count;
    }
    return {};
  }

  // By received resources, never by the page asked for: servers give less than that.
  bool Ended(const Page& page) const {
    if (cursor_) return page.next.empty() || page.size() == 0;
    return page.size() == 0 || census_.count >= census_.total;
  }

  Session& session_;
  const std::string path_;
  const Paging& paging_;
  ResourceSink& sink_;
  bool cursor_;
  size_t page_;
  Census census_;
  std::unordered_set<std::string> ids_;
};

}  // namespace

Result<Census> WalkAll(Session& session, std::string_view path, const Paging& paging,
                       ResourceSink& sink) {
  return Walker(session, path, paging, sink).Run();
}

}  // namespace postern::iam
