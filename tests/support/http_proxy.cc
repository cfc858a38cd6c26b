#include "tests/support/http_proxy.h"

#include <algorithm>

namespace postern::support {
namespace {

// Where the path begins in http://host:port/path; the length when there is none.
size_t PathStart(const std::string& url) {
  return std::min(url.find('/', url.find("//") + 2), url.size());
}

std::vector<std::string> Command(const HttpProxy::Options& options) {
  std::vector<std::string> argv = {"python3",
                                   "-B",
                                   SupportFile("proxy/serve.py"),
                                   "--upstream",
                                   options.upstream.substr(0, PathStart(options.upstream)),
                                   "--seed",
                                   std::to_string(options.seed)};
  if (!options.like.empty()) argv.insert(argv.end(), {"--like", options.like});
  if (options.etags) argv.emplace_back("--etags");
  if (options.http2) argv.insert(argv.end(), {"--tls", "good", "--plain"});
  if (!options.tls.empty()) argv.insert(argv.end(), {"--tls", options.tls});
  return argv;
}

}  // namespace

HttpProxy::HttpProxy(const Options& options)
    : path_(options.upstream.substr(PathStart(options.upstream))),
      server_(scratch_, "proxy", Command(options)) {
  if (options.http2) StartFront();
}

// Nothing of the machine's own configuration of nghttpx is read.
void HttpProxy::StartFront() {
  const std::string behind = server_.url();
  const uint16_t port = FreePort();
  front_ = std::make_unique<ServerProcess>(
      scratch_,
      std::vector<std::string>{"nghttpx", "--conf=/dev/null", "--workers=1",
                               "--errorlog-file=/dev/stderr",
                               "--frontend=127.0.0.1," + std::to_string(port),
                               "--backend=127.0.0.1," + behind.substr(behind.rfind(':') + 1),
                               server_.Said("key"), server_.Said("cert")},
      ServerProcess::Options{.name = "nghttpx"});
  if (front_->WaitForPort(port)) front_url_ = "https://127.0.0.1:" + std::to_string(port) + path_;
}

void HttpProxy::Rule(const nlohmann::json& rule) {
  AskControl("POST", server_.control_url() + "/rules", rule);
}

void HttpProxy::ClearRules() {
  AskControl("DELETE", server_.control_url() + "/rules");
}

nlohmann::json HttpProxy::Requests() {
  return AskControl("GET", server_.control_url() + "/requests");
}

void HttpProxy::ClearRequests() {
  AskControl("DELETE", server_.control_url() + "/requests");
}

nlohmann::json HttpProxy::Connections() {
  return AskControl("GET", server_.control_url() + "/connections");
}

}  // namespace postern::support
