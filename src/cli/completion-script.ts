import { HoldfastError } from '../domain/errors.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** What a shell reads to complete `holdfast`. The scripts know nothing of the verbs: with each Tab they hand the words
 *  typed so far, ended by NUL, to `holdfast __complete`, which answers with `VALUE<Tab>DESCRIPTION` lines and, where names
 *  of files fit, with a line `:files` or `:folders`.
 *  @throws Usage for another shell */
export function completionScript(shell: string): string {
  const script = (SCRIPTS as Readonly<Record<string, string>>)[shell];
  if (script !== undefined && Object.hasOwn(SCRIPTS, shell)) return script;
  throw new HoldfastError('Usage', `There is no completion for "${shell}".`, shell, {
    hint: `Choose one of ${SHELLS.join(', ')}`,
  });
}

const BASH = `# bash completion for holdfast. To use it: source <(holdfast completion bash)
_holdfast() {
  local line current=\${COMP_WORDS[COMP_CWORD]}
  [[ $current == = ]] && current=
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files | :folders)
        compopt -o filenames 2>/dev/null
        local action=-f
        [[ $line == :folders ]] && action=-d
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$action" -- "$current")
        ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(printf '%s\\0' "\${COMP_WORDS[@]:1:COMP_CWORD}" | "\${COMP_WORDS[0]}" __complete 2>/dev/null)
}
complete -F _holdfast holdfast
`;

const ZSH = `#compdef holdfast
# zsh completion for holdfast. To use it: source <(holdfast completion zsh)
_holdfast() {
  local line value description
  local -a found typed
  typed=("\${(@)words[2,CURRENT-1]}" "$PREFIX")
  while IFS= read -r line; do
    case $line in
      :files) _files ;;
      :folders) _files -/ ;;
      *)
        value=\${line%%$'\\t'*}
        description=\${line#*$'\\t'}
        found+=("\${value//:/\\\\:}:$description")
        ;;
    esac
  done < <(printf '%s\\0' "\${(@)typed}" | "\${words[1]}" __complete 2>/dev/null)
  (( $#found )) && _describe -V holdfast found
}
if [[ "\${funcstack[1]}" == _holdfast ]]; then
  _holdfast "$@"
else
  compdef _holdfast holdfast
fi
`;

const FISH = `# fish completion for holdfast. To use it: holdfast completion fish | source
function __holdfast_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l program $typed[1]
    set -e typed[1]
    printf '%s\\0' $typed "$current" | $program __complete 2>/dev/null | while read -l line
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':folders'
                __fish_complete_directories "$current" ''
            case '*'
                echo $line
        end
    end
end
complete -c holdfast -f -k -a '(__holdfast_complete)'
`;

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
