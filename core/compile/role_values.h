// core/compile/role_values.h: what facts say, put into the templates of a role's accounts.
//
// It is hostile input: whoever can change his own name in an IAM system must not become another
// login, another folder or another person by it (design §3; IAM facts §3). What doesn't fit is
// refused and told, never mended. Pure; any thread.
#pragma once
#include <string>
#include <string_view>

#include "core/compile/facts.h"
#include "core/config/placeholders.h"

namespace postern::compile {

// What a placeholder stands for.
Attribute AttributeOf(config::Placeholder placeholder);
// The template with the user's values; empty: `why` says what is wrong. Null: no source shows it.
std::string FillTemplate(std::string_view text, const FactUser* user, std::string* why);
// Why it can't be a login or a login folder of a role's; empty: it can.
std::string WhyNoLogin(std::string_view login);
std::string WhyNoHome(std::string_view home);

// As much of a value as a message shows, without what terminals act on.
std::string ShownValue(std::string_view value);

}  // namespace postern::compile
