// postern explain CODE | ADDRESS: a code's page, or all that is known of one thing and why.
#include <fmt/format.h>

#include <set>

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/config/index.h"
#include "core/diag/codes.h"
#include "core/view/access_table.h"
#include "core/view/json_writer.h"
#include "core/view/lists.h"

namespace postern::cmd {
namespace {

using object::Kind;
using view::Story;

struct Place {
  std::string target;
  Kind kind{};
  std::string key;
  auto operator<=>(const Place&) const = default;
};

class Explainer {
 public:
  Explainer(Shell& shell, std::string address)
      : shell_(shell), address_(std::move(address)), world_(shell) {}

  int Run() {
    if (const diag::CodePage* page = diag::FindCode(address_)) return Page(*page);
    if (address_.find(':') == std::string::npos) return Unknown();
    if (!world_.Load()) return world_.PrintErrors();
    if (auto opened = world_.OpenLedger(World::LedgerUse::kRead); !opened) {
      return shell_.Fail(LedgerCode(opened.error()), opened.error());
    }
    world_.Connect();
    if (const int code = ObserveAndPlan(shell_, &world_); code != kOk) return code;
    const std::set<Place> places = Find();
    if (places.empty()) return Identity();
    std::vector<Story> stories;
    for (const Place& place : places) stories.push_back(StoryOf(place));
    if (shell_.json()) {
      WriteJson(stories, nullptr);
    } else {
      for (const Story& story : stories) shell_.Say(view::RenderStory(story, shell_.style()));
    }
    return world_.observed_all() ? kOk : kIncomplete;
  }

 private:
  int Page(const diag::CodePage& page) {
    if (shell_.json()) {
      view::JsonWriter json(shell_.out());
      json.Object().Field("code", page.code).Field("title", page.title);
      json.Field("meaning", page.meaning).Field("example", page.example);
      json.Field("way_out", page.way_out).End();
    } else {
      shell_.Say(diag::RenderPage(page));
    }
    return kOk;
  }

  int Unknown() {
    return shell_.Fail({.code = diag::code::kUnknownName,
                        .summary = fmt::format("nothing is known by the name \"{}\"", address_),
                        .notes = {"a code such as E0204, or an address such as "
                                  "account:SERVER/LOGIN, folder:NAME, person:NAME"}});
  }

  // "account:acme-in" names what it owns: "account:acme-in (partner:acme)".
  // A service account is asked for by its identity as well.
  bool Owns(const std::string& owner) const {
    constexpr std::string_view kService = "service:";
    const std::string declared = address_.starts_with(kService)
                                     ? "service_account:" + address_.substr(kService.size())
                                     : address_;
    return owner == declared || owner.starts_with(declared + " (");
  }

  std::set<Place> Find() const {
    std::set<Place> places;
    for (const compile::DesiredTarget& target : world_.desired.targets) {
      for (const compile::DesiredObject& object : target.objects) {
        bool found = object::Address(object.kind, object.key) == address_;
        for (const uint32_t source : object.sources) {
          found = found || Owns(world_.desired.provenance[source].owner);
        }
        if (found) places.insert({target.name, object.kind, std::string(object.key)});
      }
    }
    for (const auto& [target, rows] : world_.recorded) {
      for (const ledger::Recorded& row : rows) {
        if (Owns(row.owner) || object::Address(row.kind, row.key) == address_) {
          places.insert({target, row.kind, row.key});
        }
      }
    }
    for (const observe::ObservedTarget& target : world_.observed.targets) {
      for (const object::ObjectView& object : target.objects.all()) {
        if (object::Address(object.kind, object.key) == address_) {
          places.insert({target.name, object.kind, std::string(object.key)});
        }
      }
    }
    AddFolder(&places);
    return places;
  }

  // A folder without owner, group or mode is a name only: what it is there for is its grants.
  void AddFolder(std::set<Place>* places) const {
    if (!address_.starts_with("folder:")) return;
    const config::Index index(world_.loaded.declarations);
    const auto* folder = index.Get<decl::Folder>(address_.substr(7));
    if (folder == nullptr) return;
    const std::string path = object::Normalise(object::Comparator::kPath, folder->message.path());
    const std::string target = "host:" + folder->message.host();
    places->insert(
        {target, Kind::kFolder, object::MakeKey(Kind::kFolder, {folder->message.host(), path})});
    const compile::DesiredTarget* wanted = world_.desired.Find(target);
    if (wanted == nullptr) return;
    for (const compile::DesiredObject& object : wanted->objects) {
      if (object.kind == Kind::kGrant && object::SplitKey(object.key)[1] == path) {
        places->insert({target, object.kind, std::string(object.key)});
      }
    }
  }

  struct Reach {
    std::vector<view::AccessRow> declared, live;
  };

  std::vector<view::AccessRow> What(const access::World& world) const {
    return view::AccessQuery(world, world_.desired, world_.loaded.sources, &world_.observed)
        .What(address_);
  }

  // A person or partner has no object of its own: it is what its accounts and entries open.
  int Identity() {
    const Reach reach = {What(view::DeclaredWorld(world_.desired)),
                         What(view::LiveWorld(world_.observed))};
    const std::string where = DeclaredAt();
    if (where.empty() && reach.declared.empty() && reach.live.empty()) return Unknown();
    const int code = world_.observed_all() ? kOk : kIncomplete;
    if (shell_.json()) {
      WriteJson({}, &reach);
      return code;
    }
    if (!where.empty()) {
      shell_.Say(view::Safe(address_ + ", declared at " + where, shell_.style()) + "\n");
    }
    for (const bool live : {false, true}) {
      const view::AccessHeading heading{"What " + address_ + " reaches", live, {}};
      shell_.Say(
          view::RenderAccess(heading, live ? reach.live : reach.declared, false, shell_.style()));
    }
    return code;
  }

  void WriteJson(const std::vector<Story>& stories, const Reach* reach) {
    view::JsonWriter json(shell_.out());
    json.Object().Field("format_version", "1.0").Field("subject", address_);
    json.Optional("declared_at", DeclaredAt()).Key("objects").Array();
    for (const Story& story : stories) view::WriteStoryJson(json, story);
    json.End();
    if (reach != nullptr) {
      view::WriteAccessRows(json.Key("access").Object().Key("declared"), reach->declared);
      view::WriteAccessRows(json.Key("live"), reach->live);
      json.End();
    }
    json.End();
  }

  std::string DeclaredAt() const {
    const auto address = config::SplitAddress(address_);
    if (!address) return "";
    const config::Index index(world_.loaded.declarations);
    const config::Index::Entry* entry = index.Find(address->table, address->name);
    return entry == nullptr ? "" : world_.loaded.sources.Place(entry->span);
  }

  Story StoryOf(const Place& place) {
    Story story;
    story.target = place.target;
    story.kind = place.kind;
    story.key = place.key;
    if (const compile::DesiredTarget* wanted = world_.desired.Find(place.target)) {
      story.wanted = wanted->Find(place.kind, place.key);
    }
    if (story.wanted != nullptr) {
      for (const uint32_t source : story.wanted->sources) {
        story.sources.push_back(world_.desired.provenance[source]);
        AddFact(&story.sources.back());
        story.places.push_back(world_.loaded.sources.Place(story.sources.back().span));
      }
    }
    for (const ledger::Recorded& row : world_.recorded[place.target]) {
      if (row.kind == place.kind && row.key == place.key) story.recorded = row;
    }
    AddLive(&story);
    for (const plan::Change& change : world_.plan.changes) {
      if (world_.plan.targets[change.target].name == place.target && change.kind == place.kind &&
          change.key == place.key) {
        story.change = &change;
      }
    }
    return story;
  }

  // What comes by a role says which fact of whom it comes from.
  void AddFact(compile::Provenance* source) const {
    const compile::ByFact* fact = world_.desired.FactsBehind(*source);
    if (fact == nullptr || !source->reason.empty()) return;
    source->reason = fact->held.empty() ? fact->cause : "as recorded: " + fact->held;
  }

  void AddLive(Story* story) const {
    const observe::ObservedTarget* target = world_.observed.Find(story->target);
    if (target == nullptr || !target->reached) {
      story->live_reason = target == nullptr ? "not a declared target" : target->error.message;
      return;
    }
    if (const object::ObjectView* live = target->objects.Find(story->kind, story->key)) {
      story->live = Story::Live::kValue;
      story->object.body = live->body;
      story->object.changed_by = live->changed_by;
      story->object.changed_at = live->changed_at;
      story->object.how_known = live->how_known;
      return;
    }
    const object::ScopeStatus* scope =
        target->Scope(story->kind, observe::ScopeOf(story->kind, story->key, target->scopes));
    const bool complete = scope != nullptr && scope->complete;
    story->live = complete ? Story::Live::kAbsent : Story::Live::kUnreadable;
    if (!complete)
      story->live_reason = scope == nullptr ? "outside what is managed" : scope->reason;
  }

  Shell& shell_;
  const std::string address_;
  World world_;
};

}  // namespace

Run DefineExplain(Arguments& arguments) {
  auto subject = std::make_shared<std::string>();
  arguments = {{.name = "WHAT",
                .help = "a code (E0204), or an address (account:SERVER/LOGIN, folder:NAME, "
                        "person:NAME, ...)",
                .text = subject.get(),
                .required = true}};
  return [subject](Shell& shell) { return Explainer(shell, *subject).Run(); };
}

}  // namespace postern::cmd
