// core/provider/program.h: which program a provider is.
//
// Any thread. Reads the environment (POSTERN_PROVIDERS), else looks beside the program that runs.
#pragma once
#include <string>
#include <string_view>

namespace postern::provider {

// postern-provider-NAME beside the running binary, or under POSTERN_PROVIDERS.
std::string ProviderProgram(std::string_view name);
// "memory" from ".../postern-provider-memory".
std::string ProviderName(const std::string& program);

}  // namespace postern::provider
