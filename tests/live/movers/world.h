// tests/live/movers/world.h: people of an IAM system (scimmy) and a directory (slapd) who have
// accounts at an sshd and a ProFTPD by roles alone, and real clients of both.
//
// Beyond the world of two_servers.h: departments Marketing and Sales are roles, with one folder
// each; the two sources are joined by employee number. A proxy stands before the IAM system, so
// that it can go away. Nobody is named in TOML but the keeper of the host.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/live/openssh/two_servers.h"
#include "tests/support/http_proxy.h"
#include "tests/support/scim.h"
#include "tests/support/slapd.h"

namespace postern::live {

class Movers : public TwoServers {
 protected:
  SshdWorld::Options Options() const override { return {.servers = FtpServer() + Sources()}; }
  void SetUp() override;

  // A person in both sources, with a key of her own; active at once, or not yet.
  void Hire(const std::string& name, const std::string& department, bool active = true);
  void Move(const std::string& name, const std::string& department);
  // As a plan names a person of the IAM system.
  std::string IdentityOf(const std::string& name) const {
    return "iam:hr/" + name + "#" + ids_.at(name);
  }
  // Out of both sources, without a trace.
  void Leave(const std::string& name);
  void SetActive(const std::string& name, bool active);
  // As the directory's own people lock an entry.
  void LockInDirectory(const std::string& name);
  void UnlockInDirectory(const std::string& name);
  // The IAM system answers no more, or again.
  void CutSource();
  void MendSource();
  // It answers as this rule of the proxy says.
  void Spoil(const nlohmann::json& rule) { proxy_.Rule(rule); }

  // `postern plan --json`.
  nlohmann::json Plan() const;
  // Applies what the plan says, and expects that the plan after it is empty.
  void Follow() const { world_->ApplyAll(); }

  // By the person's own key.
  bool GetsAtSshd(const std::string& name, const std::string& file) const;
  bool GetsAtFtp(const std::string& name, const std::string& file) const;

  support::ScimServer scim_{{.users = 1, .groups = 1}};
  support::HttpProxy proxy_{{.upstream = scim_.url()}};
  support::Slapd slapd_;

 private:
  std::string Sources() const;
  void Patch(const std::string& name, const nlohmann::json& operation);
  bool Sftp(const std::string& name, uint16_t port, const std::string& file) const;

  std::map<std::string, std::string> ids_;  // by name
  int hired_ = 0;
};

}  // namespace postern::live
