// providers/sdk/service.h: a gRPC service on descriptor 3, as every provider has one.
//
// Binds the process to the core (it dies with it, leaves no core file, gains no rights), serves one
// connection, and ends when the core closes it. Main thread, once. Only for .cc files of the SDK.
#pragma once
#include <chrono>
#include <functional>
#include <string_view>

namespace grpc {
class Service;
}
namespace postern::provider::v1 {
class HelloReply;
class HelloRequest;
}  // namespace postern::provider::v1

namespace postern::sdk {

// `close` ends what runs within the given time; false: it hangs. Returns the exit code of main().
int RunService(std::string_view name, grpc::Service* service,
               const std::function<bool(std::chrono::milliseconds)>& close);

// Answers Hello with our protocol and version.
void SayHello(std::string_view name, const provider::v1::HelloRequest& request,
              provider::v1::HelloReply* reply);

}  // namespace postern::sdk
