import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import type { Diagnostic, Path } from './diagnostic.ts';

/** How deep mappings and lists may lie in each other. The deepest setting lies at ten. */
const DEEPEST = 32;
const TOO_DEEP = `This is nested too deep: at most ${DEEPEST} levels.`;
/** Aliases in a file, and nodes they stand for when each is written out: a bomb of nine lines is a million. */
const ALIASES = 100;
const TOO_MANY_ALIASES = `Aliases stand for too much here: at most ${ALIASES} nodes.`;
/** The core schema of YAML 1.2, section 10.3. Any other tag makes a value that no setting takes. */
const TAGS = new Set(['str', 'int', 'float', 'bool', 'null', 'seq', 'map'].map((tag) => `tag:yaml.org,2002:${tag}`));
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what YAML 1.2, section 5.1, forbids
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** A file of the configuration that was read without an error in its syntax. */
export interface ConfigurationDocument {
  readonly file: string;
  /** The plain value: mappings are plain objects. */
  readonly value: unknown;
  /** Where a value, or the key it stands under, is in the file. What is not there is where its parent is. */
  position(path: Path, at: 'key' | 'value'): { readonly line: number; readonly column: number };
}

/** YAML's own words, without what only its programmers can use. */
const WORDS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'A second document begins here ("---"). Write one document a file; more files go to conf.d.',
  TAB_AS_INDENT: 'Indent with spaces, not with tabs.',
  NON_STRING_KEY: 'A key must be plain text.',
  RESOURCE_EXHAUSTION: TOO_DEEP,
};

/** Parses strict YAML 1.2 in bounded time. Answers with the document, or with what is wrong with its syntax. */
export function parseFile(file: string, text: string): ConfigurationDocument | readonly Diagnostic[] {
  const lines = new LineCounter();
  const found: Diagnostic[] = [];
  const report = (offset: number, message: string): void => {
    const { line, col } = lines.linePos(offset);
    found.push({ severity: 'error', file, line: Math.max(line, 1), column: Math.max(col, 1), path: '', message });
  };
  // Duplicates are looked for below: the library compares each key with each, 177 s for 80,000 keys.
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    stringKeys: true,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  });
  const control = FORBIDDEN.exec(text);
  if (control) report(control.index, 'A control character stands here, which YAML does not allow.');
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2')
    report(0, 'Only YAML 1.2 is read: leave the %YAML line out.');
  for (const { code, message, pos } of [...document.errors, ...document.warnings])
    report(pos[0], WORDS[code] ?? `${message.replace(/\.$/, '')}.`);
  // The errors of one place follow from each other, and a broken document has no value to look at.
  if (found.length === 0) checkNodes(document, report);
  if (found.length > 0) return found.slice(0, 1).concat(found.slice(1).filter(({ line }) => line !== found[0]?.line));
  try {
    const value = document.toJS({ maxAliasCount: ALIASES });
    return { file, value, position: (path, at) => positionOf(document, lines, path, at) };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error; // unknown or too many aliases: the library's own class for it
    report(0, error.message.startsWith('Excessive') ? TOO_MANY_ALIASES : `${error.message}.`);
    return found;
  }
}

/** Finds what the library lets pass and no setting may have: keys twice, foreign tags, depth, circles. */
function checkNodes(document: Document, report: (offset: number, message: string) => void): void {
  const offsetOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);
  const anchors = new Map<string, Node>();
  let aliases = 0;
  visit(document, {
    Node(_, node, ancestors) {
      if (ancestors.length > DEEPEST * 2) {
        report(offsetOf(node), TOO_DEEP);
        return visit.BREAK;
      }
      if (isAlias(node)) {
        aliases += 1;
        const target = anchors.get(node.source);
        if (target === undefined) report(offsetOf(node), `There is no anchor &${node.source} before this alias.`);
        else if (ancestors.includes(target))
          report(offsetOf(node), `The anchor &${node.source} holds this alias itself.`);
        if (aliases <= ALIASES) return undefined;
        report(offsetOf(node), TOO_MANY_ALIASES);
        return visit.BREAK; // looking each one up takes as long as the file is
      }
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
      if (node.tag !== undefined && !TAGS.has(node.tag))
        report(offsetOf(node), `The tag ${node.tag} is not known here: write the value without it.`);
      if (isMap(node)) checkKeys(node.items, report);
      return undefined;
    },
  });
}

function checkKeys(items: readonly Pair[], report: (offset: number, message: string) => void): void {
  const seen = new Set<string>();
  for (const { key } of items) {
    const name = isScalar(key) ? String(key.value) : '';
    const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    if (isAlias(key)) report(key.range?.[0] ?? 0, 'A key must be plain text.');
    else if (seen.has(name)) report(offset, `The key "${name}" stands here for the second time.`);
    // an object's prototype and no key of it: it would vanish without a word
    else if (name === '__proto__') report(offset, 'The key "__proto__" is not allowed.');
    seen.add(name);
  }
}

/** The pairs of a mapping by their keys, made once: a file may have a fault in each of its lines. */
const pairsOf = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();
function pairIn(map: YAMLMap, key: string): Pair | undefined {
  const pairs =
    pairsOf.get(map) ?? new Map(map.items.map((pair) => [isScalar(pair.key) ? String(pair.key.value) : '', pair]));
  pairsOf.set(map, pairs);
  return pairs.get(key);
}

const itemIn = (node: unknown, part: Path[number]): unknown => (isSeq(node) ? node.items[Number(part)] : undefined);

function positionOf(
  document: Document,
  lines: LineCounter,
  path: Path,
  at: 'key' | 'value',
): { readonly line: number; readonly column: number } {
  let key: Node | null = null;
  let value: Node | null = document.contents;
  for (const part of path) {
    const inside: unknown = isAlias(value) ? value.resolve(document) : value;
    const next = isMap(inside) ? pairIn(inside, String(part)) : itemIn(inside, part);
    if (next === undefined) break; // not there: its parent is the nearest that is
    if (isPair(next)) {
      key = isNode(next.key) ? next.key : null;
      value = isNode(next.value) ? next.value : null;
    } else {
      key = null;
      value = isNode(next) ? next : null;
    }
  }
  const node = (at === 'key' ? (key ?? value) : (value ?? key)) ?? null;
  const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
