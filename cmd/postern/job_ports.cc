#include "cmd/postern/job_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "core/base/hash.h"
#include "core/jobs/credentials.h"
#include "core/jobs/snapshot/snapshot.h"
#include "core/provider/delivery.h"
#include "core/view/access_query.h"

namespace postern::cmd {
namespace {

template <class Repeated, class Message>
void Take(const Repeated& from, std::vector<config::Declared<Message>>* to) {
  for (const Message& message : from) to->push_back({message, {}, {}});
}

// One row of access as cells; text that it points to lives as long as this. Whose an account is and
// until when only declarations say, and there are none here.
class EntitlementRow {
 public:
  explicit EntitlementRow(const view::AccessRow& row) : depth_(access::NameOf(row.depth)) {
    for (uint32_t bit = 0; access::Rights::All().bits() >> bit != 0; ++bit) {
      const auto right = static_cast<access::Right>(bit);
      if (row.rights.Has(right)) rights_.push_back(access::NameOf(right));
    }
    target_ = row.place.server.empty() ? row.place.target : "server:" + row.place.server;
    key_ = fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}", row.identity, target_, row.account,
                       row.path, depth_, row.through);
    id_ = base::Hex(base::Sha256(key_)).substr(0, kIdDigits);
    const auto text = [](std::string_view value) {
      return value.empty() ? jobs::Cell::Empty() : jobs::Cell::One(value);
    };
    cells_ = {jobs::Cell::One(id_), text(target_),     text(row.account),         text(row.path),
              text(depth_),         text(row.through), jobs::Cell::List(rights_), text(row.closed)};
  }
  jobs::SourceRow row() const { return {key_, cells_, 0}; }

 private:
  static constexpr size_t kIdDigits = 24;
  std::string depth_, target_, key_, id_;
  std::vector<std::string_view> rights_;
  std::vector<jobs::Cell> cells_;
};

constexpr size_t kKeyBytes = 32;

}  // namespace

JobPorts::JobPorts(const job::JobSpec& spec, std::optional<base::Instant> now)
    : spec_(spec), now_(now) {
  Take(spec.directories(), &declarations_.directories);
  Take(spec.iams(), &declarations_.iams);
  Take(spec.hosts(), &declarations_.hosts);
  Take(spec.servers(), &declarations_.servers);
  for (const job::SecretPlace& place : spec.secrets()) {
    config::Declared<decl::Secret> secret;
    secret.message.set_name(place.name());
    secret.message.set_from(place.from());
    declarations_.secrets.push_back(std::move(secret));
  }
}

jobs::Ports JobPorts::Ports() {
  jobs::Ports ports;
  ports.source = [this](const std::string& name) { return Source(name); };
  ports.secret = [this](const std::string& name) { return Secret(name); };
  ports.place = [this] { return OpenPlace(); };
  ports.entitlements = [this](const jobs::TakeRow& take, jobs::CensusReport* report) {
    return Entitlements(take, report);
  };
  ports.snapshot = [this](base::Instant taken, const jobs::Sink& sink,
                          diag::Diagnostics* diagnostics) {
    return Snapshot(taken, sink, diagnostics);
  };
  // As of a moment, the clock goes on from there: an answer is waited for no longer than declared.
  ports.clock.now = [this, began = base::Now()] {
    return now_ ? *now_ + (base::Now() - began) : base::Now();
  };
  ports.clock.wait = [](std::chrono::seconds span) {
    std::this_thread::sleep_for(span);
    return true;
  };
  return ports;
}

void JobPorts::Connect() {
  if (connected_) return;
  connected_ = true;
  observe::OpenOptions options;
  options.ledger_id = spec_.ledger_id();
  options.generation = spec_.generation();
  // A snapshot holds nothing of passwords, but reads as a whole only what isn't kept from it: the
  // digests are made with a key that nobody has, and dropped.
  if (spec_.export_().what() == "snapshot") options.ledger_key = base::RandomBytes(kKeyBytes);
  targets_ = observe::OpenTargets(declarations_, options);
}

Result<object::Target*> JobPorts::Source(const std::string& name) {
  Connect();
  for (observe::OpenTarget& open : targets_) {
    if (open.name != name) continue;
    if (open.target == nullptr) return tl::unexpected<Error>(open.error);
    return open.target.get();
  }
  return Fail(ErrorCode::kNotFound, name + " isn't in the specification");
}

Result<std::string> JobPorts::Secret(const std::string& name) const {
  return observe::SecretStore(&declarations_).Find(name, "");
}

Result<jobs::Ports::OpenedAt> JobPorts::OpenPlace() const {
  const auto secret = [this](const std::string& name) { return Secret(name); };
  auto credentials = jobs::CredentialsOf(spec_, secret);
  if (!credentials) return tl::unexpected<Error>(credentials.error());
  auto opened = provider::OpenPlace(spec_.endpoint(), credentials->all);
  // Where a login has one password, it may have been changed between the two tries.
  if (!opened && opened.error().code == ErrorCode::kAuthentication && credentials->all.size() > 1) {
    opened = provider::OpenPlace(spec_.endpoint(), credentials->all);
  }
  if (!opened) {
    // The one that was left out may be the one that the place takes by now.
    for (const std::string& one : credentials->left_out) opened.error().message += "; " + one;
    return tl::unexpected<Error>(opened.error());
  }
  return jobs::Ports::OpenedAt{
      std::move(opened->place),
      opened->fingerprint.empty() ? opened->credential : opened->fingerprint,
      std::move(credentials->left_out)};
}

// By the same engine and rows as `postern access who`, over what is live now.
Result<void> JobPorts::Entitlements(const jobs::TakeRow& take, jobs::CensusReport* report) {
  Connect();
  const observe::Observed observed = observe::Observe(targets_, {});
  for (const observe::ObservedTarget& target : observed.targets) {
    if (!target.reached) report->incomplete.push_back(target.name + ": " + target.error.message);
    jobs::Judge(target.name, target.scopes, report);
  }
  const access::World world = view::LiveWorld(observed);
  const compile::Desired nobody;
  const diag::Sources sources;
  const view::AccessQuery query(world, nobody, sources, &observed);
  const auto& select = spec_.export_().select();
  const std::set<std::string> servers(select.servers().values().begin(),
                                      select.servers().values().end());
  std::set<std::string> told;
  for (const decl::Host& host : spec_.hosts()) {
    const std::string target = "host:" + host.name();
    std::vector<std::string> paths;
    for (const decl::Folder& folder : spec_.folders()) {
      if (folder.host() == host.name()) paths.push_back(folder.path());
    }
    if (!select.has_folders()) {
      paths.assign(host.manage().roots().values().begin(), host.manage().roots().values().end());
    }
    for (const std::string& path : paths) {
      for (const view::AccessRow& row :
           query.Who(target, object::Normalise(object::Comparator::kPath, path))) {
        if (!servers.empty() && !servers.contains(row.place.server)) continue;
        const EntitlementRow one(row);
        // A folder and one below it both show what reaches the inner one.
        if (!told.insert(std::string(one.row().key)).second) continue;
        ++report->seen;
        if (auto taken = take(one.row()); !taken) return taken;
      }
    }
  }
  return {};
}

Result<uint64_t> JobPorts::Snapshot(base::Instant taken, const jobs::Sink& sink,
                                    diag::Diagnostics* diagnostics) {
  Connect();
  const observe::Observed observed = observe::Observe(targets_, {});
  const jobs::SnapshotHead head{.taken = taken,
                                .ledger_id = spec_.ledger_id(),
                                .revision = spec_.commit(),
                                .generation = spec_.generation()};
  const auto totals = jobs::WriteSnapshot(head, observed, sink, diagnostics);
  if (!totals) return tl::unexpected<Error>(totals.error());
  return totals->objects;
}

}  // namespace postern::cmd
