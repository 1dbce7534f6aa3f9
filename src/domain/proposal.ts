/** Plain data as the configuration has it: `{ postgres: { container: db, databases: all } }`. */
export type Settings = Readonly<Record<string, unknown>>;

export interface FoundSource {
  /** What it would be called. */
  readonly name: string;
  readonly settings: Settings;
  /** Why a backup would fail as it stands, so that it is proposed as a comment; null when nothing is known against it. */
  readonly problem: string | null;
}

/** What looks like one service. */
export interface FoundService {
  /** What it would be called. */
  readonly name: string;
  /** For the reader of the proposal. */
  readonly notes: readonly string[];
  /** What a restore in place stops and starts. */
  readonly units: readonly Settings[];
  /** Its units say that they want to be stopped while they are read. */
  readonly stopDuringBackup: boolean;
  readonly sources: readonly FoundSource[];
}

/** What `init` found on a machine. */
export interface Findings {
  readonly services: readonly FoundService[];
  /** Mount points of BTRFS file systems. */
  readonly pools: readonly string[];
  /** What was found and holds nothing to back up, as far as can be told. */
  readonly others: readonly string[];
}

const LONGEST_NAME = 64;

/** A name as the configuration takes it (interface, section 1), from one of a folder, a container or a volume. */
function configurationName(text: string, otherwise: string): string {
  const name = text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return name === '' ? otherwise : name.slice(0, LONGEST_NAME);
}

/** Two of one name get a number: `app`, `app-2`. */
function named<Value extends { readonly name: string }>(
  values: readonly Value[],
  otherwise: string,
): readonly (readonly [string, Value])[] {
  const taken = new Map<string, Value>();
  for (const value of values) {
    const name = configurationName(value.name, otherwise);
    let free = name;
    for (let number = 2; taken.has(free); number++) free = `${name.slice(0, LONGEST_NAME - 4)}-${number}`;
    taken.set(free, value);
  }
  return [...taken];
}

/** As it is where YAML takes it for text, else as a JSON string, which is a YAML string. */
const quoted = (text: string): string =>
  /^(?!true$|false$|null$)(?:\/|[a-z])[\w/.-]*$/i.test(text) ? text : JSON.stringify(text);

/** In one line, as YAML's flow style. */
function flow(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, one]) => `${quoted(key)}: ${flow(one)}`)
    .join(', ')} }`;
}

/** What stands in a comment must not end its line. */
const comment = (text: string): string => `# ${text.replaceAll(/[\p{C}\u2028\u2029]+/gu, ' ')}`;

function sourceLines(name: string, { settings, problem }: FoundSource): readonly string[] {
  const line = `${quoted(name)}: ${flow(settings)}`;
  return problem === null ? [`      ${line}`] : [`      # ${line}`, `      ${comment(`  as it stands: ${problem}`)}`];
}

/** A service that has nothing to capture as it stands is a comment, too: the configuration takes none without a source. */
function serviceLines(name: string, { notes, units, stopDuringBackup, sources }: FoundService): readonly string[] {
  const works = sources.some(({ problem }) => problem === null);
  const lines = [
    `  ${quoted(name)}:`,
    ...notes.map((note) => `    ${comment(note)}`),
    ...(units.length === 0 ? [] : [`    units: ${flow(units)}`]),
    ...(stopDuringBackup ? ['    stopDuring: { backup: true, restore: true }'] : []),
    '    sources:',
    ...named(sources, 'data').flatMap(([source, found]) => sourceLines(source, found)),
  ];
  return works ? lines : lines.map((line) => `  # ${line.slice(2)}`);
}

function poolLines(pools: readonly string[]): readonly string[] {
  if (pools.length === 0) return [];
  return [
    '',
    '# BTRFS: instant snapshots, and guard for a risky command (docs/guard.md).',
    '# pools:',
    ...named(
      pools.map((path) => ({ name: path.split('/').at(-1) ?? '', path })),
      'main',
    ).map(([name, { path }]) => `#   ${quoted(name)}: { path: ${quoted(path)} }`),
  ];
}

function otherLines(others: readonly string[]): readonly string[] {
  if (others.length === 0) return [];
  return ['', '# Also found here, with nothing to back up as far as can be told:', ...others.map(comment)];
}

/** A configuration to start from, with comments; it passes `config check`. */
export function proposal({ services, pools, others }: Findings, repository: string): string {
  const works = services.some(({ sources }) => sources.some(({ problem }) => problem === null));
  const example = [
    '  # wiki:',
    '  #   sources:',
    '  #     files: { files: [/srv/wiki], exclude: ["*.log", ".cache"] }',
  ];
  return [
    '# Written by `holdfast init` from what it found on this machine: read it, take out what you do not want back, then',
    '#   holdfast config check && holdfast repository init local && holdfast backup',
    '# All settings: holdfast config sample',
    'version: 1',
    '',
    'repositories:',
    '  # Put it on another disk than the data. Seal it with age when others can read that disk:',
    '  #   encryption: { age: { recipients: [age1…], identities: [{ file: /root/holdfast.key }] } }',
    `  local: { engine: archive, path: ${quoted(repository)} }`,
    '',
    ...(works ? ['services:'] : ['# Nothing was found that can be backed up as it stands. A service looks like this:']),
    ...(works ? [] : ['services: {}', ...example]),
    ...named(services, 'service').flatMap(([name, service]) => serviceLines(name, service)),
    '',
    'plans:',
    '  nightly:',
    "    services: '*'",
    '    repositories: [local]',
    '    retention: { latest: 3, daily: 7, weekly: 4, monthly: 12 }',
    '    # schedules come with a later version; until then, from cron: holdfast run nightly',
    ...poolLines(pools),
    ...otherLines(others),
    '',
  ].join('\n');
}
