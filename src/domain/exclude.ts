import { HoldfastError } from './errors.ts';

/** What a pattern's text is made of. `any`: one character, `star`: any number of them, neither of them a slash.
 *  `folders`: any number of whole folders, each with its slash. `below`: everything in a folder. */
export type PatternPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'star' }
  | { readonly kind: 'folders' }
  | { readonly kind: 'below' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** One pattern of `exclude`. `anchor`: what the parts are compared with: the last name of a path at any depth, the path
 *  below a root, or the absolute path. */
export interface Pattern {
  readonly anchor: 'name' | 'root' | 'absolute';
  readonly foldersOnly: boolean;
  readonly parts: readonly PatternPart[];
}

/** Reads a pattern. What it may hold:
 *  - without a slash it is a name at any depth; with one it is a path below each root; with one at its beginning it is
 *    an absolute path; with one at its end it means folders only;
 *  - `*` any characters but a slash, `?` one, `[a-z]` one of these, `[!a-z]` one of the others;
 *  - `**` as a whole part of a path: any number of folders, at its end everything inside, not the folder itself;
 *  - a backslash takes the next character by the letter. There is no negation by `!`.
 *  A root itself is never left out, and with a folder goes all that is in it.
 *  @throws HoldfastError `Usage` for a pattern without a name in it */
export function parsePattern(text: string): Pattern {
  const foldersOnly = /[^/]\/+$/.test(text);
  const body = bodyOf(text);
  if (body === '') throw new HoldfastError('Usage', `"${text}" is no pattern: it has no name in it.`, text);
  const relative = text.startsWith('./') || body.includes('/') ? 'root' : 'name';
  const anchor = text.startsWith('/') ? 'absolute' : relative;
  return { anchor, foldersOnly, parts: parseParts(body) };
}

const bodyOf = (text: string): string =>
  text
    .replace(/^(?:\.\/)+/, '')
    .replace(/^\/+|\/+$/g, '')
    .replaceAll(/\/{2,}/g, '/');

/** True when {@link parsePattern} takes it. */
export const isPattern = (text: string): boolean => bodyOf(text) !== '';

function parseParts(body: string): readonly PatternPart[] {
  const parts: PatternPart[] = [];
  let text = '';
  const push = (part: PatternPart): void => {
    if (text !== '') parts.push({ kind: 'text', text });
    text = '';
    parts.push(part);
  };
  for (let at = 0; at < body.length; at += 1) {
    const rest = body.slice(at);
    const character = rest.charAt(0);
    const wholePart = at === 0 || body.charAt(at - 1) === '/';
    const found = character === '[' ? parseClass(rest) : null;
    if (wholePart && rest.startsWith('**/')) {
      push({ kind: 'folders' });
      at += 2;
    } else if (wholePart && rest === '**') {
      push({ kind: 'below' });
      at += 1;
    } else if (found !== null) {
      push(found.part);
      at += found.length - 1;
    } else if (character === '*') {
      if (body.charAt(at - 1) !== '*' || parts.at(-1)?.kind !== 'star' || text !== '') push({ kind: 'star' });
    } else if (character === '?') {
      push({ kind: 'any' });
    } else {
      const escaped = character === '\\' && rest.length > 1;
      const taken = String.fromCodePoint(rest.codePointAt(escaped ? 1 : 0) ?? 0);
      text += taken;
      at += taken.length - (escaped ? 0 : 1);
    }
  }
  if (text !== '') parts.push({ kind: 'text', text });
  return parts;
}

/** Null when the bracket is not closed: it is a character like any other then. */
function parseClass(rest: string): { part: PatternPart; length: number } | null {
  const matched = /^\[([!^]?)(\]?(?:\\.|[^\]\\])*)\]/su.exec(rest);
  if (matched === null || matched[2] === '') return null;
  const characters = [...(matched[2] ?? '').matchAll(/\\(.)|(.)/gsu)].map(([, escaped, plain]) => ({
    character: escaped ?? plain ?? '',
    dash: plain === '-',
  }));
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const first = characters[at]?.character ?? '';
    const last = characters[at + 2];
    const range = characters[at + 1]?.dash === true && last !== undefined;
    ranges.push([first, range ? last.character : first]);
    if (range) at += 2;
  }
  return { part: { kind: 'class', negated: matched[1] !== '', ranges }, length: matched[0].length };
}

const number = (character: string): number => character.codePointAt(0) ?? 0;
const codePoint = (character: string): string => `\\u{${number(character).toString(16)}}`;

function printPart(part: PatternPart): string {
  if (part.kind === 'text') return [...part.text].map(codePoint).join('');
  if (part.kind === 'any') return '[^/]';
  if (part.kind === 'star') return '[^/]*';
  if (part.kind === 'folders') return '(?:[^/]+/)*';
  if (part.kind === 'below') return '[^]+';
  const ranges = part.ranges.filter(([first, last]) => number(first) <= number(last));
  const inside = ranges.map(([first, last]) => `${codePoint(first)}-${codePoint(last)}`).join('');
  return `(?!/)[${part.negated ? '^' : ''}${inside}]`;
}

function union(patterns: readonly Pattern[]): RegExp | null {
  if (patterns.length === 0) return null;
  return new RegExp(`^(?:${patterns.map(({ parts }) => parts.map(printPart).join('')).join('|')})$`, 'u');
}

/** Says of a path below a root whether a pattern names it. Its parents are not looked at: who walks a tree does not go
 *  into a folder that is left out. `below` has no slash at its beginning. */
export type Excluded = (below: string, folder: boolean) => boolean;

/** `roots`: the absolute path of the root, and other paths by which it is known: where a link to it stands. */
export function excludedBelow(patterns: readonly Pattern[], ...roots: readonly string[]): Excluded {
  const rules = [true, false].map((foldersOnly) => {
    const of = (anchor: Pattern['anchor']): RegExp | null =>
      union(patterns.filter((pattern) => pattern.anchor === anchor && pattern.foldersOnly === foldersOnly));
    return { foldersOnly, name: of('name'), root: of('root'), absolute: of('absolute') };
  });
  const bases = roots.map((root) => root.replace(/^\/+/, '').replace(/(?<=[^/])$/, '/'));
  return (below, folder) =>
    rules.some(
      ({ foldersOnly, name, root, absolute }) =>
        (folder || !foldersOnly) &&
        (name?.test(below.slice(below.lastIndexOf('/') + 1)) ||
          root?.test(below) ||
          (absolute !== null && bases.some((base) => absolute.test(base + below)))),
    );
}

/** The same for a path whose parents were not walked: true when it or a folder above it, below the root, is left out. */
export function excludedWithParents(excluded: Excluded, below: string, folder: boolean): boolean {
  for (let slash = below.indexOf('/'); slash > 0; slash = below.indexOf('/', slash + 1))
    if (excluded(below.slice(0, slash), true)) return true;
  return excluded(below, folder);
}
