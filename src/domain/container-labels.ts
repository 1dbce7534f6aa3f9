import { type Container, type Place, sharedBy } from './containers.ts';
import { HoldfastError } from './errors.ts';

/** Labels of containers, with the meanings that offen/docker-volume-backup 2 gives them
 *  (https://offen.github.io/docker-volume-backup, "Stop containers during backup", "Run custom commands"). */
const PREFIX = 'docker-volume-backup.';
const STOP = `${PREFIX}stop-during-backup`;
const STOP_FOR_GOOD = `${PREFIX}stop-during-backup-no-restart`;
const EXEC = `${PREFIX}exec-label`;

/** When a command of a label runs: before and after the sources are read, the point is copied into further repositories,
 *  and the retention is applied. */
export const PHASES = ['archive-pre', 'archive-post', 'copy-pre', 'copy-post', 'prune-pre', 'prune-post'] as const;
export type Phase = (typeof PHASES)[number];

/** A service as labels name it. */
export interface Labelled {
  readonly service: string;
  readonly places: readonly Place[];
}

/** What becomes of a container while a service is read. */
export type Stop = 'stops' | 'stops-for-good' | 'runs';

/** `true` in a label means every service that the container shares something with; another value is the name of one.
 *  @param sharing whether also those stop that can write to what is read, without any label
 *  @throws ConfigurationInvalid for a container with both labels, one of which is about the service */
export function stopOf(container: Container, { service, places }: Labelled, sharing: boolean): Stop {
  if (container.own) return 'runs';
  const meant = (value: string | undefined): boolean =>
    value === service || (value === 'true' && sharedBy(container, places, { writable: false }).length > 0);
  const [stops, forGood] = [container.labels[STOP], container.labels[STOP_FOR_GOOD]];
  if (stops !== undefined && forGood !== undefined && (meant(stops) || meant(forGood)))
    throw new HoldfastError(
      'ConfigurationInvalid',
      `Container ${container.name} has the labels ${STOP} and ${STOP_FOR_GOOD}, of which only one can be.`,
      container.name,
      { hint: 'Take one of them away' },
    );
  if (meant(forGood)) return 'stops-for-good';
  if (meant(stops)) return 'stops';
  return sharing && sharedBy(container, places, { writable: true }).length > 0 ? 'stops' : 'runs';
}

export interface LabelledCommand {
  readonly container: string;
  readonly running: boolean;
  readonly phase: Phase;
  readonly argv: readonly string[];
  /** The account in the container; its own when null. */
  readonly user: string | null;
  /** Sources of which the container shares something; none when only its label names the service. */
  readonly sources: readonly string[];
}

/** The command that a container has for a phase of a service: of the service that `exec-label` names, else of those that
 *  it shares something with. @throws ConfigurationInvalid for a command that cannot be read */
export function commandOf(container: Container, phase: Phase, { service, places }: Labelled): LabelledCommand | null {
  const text = container.labels[PREFIX + phase];
  if (text === undefined) return null;
  const own = container.labels[EXEC];
  const sources = [...new Set(sharedBy(container, places, { writable: false }).map(({ source }) => source))];
  if (own === undefined ? sources.length === 0 : own !== service) return null;
  const argv = wordsOf(text);
  if (argv === null || argv.length === 0)
    throw new HoldfastError(
      'ConfigurationInvalid',
      `The label ${PREFIX}${phase} of container ${container.name} is no command: ${argv === null ? text : 'it is empty.'}`,
      container.name,
      { hint: argv === null ? "Close its quotes; what a shell is to read goes to one: sh -c '…'" : 'Take it away' },
    );
  const user = container.labels[`${PREFIX}${phase}.user`] ?? null;
  return { container: container.name, running: container.running, phase, argv, user, sources };
}

const KNOWN = new Set([
  STOP,
  STOP_FOR_GOOD,
  EXEC,
  ...PHASES.flatMap((phase) => [PREFIX + phase, `${PREFIX}${phase}.user`]),
]);

/** Labels of that family which mean nothing here: somebody relies on them. */
export const unknownLabels = ({ labels }: Pick<Container, 'labels'>): readonly string[] =>
  Object.keys(labels).filter((label) => label.startsWith(PREFIX) && !KNOWN.has(label));

/** Labels that name a service which there is not, with their value: such a container never stops, and its commands never
 *  run. */
export const labelsOfNoService = (
  { labels }: Pick<Container, 'labels'>,
  services: { has(name: string): boolean },
): readonly string[] =>
  [STOP, STOP_FOR_GOOD, EXEC].flatMap((label) => {
    const value = labels[label] ?? '';
    const meant = value === '' || (label !== EXEC && /^(?:true|false)$/.test(value)) || services.has(value);
    return meant ? [] : [`${label}=${value}`];
  });

/** Splits a command as a POSIX shell does (XCU 2.2, Quoting), without expanding anything. Null when a quote stays open. */
export function wordsOf(text: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return null;
      word = (word ?? '') + text.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const quoted = /^"((?:[^"\\]|\\.)*)"/s.exec(text.slice(at));
      if (quoted === null) return null;
      word = (word ?? '') + (quoted[1] ?? '').replaceAll(/\\(["\\$`])/g, '$1').replaceAll('\\\n', '');
      at += quoted[0].length - 1;
    } else if (character === '\\') {
      if (at + 1 === text.length) return null;
      at += 1;
      word = (word ?? '') + text.charAt(at);
    } else {
      word = (word ?? '') + character;
    }
  }
  return word === null ? words : [...words, word];
}
