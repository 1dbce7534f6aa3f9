import { buffer } from 'node:stream/consumers';
import { Argument, Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { type Completion, complete, type Grammar, type NameSources, printCompletion } from '../completion.ts';
import { namesOf } from '../completion-names.ts';
import { completionScript, SHELLS } from '../completion-script.ts';
import type { Face } from '../face.ts';

export const completionCommand = (face: Face): Command =>
  new Command('completion')
    .description('Prints what a shell reads to complete holdfast.')
    .addArgument(new Argument('<shell>', 'the shell that shall read it').choices(SHELLS))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(holdfast completion bash)     in ~/.bashrc\n  source <(holdfast completion zsh)      in ~/.zshrc, after compinit\n  holdfast completion fish | source      in ~/.config/fish/config.fish',
    )
    .action((shell: string) => {
      const script = completionScript(shell);
      face.print(script);
      face.printJson({ shell, script });
    });

/** What the scripts call: reads the words typed so far from stdin, each ended by NUL, and answers with candidates.
 *  `load` gives the command of a verb, null for one that is not built. */
export const completeCommand = (face: Face, load: Grammar['command']): Command =>
  new Command('__complete').action(async (_: unknown, command: Command) => {
    const words = (await buffer(process.stdin)).toString('utf8').split('\0').slice(0, -1);
    const program = command.parent;
    if (program === null) throw new TypeError('__complete stands alone');
    const verbs = program.createHelp().visibleCommands(program);
    const grammar: Grammar = {
      verbs: verbs.map((verb) => ({ value: verb.name(), description: verb.summary() })),
      options: program.options,
      command: load,
    };
    face.print(printCompletion(await completed(words, grammar, face)));
  });

/** The configuration and the catalog are opened only when a name of theirs is wanted. A person who presses Tab cannot
 *  read errors: what is not known is not offered, and the verb itself says why when it is called. */
async function completed(words: readonly string[], grammar: Grammar, face: Face): Promise<Completion> {
  const at = words.indexOf('--config');
  const configuration = at < 0 ? undefined : words[at + 1];
  await using stack = new AsyncDisposableStack();
  let opened: Promise<NameSources> | undefined;
  const names = (): Promise<NameSources> => {
    opened ??= face.open(configuration === undefined ? {} : { configuration }).then((app) => namesOf(stack.use(app)));
    return opened;
  };
  try {
    return await complete(words, grammar, {
      services: async () => (await names()).services(),
      repositories: async () => (await names()).repositories(),
      plans: async () => (await names()).plans(),
      points: async () => (await names()).points(),
      items: async (what) => (await names()).items(what),
      subvolumes: async () => (await names()).subvolumes(),
      snapshots: async () => (await names()).snapshots(),
    });
  } catch (error) {
    if (error instanceof HoldfastError) return { candidates: [], paths: null };
    throw error;
  }
}
