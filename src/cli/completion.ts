import type { Command, Option } from 'commander';

/** Something that may stand where the cursor is. */
export interface Candidate {
  readonly value: string;
  /** One line for people; may be empty. */
  readonly description: string;
}

/** Names that the configuration and the catalog know, asked for only when they are wanted. */
export interface NameSources {
  services(): Promise<readonly Candidate[]>;
  repositories(): Promise<readonly Candidate[]>;
  plans(): Promise<readonly Candidate[]>;
  /** Newest first. */
  points(): Promise<readonly Candidate[]>;
  /** Of a point, or of the newest point of a service. */
  items(what: string): Promise<readonly Candidate[]>;
  subvolumes(): Promise<readonly Candidate[]>;
  /** Recorded ones, newest first. */
  snapshots(): Promise<readonly Candidate[]>;
}

/** The words of the command line. */
export interface Grammar {
  readonly verbs: readonly Candidate[];
  /** Options that may stand anywhere. */
  readonly options: readonly Option[];
  /** The command of a verb; null for one that is not known or not built. */
  command(verb: string): Promise<Command | null>;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** What the shell completes by itself, beside the candidates. */
  readonly paths: 'files' | 'folders' | null;
}

const NOTHING: Completion = { candidates: [], paths: null };

/** Completes the last of `words`, which are what was typed after `holdfast`; the last one may be empty. */
export async function complete(words: readonly string[], grammar: Grammar, names: NameSources): Promise<Completion> {
  const typed = words.filter((word) => word !== '='); // bash cuts `--plan=nightly` into three words
  const current = words.at(-1) === '=' ? '' : (typed.pop() ?? '');
  const read = await readWords(typed, grammar);
  const option = read.waiting;
  const equals = current.startsWith('-') ? current.indexOf('=') : -1;
  if (option !== null) return fitting(await valuesOf(kindOf(option, read), read, names, option), current);
  if (equals > 0 && !read.ended) {
    const named = optionsOf(read, grammar).find(({ long }) => long === current.slice(0, equals));
    if (named === undefined) return NOTHING;
    const { candidates, paths } = await valuesOf(kindOf(named, read), read, names, named);
    const before = current.slice(0, equals + 1);
    const joined = candidates.map((candidate) => ({ ...candidate, value: before + candidate.value }));
    return fitting({ candidates: joined, paths }, current);
  }
  if (current.startsWith('-') && !read.ended) {
    const options = optionsOf(read, grammar).filter(({ long, hidden }) => long && !hidden && !read.used.has(long));
    const candidates = options.map(({ long, description }) => ({ value: long ?? '', description }));
    return fitting({ candidates, paths: null }, current);
  }
  if (read.command === null)
    return fitting({ candidates: read.verb === null ? grammar.verbs : [], paths: null }, current);
  const inner = read.command.commands.filter((command) => command.name() !== 'help');
  if (inner.length > 0) {
    const candidates = inner.map((command) => ({
      value: command.name(),
      description: command.summary() || command.description(),
    }));
    return fitting({ candidates, paths: null }, current);
  }
  return fitting(await valuesOf(argumentKind(read), read, names), current);
}

function fitting({ candidates, paths }: Completion, current: string): Completion {
  const seen = new Set<string>();
  const fit = candidates.filter(({ value }) => value.startsWith(current) && !seen.has(value) && seen.add(value));
  return { candidates: fit, paths };
}

interface Read {
  readonly verb: string | null;
  /** The innermost command that was named; null before the verb. */
  readonly command: Command | null;
  readonly operands: readonly string[];
  /** Options that were given and may not be given again. */
  readonly used: ReadonlySet<string>;
  /** The option whose value comes next. */
  readonly waiting: Option | null;
  /** True after `--`. */
  readonly ended: boolean;
}

async function readWords(words: readonly string[], grammar: Grammar): Promise<Read> {
  const used = new Set<string>();
  const operands: string[] = [];
  let read: Read = { verb: null, command: null, operands, used, waiting: null, ended: false };
  for (const word of words) {
    if (read.waiting !== null) {
      read = { ...read, waiting: null };
    } else if (!read.ended && word === '--') {
      read = { ...read, ended: true };
    } else if (!read.ended && word.startsWith('-')) {
      const option = optionsOf(read, grammar).find(
        ({ short, long }) => short === word || long === word.replace(/=.*$/, ''),
      );
      if (option?.long && !option.variadic && option.parseArg === undefined) used.add(option.long);
      const wantsValue = option !== undefined && (option.required || option.optional) && !word.includes('=');
      read = { ...read, waiting: wantsValue ? option : null };
    } else if (read.verb === null) {
      read = { ...read, verb: word, command: await grammar.command(word) };
    } else {
      const inner = read.command?.commands.find((command) => command.name() === word);
      if (inner !== undefined && operands.length === 0) read = { ...read, command: inner };
      else operands.push(word);
    }
  }
  return read;
}

const optionsOf = ({ command }: Read, { options }: Grammar): readonly Option[] => {
  const own = command?.options ?? [];
  return [...own, ...options.filter(({ long }) => own.every((option) => option.long !== long))];
};

type Named = 'services' | 'repositories' | 'plans' | 'points' | 'subvolumes' | 'snapshots';
type Kind = Named | 'what' | 'items' | 'files' | 'folders' | 'none';

/** By what stands in the brackets of `--to <dir>` and `[service]`. */
const KINDS: Readonly<Record<string, Kind>> = {
  service: 'services',
  services: 'services',
  repository: 'repositories',
  repositories: 'repositories',
  'name|location': 'repositories',
  plan: 'plans',
  point: 'what',
  points: 'what',
  what: 'what',
  item: 'items',
  subvolume: 'subvolumes',
  snapshot: 'snapshots',
  file: 'files',
  dir: 'folders',
  folder: 'folders',
};

/** Where the brackets say no more than `name`. */
const KINDS_OF_OPTIONS: Readonly<Record<string, Kind>> = {
  '--repository': 'repositories',
  '--plan': 'plans',
  '--service': 'services',
  '--item': 'items',
  '--subvolume': 'subvolumes',
  '--snapshot': 'snapshots',
};

function kindOf({ flags, long }: Option, { verb }: Read): Kind {
  if (verb === 'copy' && long === '--to') return 'repositories';
  const placeholder = /[<[]([^\]>]+?)(?:\.\.\.)?[\]>]/.exec(flags)?.[1]?.toLowerCase() ?? '';
  return KINDS_OF_OPTIONS[long ?? ''] ?? KINDS[placeholder] ?? 'none';
}

function argumentKind({ verb, command, operands }: Read): Kind {
  const declared = command?.registeredArguments ?? [];
  const last = declared.at(-1);
  const argument = declared[operands.length] ?? (last?.variadic ? last : undefined);
  const name = argument?.name().toLowerCase() ?? '';
  if (verb === 'repository' && name === 'name') return 'repositories';
  if (verb === 'run' && name === 'name') return 'plans';
  return KINDS[name] ?? 'none';
}

async function valuesOf(kind: Kind, { operands }: Read, names: NameSources, option?: Option): Promise<Completion> {
  if (option?.argChoices) {
    return { candidates: option.argChoices.map((value) => ({ value, description: '' })), paths: null };
  }
  if (kind === 'none') return NOTHING;
  if (kind === 'files' || kind === 'folders') return { candidates: [], paths: kind };
  if (kind === 'items') return { candidates: await names.items(operands[0] ?? ''), paths: null };
  if (kind === 'what') {
    return { candidates: [...(await names.services()), ...(await names.points())], paths: null };
  }
  const candidates = await names[kind]();
  return { candidates, paths: kind === 'repositories' && option !== undefined ? 'folders' : null };
}

/** What the shells' scripts read: a line for each candidate, then what the shell shall complete by itself. */
export function printCompletion({ candidates, paths }: Completion): string {
  const line = ({ value, description }: Candidate): string => `${value}\t${description.replaceAll(/\s+/g, ' ')}\n`;
  return candidates.map(line).join('') + (paths === null ? '' : `:${paths}\n`);
}
