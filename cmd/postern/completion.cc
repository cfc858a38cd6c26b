// postern completion bash | zsh | fish: made from the command table, so it can't name what isn't.
#include <fmt/format.h>

#include <map>
#include <set>

#include "cmd/postern/command.h"
#include "core/view/json_writer.h"

namespace postern::cmd {
namespace {

struct Word {
  std::string summary;
  std::map<std::string, std::string> options;   // "--out" -> help
  std::map<std::string, std::string> children;  // "list" -> summary
};

constexpr const char* kGlobalOptions[] = {"--operator", "--tree",  "--json",
                                          "--no-color", "--quiet", "--help"};

std::map<std::string, Word> Words() {
  std::map<std::string, Word> words;
  for (const Command& command : AllCommands()) {
    const std::string name = command.name;
    const size_t blank = name.find(' ');
    Word& word = words[name.substr(0, blank)];
    if (blank == std::string::npos) {
      word.summary = command.summary;
    } else {
      word.children[name.substr(blank + 1)] = command.summary;
    }
    Arguments arguments;
    if (command.define != nullptr) command.define(arguments);
    for (const Argument& argument : arguments) {
      if (argument.positional()) {
        for (const std::string& choice : argument.choices) word.children[choice] = argument.help;
      } else {
        word.options[argument.name.substr(0, argument.name.find(','))] = argument.help;
      }
    }
  }
  return words;
}

template <class Map>
std::string Keys(const Map& map) {
  std::string out;
  for (const auto& [key, value] : map) out += (out.empty() ? "" : " ") + key;
  return out;
}

std::string Globals() {
  std::string out;
  for (const char* option : kGlobalOptions) out += (out.empty() ? "" : " ") + std::string(option);
  return out;
}

std::string Bash() {
  const auto words = Words();
  std::string cases;
  for (const auto& [name, word] : words) {
    cases += fmt::format("    {}) words=\"{} {} {}\" ;;\n", name, Keys(word.children),
                         Keys(word.options), Globals());
  }
  return fmt::format(R"(# bash completion for postern
_postern() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i]}}" in
      -*) ;;
      *) command="${{COMP_WORDS[i]}}"; break ;;
    esac
  done
  case "$command" in
{}    *) words="{} {}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _postern postern
)",
                     cases, Keys(words), Globals());
}

std::string Zsh() {
  return "#compdef postern\nautoload -U +X bashcompinit && bashcompinit\n" + Bash();
}

// Text inside single quotes of fish.
std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string Fish() {
  std::string out = "# fish completion for postern\n";
  for (const char* option : kGlobalOptions) {
    out += fmt::format("complete -c postern -l {}\n", option + 2);
  }
  for (const auto& [name, word] : Words()) {
    out += fmt::format("complete -c postern -n __fish_use_subcommand -f -a {} -d {}\n", name,
                       Quoted(word.summary));
    const std::string seen = fmt::format("-n '__fish_seen_subcommand_from {}'", name);
    for (const auto& [child, summary] : word.children) {
      out += fmt::format("complete -c postern {} -f -a {} -d {}\n", seen, child, Quoted(summary));
    }
    for (const auto& [option, help] : word.options) {
      out +=
          fmt::format("complete -c postern {} -l {} -d {}\n", seen, option.substr(2), Quoted(help));
    }
  }
  return out;
}

}  // namespace

std::string CompletionScript(const std::string& shell) {
  if (shell == "fish") return Fish();
  return shell == "zsh" ? Zsh() : Bash();
}

Run DefineCompletion(Arguments& arguments) {
  auto name = std::make_shared<std::string>();
  arguments = {{.name = "SHELL",
                .help = "bash, zsh or fish",
                .text = name.get(),
                .choices = {"bash", "zsh", "fish"},
                .required = true}};
  return [name](Shell& shell) {
    if (shell.json()) {
      view::JsonWriter json(shell.out());
      json.Object().Field("shell", *name).Field("script", CompletionScript(*name)).End();
    } else {
      shell.out() << CompletionScript(*name) << std::flush;
    }
    return static_cast<int>(kOk);
  };
}

}  // namespace postern::cmd
