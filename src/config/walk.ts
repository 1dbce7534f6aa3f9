import type * as z from 'zod';
import { type Role, roles } from '../domain/settings.ts';
import type { Path } from './diagnostic.ts';

export const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type Known = z.core.$ZodTypes;
const defOf = (schema: z.core.$ZodType): Known['_zod']['def'] => (schema as Known)._zod.def;

/** What a schema is once it is said that it may be left out, or made when it is needed; null when it is neither. */
function inside(schema: z.core.$ZodType): z.core.$ZodType | null {
  const def = defOf(schema);
  if (def.type === 'lazy') return (schema as z.core.$ZodLazy)._zod.innerType;
  return def.type === 'optional' || def.type === 'nullable' ? def.innerType : null;
}

/** The schema that has a type of its own. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const inner = inside(schema);
  return inner ? bare(inner) : schema;
}

/** Whether a value passes. Each schema is used a few times in a run, which does not pay for compiling it. */
const passes = (schema: z.core.$ZodType, value: unknown): boolean =>
  (schema as z.ZodType).safeParse(value, { jitless: true }).success;

/** What a mapping or a list takes at this part of a path. */
function innerOf(def: ReturnType<typeof defOf>, part: Path[number]): z.core.$ZodType | undefined {
  if (def.type === 'object') return def.shape[String(part)];
  if (def.type === 'record') return def.valueType;
  return def.type === 'array' ? def.element : undefined;
}

/** Whether a key may be left out. */
const optional = (schema: z.core.$ZodType): boolean => defOf(schema).type === 'optional';

/** A mapping's own schemas by key; null when the schema is of something else. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | null {
  const def = defOf(bare(schema));
  return def.type === 'object' ? def.shape : null;
}

/** The keys without which a mapping is not what the schema describes. */
function requiredKeys(schema: z.core.$ZodType): readonly string[] {
  const shape = shapeOf(schema) ?? {};
  return Object.keys(shape).filter((key) => shape[key] !== undefined && !optional(shape[key]));
}

/** The only values a schema allows, when these can be listed. */
export function allowedValues(schema: z.core.$ZodType): readonly unknown[] | null {
  const def = defOf(bare(schema));
  if (def.type === 'literal') return def.values;
  if (def.type === 'enum') return Object.values(def.entries);
  return null;
}

/** The options of a one-of, those of one inside it as well; null when the schema is none. */
export function optionsOf(schema: z.core.$ZodType): readonly z.core.$ZodType[] | null {
  const def = defOf(bare(schema));
  return def.type === 'union' ? def.options.flatMap((option) => optionsOf(option) ?? [option]) : null;
}

/** The key that a mapping must have to be meant for this option, and the only value that it may have there, if any:
 *  `engine: archive`, `files: …`. Null for a mapping that needs no key. */
export function mark(option: z.core.$ZodType): { readonly key: string; readonly value: unknown } | null {
  const [key] = requiredKeys(option);
  const schema = key === undefined ? undefined : shapeOf(option)?.[key];
  if (key === undefined || !schema) return null;
  return { key, value: defOf(schema).type === 'literal' ? allowedValues(schema)?.[0] : undefined };
}

/** Whether a value is meant for this option, right or wrong: by its type, and a mapping by the option's mark. */
export function isMeantFor(option: z.core.$ZodType, value: unknown): boolean {
  const schema = bare(option);
  const def = defOf(schema);
  const options = optionsOf(schema);
  if (options) return options.some((inner) => isMeantFor(inner, value));
  if (def.type === 'object') {
    if (!isMapping(value)) return false;
    const marked = mark(schema);
    if (marked === null) return true;
    return Object.hasOwn(value, marked.key) && (marked.value === undefined || value[marked.key] === marked.value);
  }
  if (def.type === 'literal' || def.type === 'enum') return allowedValues(schema)?.includes(value) ?? false;
  if (def.type === 'array') return Array.isArray(value);
  if (def.type === 'record') return isMapping(value);
  return def.type === typeof value;
}

/** The option of a one-of that a value is meant for: chosen by its keys, so that what is said of it is about that one.
 *  Of several the first that it passes, else the first. Null when none is meant. */
export function chosenOption(options: readonly z.core.$ZodType[], value: unknown): z.core.$ZodType | null {
  const meant = options.filter((option) => isMeantFor(option, value));
  if (meant.length < 2) return meant[0] ?? null;
  return meant.find((option) => passes(option, value)) ?? meant[0] ?? null;
}

/** The schema that describes what stands at `path` below `value`; null when nothing describes it. */
export function schemaAt(schema: z.core.$ZodType, value: unknown, path: Path): z.core.$ZodType | null {
  const options = optionsOf(schema);
  if (options && path.length > 0) {
    const option = chosenOption(options, value);
    return option && schemaAt(option, value, path);
  }
  const [part, ...rest] = path;
  if (part === undefined) return bare(schema);
  const inner = innerOf(defOf(bare(schema)), part);
  return inner ? schemaAt(inner, valueAt(value, [part]), rest) : null;
}

export function valueAt(value: unknown, path: Path): unknown {
  let inner = value;
  for (const part of path) {
    if (Array.isArray(inner)) inner = inner[Number(part)];
    else inner = isMapping(inner) && Object.hasOwn(inner, part) ? inner[part] : undefined;
  }
  return inner;
}

/** What to put in the place of a value that has a role; undefined to leave it and to go on inside it. */
export type Replace = (role: Role, value: unknown, path: Path) => unknown;

/** A copy of a valid value in which each part that has a role was shown to `replace`, outer ones first. */
export function rewrite(schema: z.core.$ZodType, value: unknown, replace: Replace, path: Path = []): unknown {
  if (value === undefined || value === null) return value;
  const role = roles.get(schema);
  const replaced = role && replace(role, value, path);
  if (replaced !== undefined) return replaced;
  const inner = inside(schema);
  if (inner) return rewrite(inner, value, replace, path);
  const def = defOf(schema);
  if (def.type === 'union') {
    const option = def.options.find((one) => isMeantFor(one, value) && passes(one, value));
    return option ? rewrite(option, value, replace, path) : value;
  }
  if (def.type === 'array' && Array.isArray(value))
    return value.map((element, index) => rewrite(def.element, element, replace, [...path, index]));
  if ((def.type === 'object' || def.type === 'record') && isMapping(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => {
        const schemaOfPart = def.type === 'object' ? def.shape[key] : def.valueType;
        return [key, schemaOfPart ? rewrite(schemaOfPart, part, replace, [...path, key]) : part];
      }),
    );
  return value;
}
