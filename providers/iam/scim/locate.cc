#include "providers/iam/scim/locate.h"

#include <fmt/format.h>

#include "core/diag/text.h"

namespace postern::iam {

using object::Kind;
using object::ObjectKey;
using State = Snapshot::State;

namespace {

// As many names are asked for by filter where the answer "nothing" doesn't count.
constexpr size_t kFew = 4;
constexpr base::Instant kRecent = 60;

struct NameSink final : ResourceSink {
  explicit NameSink(Kind of) : kind(of) {}
  void Restart() override { names.Clear(); }
  Result<void> Add(const Json& resource) override {
    names.Put(TextAt(resource, "id"), NameIn(kind, resource));
    return {};
  }
  // It can't be addressed, so it isn't what is looked for.
  Result<void> AddNameless(const Json&, const std::string&) override { return {}; }

  const Kind kind;
  Names names;
};

Snapshot Unreadable(std::string reason, bool lost = false) {
  Snapshot out;
  out.reason = std::move(reason);
  out.lost = lost;
  return out;
}

Snapshot Absent() {
  Snapshot out;
  out.state = State::kAbsent;
  return out;
}

}  // namespace

// The names of one kind.
class Locator {
 public:
  Locator(ScimTarget& target, Kind kind, const LocateOptions& options, Snapshots* out)
      : target_(target), names_(target.names(kind)), kind_(kind), options_(options), out_(out) {}

  void Run(const std::set<std::string>& keys) {
    std::set<std::string> missing = ReadKnown(keys);
    if (missing.empty()) return;
    missing = Filter(std::move(missing));
    if (!missing.empty()) missing = WalkFor(missing);
    // What was found has an id now.
    for (const std::string& key : ReadKnown(missing)) {
      (*out_)[{kind_, key}] = Unreadable("it changes its name while we look for it");
    }
  }

 private:
  // Answers those whose id is known and right; gives the others back.
  std::set<std::string> ReadKnown(const std::set<std::string>& keys) {
    std::set<std::string> missing;
    std::vector<std::string> ids, asked;
    for (const std::string& key : keys) {
      const auto& known = names_.IdsOf(key);
      if (known.size() == 1) {
        ids.push_back(known.front());
        asked.push_back(key);
      } else {
        missing.insert(key);
      }
    }
    std::vector<Snapshot> read = target_.ReadIds(kind_, ids);
    for (size_t i = 0; i < read.size(); ++i) {
      if (!Take(asked[i], std::move(read[i]))) missing.insert(asked[i]);
    }
    return missing;
  }

  bool Take(const std::string& key, Snapshot snapshot) {
    if (snapshot.state == State::kAbsent) {
      names_.Forget(snapshot.id);
      if (!options_.deleted.contains({kind_, key})) return false;
    }
    if (snapshot.state == State::kFound) {
      const std::string name = NameIn(kind_, snapshot.document);
      names_.Put(snapshot.id, name);
      if (Names::KeyOf(name) != key) return false;
    }
    (*out_)[{kind_, key}] = std::move(snapshot);
    return true;
  }

  std::string FilterUrl(const std::string& key) const {
    const char* attribute = kind_ == Kind::kIamUser ? "userName" : "displayName";
    std::string url = target_.PathOf(kind_) +
                      "?filter=" + Encode(fmt::format("{} eq {}", attribute, Json(key).dump())) +
                      "&count=10";
    if (kind_ == Kind::kIamGroup) url += std::string("&") + ScimTarget::kWithoutMembers;
    return url;
  }

  // Takes what a filter finds; gives back what has an id now, and what only a census can tell.
  std::set<std::string> Filter(std::set<std::string> keys) {
    const bool believes = target_.BelievesFilters();
    const size_t pages = target_.known_[kind_].count / target_.PagingOf("").page + 1;
    const size_t most = believes && options_.each ? keys.size()
                        : believes                ? std::max(kFew, pages)
                                                  : kFew;
    if (keys.size() > most) return keys;
    std::vector<std::string> asked(keys.begin(), keys.end());
    std::vector<HttpRequest> requests;
    for (const std::string& key : asked) requests.push_back(ScimTarget::Get(FilterUrl(key)));
    target_.session().SendAll(std::move(requests), [&](size_t at, const HttpResult& result) {
      const std::string& key = asked[at];
      if (!result && result.error().error.retryable()) {
        (*out_)[{kind_, key}] = Unreadable(result.error().error.message, true);
        keys.erase(key);
      } else if (result && result->status == 200 && TakeFound(key, *result) && believes) {
        (*out_)[{kind_, key}] = Absent();
        keys.erase(key);
      }
    });
    return keys;
  }

  // True: a list without this name, and no other resource that the filter didn't ask for.
  bool TakeFound(const std::string& key, const HttpAnswer& answer) {
    const auto document = ReadDocument(answer);
    if (!document) return false;
    const Json* resources = MemberOf(*document, "Resources");
    if (resources == nullptr || !resources->is_array())
      return TextAt(*document, "totalResults") == "0";
    for (const Json& resource : *resources) {
      const std::string id = TextAt(resource, "id"), name = NameIn(kind_, resource);
      if (!id.empty() && Names::KeyOf(name) == key) names_.Put(id, name);
    }
    return resources->empty();
  }

  // Answers what isn't there or can't be told; gives back what has an id now.
  std::set<std::string> WalkFor(const std::set<std::string>& keys) {
    std::set<std::string> found, missing;
    const auto sort = [&] {
      found.clear(), missing.clear();
      for (const std::string& key : keys) {
        (names_.IdsOf(key).size() == 1 ? found : missing).insert(key);
      }
    };
    sort();
    if (missing.empty()) return found;
    const auto& known = target_.known_[kind_];
    if (options_.recent && known.at != 0 && base::Now() - known.at <= kRecent) {
      return Judge(found, missing, "");
    }
    NameSink sink(kind_);
    const auto census = WalkAll(
        target_.session(), target_.PathOf(kind_),
        target_.PagingOf(kind_ == Kind::kIamGroup ? ScimTarget::kWithoutMembers : ""), sink);
    if (!census) {
      for (const std::string& key : missing) {
        (*out_)[{kind_, key}] = Unreadable(census.error().message, census.error().retryable());
      }
      return found;
    }
    names_ = std::move(sink.names);
    if (census->stable) target_.known_[kind_] = {census->at, census->count};
    sort();
    return Judge(found, missing, census->stable ? "" : census->unstable);
  }

  std::set<std::string> Judge(std::set<std::string> found, const std::set<std::string>& missing,
                              const std::string& unstable) {
    for (const std::string& key : missing) {
      Snapshot& out = (*out_)[{kind_, key}];
      if (names_.IdsOf(key).size() > 1) {
        out = Unreadable(fmt::format("several have the name \"{}\": ids {}", diag::Printable(key),
                                     fmt::join(names_.IdsOf(key), ", ")));
      } else if (!unstable.empty()) {
        out = Unreadable("whether it is there isn't known: the listing is unstable, " + unstable,
                         true);
      } else {
        out = Absent();
      }
    }
    return found;
  }

  ScimTarget& target_;
  Names& names_;
  const Kind kind_;
  const LocateOptions& options_;
  Snapshots* out_;
};

Snapshots ReadKeys(ScimTarget& target, const std::set<ObjectKey>& keys,
                   const LocateOptions& options) {
  Snapshots out;
  for (const Kind kind : {Kind::kIamUser, Kind::kIamGroup}) {
    std::set<std::string> of;
    for (const ObjectKey& key : keys) {
      if (key.kind == kind) of.insert(key.key);
    }
    if (!of.empty()) Locator(target, kind, options, &out).Run(of);
  }
  return out;
}

}  // namespace postern::iam
