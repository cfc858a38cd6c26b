// Real servers that files are delivered to, one for each protocol.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/provider/delivery.h"
#include "schemas/job_declarations.pb.h"
#include "tests/support/proftpd.h"
#include "tests/support/sshd.h"

namespace postern::jobs {

class LivePlace {
 public:
  // "sftp", "ftp", "ftps", "ftps-implicit"; `lines` for the server's configuration.
  explicit LivePlace(std::string protocol, const std::string& lines = "");

  [[nodiscard]] bool Start();
  const decl::Endpoint& endpoint() const { return endpoint_; }
  decl::Endpoint& endpoint() { return endpoint_; }
  const object::PlaceCredential& credential() const { return credential_; }
  // The folder, as its path is here and there.
  const std::string& folder() const { return folder_; }
  const support::Scratch& scratch() const { return scratch_; }
  std::string Logs() const;
  // Opens it; a failure fails the test.
  object::OpenedPlace Open() const;

 private:
  void MakeCertificates();

  support::Scratch scratch_;
  std::string folder_;
  decl::Endpoint endpoint_;
  object::PlaceCredential credential_;
  std::unique_ptr<support::Sshd> sshd_;
  std::unique_ptr<support::Proftpd> proftpd_;
};

std::vector<std::string> Protocols();

}  // namespace postern::jobs
