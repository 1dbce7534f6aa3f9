import type * as z from 'zod';
import { didYouMean } from '../domain/nearest.ts';
import type { Path, Problem } from './diagnostic.ts';
import {
  allowedValues,
  bare,
  chosenOption,
  isMapping,
  isMeantFor,
  mark,
  optionsOf,
  schemaAt,
  shapeOf,
  valueAt,
} from './walk.ts';

const quoted = (value: unknown): string => (typeof value === 'string' ? `"${value}"` : String(value));
const either = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};
const typeWords = (type: string): string => TYPES[type] ?? type;
function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  return typeWords(Array.isArray(value) ? 'array' : typeof value);
}

/** What an option of a one-of takes, for a message that lists them. */
function optionWords(option: z.core.$ZodType): string[] {
  const values = allowedValues(option);
  if (values) return values.map(quoted);
  const type = (bare(option) as z.core.$ZodTypes)._zod.def.type;
  return type === 'object' ? [] : [typeWords(type)];
}

/** The first key of each option that is a mapping. */
const marks = (options: readonly z.core.$ZodType[]): string[] => options.flatMap((option) => mark(option)?.key ?? []);

/** The key that tells the options of a one-of apart by its value (`engine`), and these values. */
function byValue(options: readonly z.core.$ZodType[]): { readonly key: string; readonly values: string[] } | null {
  const all = options.map(mark);
  const key = all[0]?.key;
  if (key === undefined || all.some((one) => one?.key !== key || one.value === undefined)) return null;
  return { key, values: all.map((one) => String(one?.value)) };
}

/** Nothing of a one-of is meant by this value: says what could have been. */
function noOption(options: readonly z.core.$ZodType[], value: unknown, path: Path): Problem[] {
  const mappings = options.filter((option) => shapeOf(option) !== null);
  if (!isMapping(value) || mappings.length === 0) {
    const listed = options.flatMap((option) => allowedValues(option) ?? []);
    const keys = marks(mappings);
    const words = [
      ...new Set(options.flatMap(optionWords)),
      ...(keys.length > 0 ? [`a mapping with ${either(keys)}`] : []),
    ];
    const hint = typeof value === 'string' ? didYouMean(value, listed.map(String)) : '';
    const is = typeof value === 'string' ? quoted(value) : typeOf(value);
    return [{ path, at: 'value', message: `Must be ${either(words)}, and is ${is}.${hint}` }];
  }
  const tag = byValue(mappings);
  if (tag) {
    const actual = value[tag.key];
    if (actual === undefined) return [{ path, at: 'key', message: `"${tag.key}" is missing: ${either(tag.values)}.` }];
    if (typeof actual === 'object')
      return [
        {
          path: [...path, tag.key],
          at: 'key',
          message: `"${tag.key}" must be ${either(tag.values)}, and is ${typeOf(actual)}.`,
        },
      ];
    const message = `${quoted(actual)} is no ${tag.key}: it is ${either(tag.values)}.${didYouMean(String(actual), tag.values)}`;
    return [{ path: [...path, tag.key], at: 'value', message }];
  }
  const keys = marks(mappings);
  const known = new Set(mappings.flatMap((option) => Object.keys(shapeOf(option) ?? {})));
  const strange = Object.keys(value).filter((key) => !known.has(key));
  if (strange.length === 0) return [{ path, at: 'key', message: `One of these is missing: ${either(keys)}.` }];
  return strange.map((key) => ({
    path: [...path, key],
    at: 'key' as const,
    message: `Unknown key "${key}".${didYouMean(key, keys) || ` Known here: ${either(keys)}.`}`,
  }));
}

function oneOf(options: readonly z.core.$ZodType[], value: unknown, path: Path): Problem[] {
  const chosen = chosenOption(options, value);
  if (!chosen) return noOption(options, value, path);
  const meant = options.filter((option) => isMeantFor(option, value) && shapeOf(option) !== null);
  if (meant.length > 1 && isMapping(value)) {
    const keys = marks(meant);
    return [{ path: [...path, keys[1] ?? ''], at: 'key', message: `Write one of ${either(keys)}, not both.` }];
  }
  return explain(chosen, value).map((problem) => ({ ...problem, path: [...path, ...problem.path] }));
}

function unknownKey(key: string, known: readonly string[], path: Path): Problem {
  const near = didYouMean(key, known);
  return {
    path: [...path, key],
    at: 'key',
    message: `Unknown key "${key}".${near || ` Known here: ${either(known)}.`}`,
  };
}

/** YAML takes `10` for a number and `true` for a truth value where text is wanted. */
function asText(schema: z.core.$ZodType | null, value: unknown): string {
  const parsed = schema && (schema as z.ZodType).safeParse(String(value));
  if (parsed && !parsed.success) return parsed.error.issues[0]?.message ?? '';
  return `Must be text, and is ${String(value)}: put it in quotes.`;
}

/** What a person is told of one finding of the schema library. */
function words(issue: z.core.$ZodIssue, schema: z.core.$ZodType, whole: unknown): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const value = valueAt(whole, path);
  const at = (message: string): Problem[] => [{ path, at: 'value', message }];
  const found = schemaAt(schema, whole, path);
  const options = found && optionsOf(found);
  // when one option of a one-of remains, the library reports what is wrong with that one
  const here = options && issue.code !== 'invalid_union' ? chosenOption(options, value) : found;
  switch (issue.code) {
    case 'invalid_union':
      return oneOf(options ?? [], value, path);
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, Object.keys((here && shapeOf(here)) ?? {}), path));
    case 'invalid_key':
      return [{ path, at: 'key', message: issue.issues[0]?.message ?? 'This is no name.' }];
    case 'invalid_type': {
      if (value === undefined && path.length > 0)
        return [{ path: path.slice(0, -1), at: 'key', message: `"${path.at(-1)}" is missing.` }];
      // an empty value is nowhere to be seen: its key is
      if (value === null) return [{ path, at: 'key', message: `Must be ${typeWords(issue.expected)}, and is empty.` }];
      const scalar = typeof value === 'number' || typeof value === 'boolean';
      if (issue.expected === 'string' && scalar) return at(asText(here, value));
      const is = typeof value === 'number' ? String(value) : typeOf(value);
      return at(`Must be ${typeWords(issue.expected)}, and is ${is}.`);
    }
    case 'invalid_value': {
      if (value === undefined && path.length > 0)
        return [
          {
            path: path.slice(0, -1),
            at: 'key',
            message: `"${path.at(-1)}" is missing: it is ${either(issue.values.map(quoted))}.`,
          },
        ];
      const words = issue.values.filter((one) => typeof one === 'string');
      const near = typeof value === 'string' ? didYouMean(value, words) : '';
      return at(
        `Must be ${either(issue.values.map(quoted))}, and is ${isMapping(value) ? 'a mapping' : quoted(value)}.${near}`,
      );
    }
    case 'too_small':
    case 'too_big': {
      if (!issue.message.startsWith('Too ')) return at(issue.message);
      const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
      return at(issue.origin === 'array' ? `Must have ${bound} entries.` : `Must be ${bound}.`);
    }
    default:
      return at(issue.message);
  }
}

/** Everything that is wrong with a value, each thing at its place and in words; nothing when it passes. Of a text that
 *  breaks several rules the first is said: mending it mends the others, or they are said next. */
export function explain(schema: z.core.$ZodType, value: unknown): Problem[] {
  const parsed = (schema as z.ZodType).safeParse(value, { jitless: true });
  if (parsed.success) return [];
  const all = parsed.error.issues.flatMap((issue) => words(issue, schema, value));
  const said = new Set<string>();
  return all.filter(({ path, at }) => {
    if (at !== 'value' || typeof valueAt(value, path) !== 'string') return true;
    const place = JSON.stringify(path);
    return !said.has(place) && said.add(place);
  });
}
