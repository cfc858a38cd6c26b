#include "core/config/service_needs.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace postern::config {
namespace {

// What a job does in a folder of a host.
struct Use {
  std::string_view host, path;
  std::set<std::string_view> rights;
};

using Uses = std::vector<Use>;

bool IsIn(std::string_view path, std::string_view folder) {
  if (folder == "/" || path == folder) return true;
  return path.starts_with(folder) && path.substr(folder.size()).starts_with('/');
}

class Jobs {
 public:
  Jobs(const Declarations& declarations, const Index& index) : index_(index) {
    for (const auto& job : declarations.exports) AddExport(job.message);
    for (const auto& job : declarations.imports) AddImport(job.message);
  }
  // Null: no job runs as it.
  const Uses* Of(const std::string& service) const {
    const auto at = uses_.find("service:" + service);
    return at == uses_.end() ? nullptr : &at->second;
  }

 private:
  // A temporary file that is checked, renamed over its final name, and in time removed.
  void AddExport(const decl::Export& job) {
    Uses& uses = uses_[job.as()];
    const decl::Endpoint* place = EndpointNamed(job.deliver().to());
    if (place == nullptr) return;
    std::set<std::string_view> rights = {"list", "create", "rename", "delete"};
    if (place->verify() != "size") rights.insert("read");
    if (place->receiver() != "unique") rights.insert("overwrite");
    AddUse(*place, job.deliver().folder(), std::move(rights), &uses);
  }

  void AddImport(const decl::Import& job) {
    Uses& uses = uses_[job.as()];
    const decl::Fetch& fetch = job.fetch();
    const decl::Endpoint* place = EndpointNamed(fetch.from());
    if (place == nullptr) return;
    std::set<std::string_view> rights = {"list", "read"};
    if (fetch.has_done()) rights.insert({"rename", "delete"});
    AddUse(*place, fetch.folder(), std::move(rights), &uses);
    if (fetch.has_done()) AddUse(*place, fetch.done(), {"list", "create", "rename"}, &uses);
    if (fetch.has_rejects()) {
      AddUse(*place, fetch.rejects(), {"list", "read", "create", "rename", "overwrite", "delete"},
             &uses);
    }
  }

  const decl::Endpoint* EndpointNamed(const std::string& name) const {
    const auto* declared = index_.Get<decl::Endpoint>(name);
    return declared != nullptr ? &declared->message : nullptr;
  }

  void AddUse(const decl::Endpoint& place, std::string_view path, std::set<std::string_view> rights,
              Uses* uses) const {
    const auto* server = index_.Get<decl::Server>(place.server());
    if (server != nullptr) uses->push_back({server->message.host(), path, std::move(rights)});
  }

  const Index& index_;
  std::map<std::string, Uses> uses_;
};

// A path that a job names is as the server shows it: below the login folder where that is its root.
bool Touches(const Use& use, const decl::Folder& folder, const std::string& home) {
  if (use.host != folder.host()) return false;
  return IsIn(use.path, folder.path()) || IsIn(home + std::string(use.path), folder.path());
}

}  // namespace

std::vector<Unneeded> FindUnneeded(const Declarations& declarations, const Index& index) {
  std::vector<Unneeded> out;
  const Jobs jobs(declarations, index);
  for (const auto& service : declarations.service_accounts) {
    const Uses* uses = jobs.Of(service.message.name());
    if (uses == nullptr) continue;
    const auto& rows = service.message.rows().values();
    for (int i = 0; i < rows.size(); ++i) {
      const auto* folder = index.Get<decl::Folder>(rows[i].folder());
      if (folder == nullptr) continue;
      Unneeded unneeded{&service, i, {}, false};
      for (const std::string& right : rows[i].rights().values()) {
        const bool used = std::any_of(uses->begin(), uses->end(), [&](const Use& use) {
          return use.rights.contains(right) &&
                 Touches(use, folder->message, service.message.home());
        });
        if (!used) unneeded.rights.push_back(right);
      }
      unneeded.all = unneeded.rights.size() == static_cast<size_t>(rows[i].rights().values_size());
      if (!unneeded.rights.empty()) out.push_back(std::move(unneeded));
    }
  }
  return out;
}

}  // namespace postern::config
