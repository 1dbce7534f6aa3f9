import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { HoldfastError } from '../domain/errors.ts';
import type { Face, GlobalOptions } from './face.ts';
import { VERBS, type Verb } from './verbs.ts';

const GLOBAL_OPTIONS = [
  new Option('--config <file>', 'the configuration, instead of /etc/holdfast or ~/.config/holdfast'),
  new Option('--json', 'one JSON document on stdout'),
  new Option('-q, --quiet', 'no notes and no progress'),
  new Option('-v, --verbose', 'what is underneath an error, and each step'),
  new Option('--no-progress', 'no progress on stderr'),
  new Option('--dry-run', 'say what would be done and do nothing'),
  new Option('-y, --yes', 'answer every question with yes'),
] as const;

const EVERYWHERE =
  '\nWith every verb: --config --json --quiet --verbose --no-progress --dry-run --yes, see holdfast --help';

/** The verb is the first word that is neither an option nor the value of `--config`. */
function wordOf(argv: readonly string[]): string | undefined {
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--config') index++;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

/** Whatever else stands there: a verb never runs where the version is asked for. Behind `--` are a command's own words. */
function asksForVersion(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).some((word) => word === '--version' || word === '-V');
}

function placeholder({ name, summary, load }: Verb): Command {
  const command = new Command(name).summary(load ? summary : `${summary} (not built yet)`);
  if (load) return command; // another verb was called: this one is here for the list of `--help`
  return command
    .description(`${summary}. This version does not have it yet.`)
    .argument('[arguments...]')
    .allowUnknownOption()
    .action(() => {
      throw new HoldfastError('NotBuilt', `\`holdfast ${name}\` is not built yet.`, name);
    });
}

/** Settings of the program for a command that was made elsewhere, and for the ones below it. */
function adopt(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  if (command.commands.length > 0) command.helpCommand(false);
  else command.addHelpText('after', EVERYWHERE);
  for (const child of command.commands) adopt(command, child);
}

async function assemble(argv: readonly string[], face: Face): Promise<Command> {
  const program = new Command('holdfast')
    .description('Take a service back to a moment when it worked.')
    .usage('VERB [options]')
    .exitOverride()
    .configureOutput({ outputError: () => {} }) // thrown as an error, and printed where all errors are
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .showSuggestionAfterError()
    .helpCommand(false)
    .helpOption('-h, --help', 'this help')
    .option('-V, --version', 'the version alone');
  for (const option of GLOBAL_OPTIONS) program.addOption(option);
  program.hook('preAction', (_, called) => refuseEmptyValues(called));
  program.addHelpText('after', '\nholdfast VERB --help shows examples. Start with: holdfast demo');
  const wanted = wordOf(argv);
  for (const verb of VERBS) {
    const command = verb.name === wanted && verb.load ? await verb.load(face) : placeholder(verb);
    if (verb.load) command.summary(verb.summary);
    command.helpGroup(`${verb.group}:`);
    adopt(program, command);
    program.addCommand(command, { hidden: verb.hidden ?? false });
  }
  return program;
}

/** A value that is empty is a variable of a script that was not set: `--to "$DIR"` would be the working folder. */
function refuseEmptyValues(called: Command): void {
  const values = called.optsWithGlobals();
  for (let command: Command | null = called; command !== null; command = command.parent) {
    const empty = command.options.find((option) => [values[option.attributeName()]].flat().includes(''));
    if (empty !== undefined)
      throw new HoldfastError('Usage', `${empty.long} has an empty value.`, `${empty.long}`, helpFor([called.name()]));
  }
}

/** Reads the options that stand before or after any verb. */
export function globalOptionsOf(program: Command): GlobalOptions {
  const found = program.opts<Partial<GlobalOptions>>();
  const { json = false, quiet = false, verbose = false, progress = true, dryRun = false, yes = false } = found;
  return {
    ...(found.config === undefined ? {} : { config: found.config }),
    json,
    quiet,
    verbose,
    progress,
    dryRun,
    yes,
  };
}

/** The help that answers the question: of the verb where there is one. */
function helpFor(argv: readonly string[]): { readonly hint?: string } {
  const verb = VERBS.find(({ name, load, hidden }) => name === wordOf(argv) && load !== null && !hidden);
  return verb === undefined ? {} : { hint: `holdfast ${verb.name} --help` };
}

/** Runs one command line. `bind` is told the program before its action starts, for the global options.
 *  @throws HoldfastError `Usage` for words that do not fit, `NotBuilt`, and what the command throws */
export async function runCommandLine(
  argv: readonly string[],
  face: Face,
  bind: (program: Command) => void,
): Promise<void> {
  if (asksForVersion(argv)) {
    const { version } = packageJson;
    face.print(version);
    return face.printJson({ version });
  }
  const program = await assemble(argv, face);
  bind(program);
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    const typed = ['holdfast', ...argv].join(' ');
    if (error.code === 'commander.help') {
      if (!face.globals().json) return face.exit(64); // a group without its subcommand: its help was printed
      throw new HoldfastError(
        'Usage',
        `\`${typed}\` lacks a word: a verb, or what the verb is about.`,
        typed,
        helpFor(argv),
      );
    }
    const message = error.message
      .replace(/^error: /, '')
      .replace(/\n/g, ' ')
      .replace(/\.+$/, '');
    const sentence = `${message[0]?.toUpperCase()}${message.slice(1)}.`.replace(/\?\)\.$/, '?)');
    throw new HoldfastError('Usage', sentence, argv.join(' '), helpFor(argv));
  }
}
