#include "tests/live/delivery/places.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace postern::jobs {
namespace {

using support::FindProgram;
using support::RunCommand;

void OpenSsl(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {FindProgram("openssl")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const support::RunResult made = RunCommand(command);
  EXPECT_EQ(made.exit, 0) << made.err;
}

}  // namespace

std::vector<std::string> Protocols() {
  return {"sftp", "ftp", "ftps", "ftps-implicit"};
}

LivePlace::LivePlace(std::string protocol, const std::string& lines) {
  endpoint_.set_name("drop");
  endpoint_.set_protocol(protocol);
  credential_.name = "login";
  if (protocol == "sftp") {
    support::Sshd::Options options;
    options.more = "Subsystem sftp internal-sftp\n" + lines;
    sshd_ = std::make_unique<support::Sshd>(scratch_, options);
    folder_ = scratch_.Folder("in");
    const std::string address = sshd_->address().substr(6);
    credential_.login = address.substr(0, address.find('@'));
    credential_.private_key = support::ReadFile(sshd_->identity());
    endpoint_.set_address(address.substr(address.find('@') + 1));
    endpoint_.set_known_host(sshd_->known_host());
    return;
  }
  support::Proftpd::Options options;
  if (protocol != "ftp") {
    MakeCertificates();
    options.modules = {"mod_tls.c"};
    options.main = fmt::format(
        "TLSEngine on\nTLSRequired on\nTLSProtocol TLSv1.2 TLSv1.3\n"
        "TLSRSACertificateFile {0}/server.pem\nTLSRSACertificateKeyFile {0}/server.key\n{1}",
        scratch_.path(), protocol == "ftps" ? "" : "TLSOptions UseImplicitSSL\n");
    endpoint_.set_ca(scratch_.path() + "/ca.pem");
  }
  options.main += lines;
  proftpd_ = std::make_unique<support::Proftpd>(scratch_, options);
  proftpd_->WriteAccounts({{.name = "acme", .password = "pw one", .home = ""}});
  folder_ = proftpd_->data() + "/in";
  scratch_.Folder("data/in");
  support::OpenTree(proftpd_->data());
  credential_.login = "acme";
  credential_.password = "pw one";
  endpoint_.set_address(fmt::format("127.0.0.1:{}", proftpd_->ftp_port()));
}

void LivePlace::MakeCertificates() {
  const std::string at = scratch_.path();
  const std::string extensions = scratch_.Write("san", "subjectAltName=IP:127.0.0.1\n");
  OpenSsl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", at + "/ca.key", "-out", at + "/ca.pem", "-days", "2", "-subj", "/CN=test"});
  OpenSsl({"req", "-newkey", "rsa:2048", "-nodes", "-keyout", at + "/server.key", "-out",
           at + "/server.csr", "-subj", "/CN=127.0.0.1"});
  OpenSsl({"x509", "-req", "-in", at + "/server.csr", "-CA", at + "/ca.pem", "-CAkey",
           at + "/ca.key", "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out",
           at + "/server.pem"});
}

bool LivePlace::Start() {
  return sshd_ ? sshd_->Start() : proftpd_->Start();
}

std::string LivePlace::Logs() const {
  return sshd_ ? sshd_->Log() : proftpd_->Logs();
}

object::OpenedPlace LivePlace::Open() const {
  auto opened = provider::OpenPlace(endpoint_, {credential_});
  EXPECT_TRUE(opened) << (opened ? "" : opened.error().message) << Logs();
  return opened ? std::move(*opened) : object::OpenedPlace();
}

}  // namespace postern::jobs
