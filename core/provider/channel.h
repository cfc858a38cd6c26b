// core/provider/channel.h: gRPC over one connected socket, as both sides of a provider use it.
//
// Takes the descriptor; any thread.
#pragma once
#include <chrono>
#include <memory>

namespace grpc {
class Channel;
}  // namespace grpc

namespace postern::provider {

std::shared_ptr<grpc::Channel> MakeChannel(int fd, std::chrono::milliseconds keep_alive);

}  // namespace postern::provider
