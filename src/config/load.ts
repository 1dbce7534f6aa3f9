import { dirname, resolve } from 'node:path';
import { HoldfastError } from '../domain/errors.ts';
import { contradictions, doubts } from './contradictions.ts';
import { type Diagnostic, inOrder, type Path, type Problem, printDiagnostic, printPath } from './diagnostic.ts';
import { type ConfigurationDocument, parseFile } from './document.ts';
import { explain } from './issues.ts';
import { type ConfigurationText, type Place, readFiles } from './locate.ts';
import { type Merged, merge } from './merge.ts';
import { soundPart } from './prune.ts';
import { brokenReferences } from './references.ts';
import { type Configuration, configurationSchema } from './schema.ts';
import { isMapping, rewrite } from './walk.ts';

/** A part of the configuration that this version accepts and cannot do yet. */
export interface NotBuilt {
  readonly path: Path;
  /** As in "sources of kind postgres are not built yet". */
  readonly what: string;
}

export interface Loaded {
  /** Values as they are written, but paths absolute. */
  readonly configuration: Configuration;
  /** The main file first. */
  readonly files: readonly string[];
  readonly warnings: readonly Diagnostic[];
  readonly notBuilt: readonly NotBuilt[];
}

export interface Checked {
  readonly files: readonly string[]; // those that could not be read come last
  /** Errors and warnings in the order of the files. */
  readonly diagnostics: readonly Diagnostic[];
  /** Null when there is an error among the diagnostics. */
  readonly loaded: Loaded | null;
  /** The place of a doubt that was found elsewhere, as a warning. */
  readonly warningOf: (problem: Problem) => Diagnostic;
}

/** How many errors a message lists; what comes after is counted. */
const LISTED = 20;

/** Reads and checks the configuration without resolving a secret or looking at anything it names.
 *  @throws HoldfastError `ConfigurationMissing` when there is none */
export async function checkConfiguration(place: Place): Promise<Checked> {
  const { texts, faults } = await readFiles(place);
  const checked = checkTexts(texts, faults);
  const unread = faults.filter(({ severity }) => severity === 'error').map(({ file }) => file);
  return { ...checked, files: [...checked.files, ...unread] };
}

/** As {@link checkConfiguration}, of texts that were read already: the main file first, then those of `conf.d`. */
export function checkTexts(texts: readonly ConfigurationText[], faults: readonly Diagnostic[] = []): Checked {
  const files = texts.map(({ file }) => file);
  const parsed = texts.map(({ file, text }) => parseFile(file, text));
  const documents = parsed.filter((outcome): outcome is ConfigurationDocument => 'value' in outcome);
  const syntax = [...faults, ...parsed.flatMap((outcome) => ('value' in outcome ? [] : outcome))];
  // Half of a configuration would be blamed for what the other half has.
  if (documents.length < texts.length || syntax.some(({ severity }) => severity === 'error') || documents.length === 0)
    return { files, diagnostics: syntax, loaded: null, warningOf: unplaced };

  const merged = merge(documents);
  const warningOf = (problem: Problem): Diagnostic => merged.locate(problem, 'warning');
  const errors = (problems: readonly Problem[]): Diagnostic[] => problems.map((one) => merged.locate(one, 'error'));
  const readable = isMapping(documents[0]?.value); // else nothing more can be said of it
  const wrong = readable ? explain(configurationSchema, merged.value) : [];
  const faulty = merged.faults.length > 0 || wrong.length > 0;
  const sound = isMapping(merged.value) && readable ? soundPart(configurationSchema, merged.value, wrong) : null;
  if (sound === null)
    return {
      files,
      diagnostics: sorted(files, [...syntax, ...merged.faults, ...errors(wrong)]),
      loaded: null,
      warningOf,
    };

  const { configuration, notBuilt, problems } = interpret(sound, merged);
  const contradicting = faulty ? [] : contradictions(configuration);
  const broken = errors([...wrong, ...brokenReferences(configuration, merged.value), ...contradicting]);
  // what is warned about in the sound part only would be half of it
  const doubtful = faulty ? [] : [...problems, ...doubts(configuration)].map(warningOf);
  const diagnostics = sorted(files, [...syntax, ...merged.faults, ...broken, ...doubtful]);
  if (diagnostics.some(({ severity }) => severity === 'error')) return { files, diagnostics, loaded: null, warningOf };
  return { files, diagnostics, loaded: { configuration, files, warnings: diagnostics, notBuilt }, warningOf };
}

/** Where no file could be read, nothing has a place in one. */
const unplaced = ({ path, message }: Problem): Diagnostic => ({
  severity: 'warning',
  file: '',
  line: 0,
  column: 0,
  message,
  path: printPath(path),
});

/** File by file; what concerns none of them, such as a file of `conf.d` that is not read, comes first. */
const sorted = (files: readonly string[], diagnostics: readonly Diagnostic[]): Diagnostic[] => [
  ...diagnostics.filter(({ file }) => !files.includes(file)),
  ...files.flatMap((file) => inOrder(diagnostics.filter((one) => one.file === file))),
];

/** Makes paths absolute, and collects what is warned about on the way. */
function interpret(
  value: unknown,
  merged: Merged,
): { configuration: Configuration; notBuilt: NotBuilt[]; problems: Problem[] } {
  const notBuilt: NotBuilt[] = [];
  const problems: Problem[] = [];
  const warn = (path: Path, message: string, at: Problem['at'] = 'value'): void => {
    problems.push({ path, at, message });
  };
  const configuration = rewrite(configurationSchema, value, (role, value, path) => {
    const inside = notBuilt.some((outer) => outer.path.every((part, index) => part === path[index]));
    if (role.planned !== undefined && !inside) {
      notBuilt.push({ path, what: role.planned });
      warn(path, `Not built yet in this version: ${role.planned}.`, 'key');
    }
    if (typeof value !== 'string') return undefined;
    if (role.secret) warn(path, 'A secret stands in this file: better { file: … }, { env: … } or { credential: … }.');
    if ((role.environment || role.path) && /\$\{?[A-Z_]/i.test(value))
      warn(path, 'Variables are not expanded: it is taken by the letter.');
    return role.path ? resolve(dirname(merged.fileOf(path)), value) : undefined;
  }) as Configuration;
  const { catalog } = configuration;
  if (typeof catalog !== 'string' || !catalog.startsWith('sqlite:')) return { configuration, notBuilt, problems };
  const file = resolve(dirname(merged.fileOf(['catalog'])), catalog.slice('sqlite:'.length));
  return { configuration: { ...configuration, catalog: `sqlite:${file}` }, notBuilt, problems };
}

/** The configuration, for a command that needs it.
 *  @throws HoldfastError `ConfigurationMissing`; `ConfigurationInvalid` with every error, each with its line */
export async function loadConfiguration(place: Place): Promise<Loaded> {
  const { texts, faults } = await readFiles(place);
  return loadTexts(texts, faults);
}

/** As {@link loadConfiguration}, of texts that were read already. */
export function loadTexts(texts: readonly ConfigurationText[], faults: readonly Diagnostic[]): Loaded {
  const { files, diagnostics, loaded } = checkTexts(texts, faults);
  if (loaded) return loaded;
  throw invalid(files, diagnostics);
}

/** What is wrong, as one error with every place. */
export function invalid(files: readonly string[], diagnostics: readonly Diagnostic[]): HoldfastError {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const more = errors.length > LISTED ? [`and ${errors.length - LISTED} more`] : [];
  const lines = [...errors.slice(0, LISTED).map(printDiagnostic), ...more];
  const subject = files[0] ?? errors[0]?.file ?? '';
  return new HoldfastError(
    'ConfigurationInvalid',
    lines.length === 1 ? (lines[0] ?? '') : `The configuration has errors:\n${lines.join('\n')}`,
    subject,
  );
}
