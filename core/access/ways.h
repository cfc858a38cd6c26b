// core/access/ways.h: folders that have more than one path, by links and mounts. Pure.
//
// A folder's access is what a server allows on it by any of its paths, counted at the one path that
// is its own (`real`). Where rules speak of paths, another path of a folder isn't under them.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/enforced.h"

namespace postern::access {

struct SecondWay {
  std::string path, real;
  bool is_link = false;  // else another mount
  // Of a link: its text. One that begins with "/" leads elsewhere under a chroot, and `real`, where
  // it is `path` itself, says that it leads nowhere without one.
  std::string target;
  // What the folders behind it let accounts do at most, by login; nothing: they weren't asked.
  std::optional<std::map<std::string, Rights>> given;
};

// `path`, which lies within `from`, as it is called within `to`.
std::string MovedPath(std::string_view path, std::string_view from, std::string_view to);
// The path without these ways.
std::string CountingPath(std::string path, const std::map<std::string, std::string>& real_by_path);

// The rules with what they allow by the ways counted at the folders' own paths. `accounts` as in
// RaiseInput; `exists`: a folder of the managed roots does.
std::shared_ptr<const Enforced> OverWays(std::shared_ptr<const Enforced> rules,
                                         const std::vector<SecondWay>& ways,
                                         const std::vector<RaiseAccount>& accounts,
                                         const std::function<bool(const std::string&)>& exists);

}  // namespace postern::access
