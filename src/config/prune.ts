import type { z } from 'zod';
import type { Problem } from './diagnostic.ts';
import { explain } from './issues.ts';
import { isMapping } from './walk.ts';

/** A copy of a mapping without the part at `path`; a list goes as a whole, so that places in others stay what they are. */
function without(value: unknown, path: Problem['path']): unknown {
  const [part, ...rest] = path;
  if (part === undefined || !isMapping(value)) return value;
  const { [String(part)]: inner, ...others } = value;
  return rest.length > 0 && isMapping(inner) ? { ...others, [String(part)]: without(inner, rest) } : others;
}

/** Each round leaves out what became incomplete by the one before, one level further out. */
const ROUNDS = 8;

/** What remains of a configuration without its faults, so that one run of `config check` names broken references too.
 *  Null when nothing sound remains. */
export function soundPart(schema: z.core.$ZodType, value: unknown, problems: readonly Problem[]): unknown {
  let [rest, wrong] = [value, problems];
  for (let round = 0; round < ROUNDS; round += 1) {
    if (wrong.length === 0) return rest;
    for (const { path } of wrong)
      rest = path.length === 0 && isMapping(rest) ? { ...rest, version: 1 } : without(rest, path);
    if (isMapping(rest) && wrong.some(({ path }) => path[0] === 'version')) rest = { ...rest, version: 1 };
    wrong = explain(schema, rest);
  }
  return null;
}
